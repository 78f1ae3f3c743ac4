/*
 * fake_engine - an engine without Python that behaves as the environment's FAKE says. The test
 * program links itself into a directory as engine-python3.11 and runs this when it finds itself
 * started as a mold: real fork and exec, real channels, real exchange, and no second program to
 * build.
 */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "shared/base.h"
#include "shared/err.h"
#include "shared/msg.h"
#include "vassal/exchange/crew.h"
#include "vassal/exchange/exchange.h"

static bool fake_is(const char *what)
{
	const char *mode = getenv("FAKE");

	return mode && str_eq(mode, what);
}

/* All processes print on one pipe: what is one write stays together. */
static void fake_print(const char *text)
{
	(void)!write(STDOUT_FILENO, text, strlen(text));
}

static void fake_on_stacks(int signal)
{
	bool all = signal == SIGRTMIN + CREW_STACKS_SIGNAL_OFFSET;
	char text[256], last[64] = "";

	if (all)
		(void)snprintf(last, sizeof(last), CREW_STACKS_END "%d\n", (int)getpid());
	(void)snprintf(
		text, sizeof(text),
		"STACKS of a fake\n%s (most recent call first):\n  File \"%d.py\", line 1 in f\n%s",
		all ? "Thread 0x1" : "Stack", (int)gettid(), last);
	fake_print(text);
}

static void *fake_rest(_unused_ void *arg)
{
	while (pause() < 0) /* always: it is how a handler that returns ends it */
		;
	return NULL;
}

/* A thread of the app's own that would take any signal, while the main one cannot for a moment. */
static void fake_two_threads(void)
{
	pthread_t other;
	sigset_t look;

	(void)sigemptyset(&look);
	(void)sigaddset(&look, SIGRTMIN + CREW_LOOK_SIGNAL_OFFSET);
	if (pthread_create(&other, NULL, fake_rest, NULL) != 0)
		_exit(1);
	(void)pthread_sigmask(SIG_BLOCK, &look, NULL);
}

static void fake_take_look(void)
{
	sigset_t look;

	(void)sigpending(&look);
	if (sigismember(&look, SIGRTMIN + CREW_LOOK_SIGNAL_OFFSET) == 1)
		(void)pthread_sigmask(SIG_UNBLOCK, &look, NULL);
}

static void fake_say(int sock, uint16_t kind, unsigned worker, uint64_t a, const char *text)
{
	(void)crew_send(sock, &(struct crew_msg){.kind = kind, .worker = worker, .a = a, .b = 1234},
			text, -1);
}

static void fake_print_body(int sock, unsigned worker)
{
	struct crew_msg m;
	struct err err = {0};
	char buf[64] = "", text[80];
	int fd = -1;

	fake_say(sock, CREW_WANT_BODY, worker, 1, "");
	if (crew_recv(sock, &m, &fd, &err) == 1 && m.kind == CREW_BODY)
		(void)!pread(fd, buf, sizeof(buf) - 2, 0);
	(void)snprintf(text, sizeof(text), "body: %s\n", buf);
	fake_print(text);
}

static void fake_hand_over(int sock, unsigned worker)
{
	struct crew_msg m = {.kind = CREW_FILE, .worker = worker, .a = 1, .b = 7};

	/* Who lies is killed: not before the first one is ready too, or the pool gives up. */
	if (worker > 0)
		(void)usleep(400000);
	(void)crew_send(sock, &m, NULL, STDIN_FILENO);
}

static void fake_print_much(void)
{
	for (unsigned i = 0; i < 20000; i++)
		fake_print("a line of a flood that never seems to end, 64 bytes with newline\n");
	for (unsigned i = 0; i < 40; i++)
		fake_print(
			"0123456789012345678901234567890123456789012345678901234567890123456789"
			"0123456789012345678901234567890123456789012345678901234567890123456789"
			"0123456789012345678901234567890123456789012345678901234567890123456789"
			"0123456789012345678901234567890123456789012345678901234567890123456789"
			"0123456789012345678901234567890123456789012345678901234567890123456789"
			"0123456789012345678901234567890123456789012345678901234567890123456789"
			"0123456789012345678901234567890123456789012345678901234567890123456789");
	fake_print("\nunfinished");
}

__attribute__((noreturn)) static void fake_serve_mold(struct exchange *x);

/* As a called worker does it: asks for the mold's channel, and forks twice. */
static void fake_refork(struct exchange *x, int sock, unsigned worker)
{
	struct crew_msg m;
	struct err err = {0};
	int fd = -1;
	pid_t middle, pid = 0;
	int pipe_fds[2];

	if (fake_is("refork-refuses")) {
		fake_say(sock, CREW_REFORK_FAILED, worker, 0, "it has 7 threads");
		return;
	}
	fake_say(sock, CREW_WANT_MOLD, worker, 0, "");
	(void)fcntl(sock, F_SETFL, fcntl(sock, F_GETFL) & ~O_NONBLOCK);
	if (crew_recv(sock, &m, &fd, &err) != 1 || m.kind != CREW_MOLD || pipe(pipe_fds) < 0)
		_exit(1);
	middle = fork();
	if (middle == 0) {
		pid = fork();
		if (pid == 0) {
			(void)close(sock);
			if (fake_is("refork-dies"))
				_exit(1);
			if (dup2(fd, CREW_MOLD_FD) < 0)
				_exit(1);
			if (fd != CREW_MOLD_FD)
				(void)close(fd);
			fake_say(CREW_MOLD_FD, CREW_MOLD_READY, 0, 1, "");
			fake_serve_mold(x);
		}
		(void)!write(pipe_fds[1], &pid, sizeof(pid));
		_exit(0);
	}
	(void)waitpid(middle, NULL, 0);
	(void)!read(pipe_fds[0], &pid, sizeof(pid));
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
	(void)close(fd);
	fake_say(sock, CREW_REFORKED, worker, (uint64_t)pid, "");
}

__attribute__((noreturn)) static void fake_worker(struct exchange *x, int sock, unsigned worker)
{
	unsigned lane = worker * exchange_get_shape(x)->threads;
	unsigned slot;
	int r;

	if (fake_is("worker-dies")) {
		fake_print("last words of a worker\n");
		_exit(3);
	}
	if (fake_is("worker-fails")) {
		fake_say(sock, CREW_WORKER_FAILED, worker, FAIL_IMPORT,
			 "ImportError: no module named nowhere");
		_exit(CREW_EXIT_FAILED);
	}
	if (fake_is("worker-hangs"))
		for (;;)
			(void)pause();
	if (fake_is("two-threads"))
		fake_two_threads();
	fake_say(sock, CREW_WORKER_READY, worker, (uint64_t)getpid(), "");
	if (fake_is("ready-dies"))
		(void)raise(SIGKILL);
	if (fake_is("body"))
		fake_print_body(sock, worker);
	if (fake_is("file"))
		fake_hand_over(sock, worker);
	if (fake_is("print"))
		fake_print_much();
	if (fake_is("nonsense"))
		(void)!write(sock, "nonsense", 8);
	if (fake_is("closes"))
		(void)close(sock);
	if (fake_is("leaves")) {
		fake_say(sock, CREW_WORKER_LEAVES, worker, 0, "sys.exit(0)");
		_exit(CREW_EXIT_OK);
	}
	while ((r = exchange_take(x, lane, &slot)) != EXCHANGE_RETIRE || fake_is("stubborn")) {
		char byte;

		if (fake_is("two-threads"))
			fake_take_look();
		if (r == EXCHANGE_CALLED)
			fake_refork(x, sock, worker);
		if (!fake_is("closes") && recv(sock, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0)
			_exit(CREW_EXIT_ORPHAN);
		(void)exchange_wait(x, lane, 50 * 1000000ULL);
	}
	_exit(CREW_EXIT_OK);
}

/* Twice, so that the front becomes the worker's parent. */
static void fake_fork(struct exchange *x, const struct crew_msg *m, int sock)
{
	int pipe_fds[2];
	pid_t middle, pid = 0;

	if (pipe(pipe_fds) < 0)
		_exit(1);
	middle = fork();
	if (middle == 0) {
		pid = fork();
		if (pid == 0) {
			(void)close(CREW_MOLD_FD);
			(void)close(pipe_fds[0]);
			(void)close(pipe_fds[1]);
			fake_worker(x, sock, m->worker);
		}
		(void)!write(pipe_fds[1], &pid, sizeof(pid));
		_exit(0);
	}
	(void)waitpid(middle, NULL, 0);
	(void)!read(pipe_fds[0], &pid, sizeof(pid));
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
	(void)close(sock);
	if (fake_is("slow-forked") || fake_is("ready-dies"))
		(void)usleep(100000); /* the worker's own words, and its exit, come first */
	fake_say(CREW_MOLD_FD, CREW_FORKED, m->worker, (uint64_t)pid, "");
}

static void fake_check_fds(void)
{
	char text[64];

	for (int fd = CREW_BOARD_FD + 1; fd < 256; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			continue;
		(void)snprintf(text, sizeof(text), "descriptor %d leaked into the engine\n", fd);
		fake_print(text);
	}
	if (getpgrp() != getpid())
		fake_print("the engine shares a process group\n");
	if (getenv("EMPEROR_HANDOFF"))
		fake_print("the engine sees the handoff\n");
}

__attribute__((noreturn)) static void fake_mold(void)
{
	struct exchange *x = NULL;
	struct err err = {0};

	(void)signal(SIGRTMIN + CREW_STACKS_SIGNAL_OFFSET, fake_on_stacks);
	(void)signal(SIGRTMIN + CREW_LOOK_SIGNAL_OFFSET, fake_on_stacks);
	(void)signal(SIGRTMIN + CREW_OTHERS_SIGNAL_OFFSET, SIG_IGN);
	(void)signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would turn it into an exit */
	fake_check_fds();
	if (fake_is("mold-dies")) {
		fake_print("last words of a mold\n");
		(void)raise(SIGABRT);
	}
	if (fake_is("mold-fails")) {
		fake_say(CREW_MOLD_FD, CREW_MOLD_FAILED, 0, FAIL_IMPORT,
			 "ImportError: no module named nowhere");
		_exit(CREW_EXIT_FAILED);
	}
	if (fake_is("mold-hangs")) {
		fake_print("a mold that hangs\n");
		for (;;)
			(void)pause();
	}
	if (exchange_attach(&x, CREW_EXCHANGE_FD, CREW_EVENT_FD, &err) < 0) {
		fake_print(err.text);
		_exit(1);
	}
	if (fake_is("mold-closes")) {
		(void)close(CREW_MOLD_FD);
		for (;;)
			(void)pause();
	}
	(void)crew_send(CREW_MOLD_FD,
			&(struct crew_msg){.kind = CREW_MOLD_READY, .a = 4321, .b = 1}, "", -1);
	fake_serve_mold(x);
}

__attribute__((noreturn)) static void fake_serve_mold(struct exchange *x)
{
	struct crew_msg m;
	struct err err = {0};
	int fd = -1;

	while (crew_recv(CREW_MOLD_FD, &m, &fd, &err) == 1) {
		if (m.kind == CREW_FORK && fake_is("fork-fails")) {
			fake_say(CREW_MOLD_FD, CREW_FORK_FAILED, m.worker, 0,
				 "Resource temporarily unavailable");
			(void)close(fd);
		} else if (m.kind == CREW_FORK) {
			fake_fork(x, &m, fd);
		} else {
			_exit(CREW_EXIT_OK);
		}
	}
	_exit(CREW_EXIT_ORPHAN);
}
