/*
 * mold - see mold.h.
 *
 * Order of a start: interpreter, app, warm-up, collect, freeze, ready. Whatever is in memory by then is shared with
 * every worker for as long as nobody writes to it.
 *
 * A fork of a process with several threads copies only one of them, and locks that another one held stay locked for
 * ever; a socket that was opened before would be used by all workers at once. Both are usual after the first request
 * (connection pools, background reporters) and rare after import, so a mold that got them from its warm-up is made
 * again without it; one that got them from the import says so and goes on, as every preloading server does.
 */
#include "vassal/engine/mold.h"
#include "vassal/engine/engine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "shared/clock.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/log.h"
#include "shared/proctitle.h"
#include "vassal/engine/app.h"
#include "vassal/engine/collector.h"
#include "vassal/engine/forked.h"
#include "vassal/engine/interp.h"
#include "vassal/engine/main.h"
#include "vassal/engine/place.h"
#include "vassal/engine/traceback.h"
#include "vassal/engine/warmup.h"
#include "vassal/engine/worker.h"
#include "vassal/exchange/exchange.h"

struct residue { /* what a fork would not carry over well */
	unsigned threads;
	unsigned sockets;
};

static void say(struct crew_msg m, const char *text)
{
	int r;

	do
		r = crew_send(CREW_MOLD_FD, &m, text, -1);
	while (r == -EAGAIN &&
	       poll(&(struct pollfd){.fd = CREW_MOLD_FD, .events = POLLOUT}, 1, 1000) > 0);
	if (r == -EPIPE || r == -ECONNRESET)
		_exit(CREW_EXIT_ORPHAN);
}

_Noreturn void mold_fail(unsigned phase, const char *text)
{
	say((struct crew_msg){.kind = CREW_MOLD_FAILED, .a = phase}, text);
	log_flush(1000);
	_exit(CREW_EXIT_FAILED);
}

static unsigned count_threads(void)
{
	DIR *d = opendir("/proc/self/task");
	const struct dirent *entry;
	unsigned n = 0;

	while (d && (entry = readdir(d)))
		n += entry->d_name[0] != '.';
	if (d)
		(void)closedir(d);
	return n > 0 ? n - 1 : 0;
}

static unsigned count_sockets(void)
{
	DIR *d = opendir("/proc/self/fd");
	const struct dirent *entry;
	unsigned n = 0;

	while (d && (entry = readdir(d))) {
		char target[16] = "";

		if (strtol(entry->d_name, NULL, 10) <= CREW_BOARD_FD)
			continue; /* ours */
		if (readlinkat(dirfd(d), entry->d_name, target, sizeof(target) - 1) > 0)
			n += strncmp(target, "socket:", 7) == 0;
	}
	if (d)
		(void)closedir(d);
	return n;
}

static struct residue find_residue(void)
{
	return (struct residue){.threads = count_threads(), .sockets = count_sockets()};
}

/* Warm-up made what the import had not: begin again without it. Does not return if it can. */
static void check_after_warmup(struct engine *e, struct residue before)
{
	struct residue now = find_residue();
	char note[256];

	if (now.threads <= before.threads && now.sockets <= before.sockets)
		return;
	(void)snprintf(note, sizeof(note),
		       "after warm-up the app held %u more threads and %u more sockets, which no "
		       "worker could "
		       "inherit: started again without warm-up",
		       now.threads - MIN(before.threads, now.threads),
		       now.sockets - MIN(before.sockets, now.sockets));
	main_relaunch(e, note);
	engine_note(e, "%s; that failed: %s", note, strerror(errno));
}

static void note_residue(struct engine *e, struct residue r)
{
	if (r.threads > 0 || r.sockets > 0)
		engine_note(e,
			    "after import the app holds %u threads and %u sockets; threads do not "
			    "exist in workers "
			    "and sockets are shared by them: consider lazy-apps",
			    r.threads, r.sockets);
}

static void load(struct engine *e)
{
	char text[CREW_TEXT_MAX];
	struct residue residue;
	enum fail_phase phase = app_load(e, text, sizeof(text));

	if (forked_is())
		forked_leave(e);
	if (phase != FAIL_NONE)
		mold_fail(phase, text);
	residue = find_residue();
	note_residue(e, residue);
	if (e->relaunch_note) {
		engine_note(e, "%s", e->relaunch_note);
		return;
	}
	if (e->config.warmup.n == 0)
		return;
	if (warmup_run(e, text, sizeof(text)) < 0)
		mold_fail(FAIL_WARMUP, text);
	check_after_warmup(e, residue);
}

/*
 * The process between mold and worker: no Python hook runs in it, and it exits at once, so that the front adopts the
 * worker. By vfork: it borrows the mold's memory, and the mold stands still until it has gone. A copy of an imported
 * app's page tables, and their end, would cost the first client after a nap some milliseconds. What fork() does here is
 * as if the mold had called it, but for whose child comes out; should it hang (a C library's fork handler), the mold
 * hangs with it, and the front ends a mold that does not fork in time.
 */
static _Noreturn __attribute__((noinline)) void
be_intermediate(struct engine *e, mold_child_fn *fn, void *arg, int report_fd, pid_t parent_pid)
{
	pid_t pid;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent_pid)
		_exit(CREW_EXIT_ORPHAN);
	pid = fork();
	if (pid == 0) {
		(void)close(report_fd);
		PyOS_AfterFork_Child();
		fn(e, arg);
	}
	if (pid < 0)
		pid = -errno;
	(void)!write(report_fd, &pid, sizeof(pid));
	_exit(0);
}

/*
 * The worker's pid, or -errno. Holds the GIL. The app's "before" hooks run here, where the threads are that they may
 * wait for, those of the child only in the worker.
 */
pid_t mold_fork(struct engine *e, mold_child_fn *fn, void *arg)
{
	int report[2];
	pid_t worker = -ECHILD; /* it was killed on its way */
	pid_t parent_pid = getpid();
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	interp_flush();
	PyOS_BeforeFork();
	/* What the checks forbid after it is glibc's to allow: see be_intermediate(). */
	pid = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork) */
	if (pid == 0) {
		(void)close(report[0]); /* NOLINT(clang-analyzer-unix.Vfork) */
		be_intermediate(e, fn, arg, report[1], parent_pid);
	}
	if (pid < 0)
		worker = -errno;
	PyOS_AfterFork_Parent();
	(void)close(report[1]);
	if (pid > 0)
		(void)!read(report[0], &worker, sizeof(worker));
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	(void)close(report[0]);
	return worker;
}

struct order {
	unsigned number;
	int link_fd;
};

static void be_worker(struct engine *e, void *arg)
{
	const struct order *o = arg;

	worker_run(e, o->number, o->link_fd);
}

static void on_fork(struct engine *e, const struct crew_msg *m, int link_fd)
{
	struct crew_msg answer = {.kind = CREW_FORKED, .worker = m->worker};
	char text[128];
	pid_t pid;

	if (m->worker >= exchange_get_shape(e->exchange)->workers) {
		answer.kind = CREW_FORK_FAILED;
		say(answer, "there is no worker of this number");
		return;
	}
	pid = mold_fork(e, be_worker, &(struct order){m->worker, link_fd});
	if (pid > 0) {
		answer.a = (uint64_t)pid;
		say(answer, NULL);
		return;
	}
	(void)snprintf(text, sizeof(text), "fork: %s", strerror(-pid));
	answer.kind = CREW_FORK_FAILED;
	say(answer, text);
}

/* Holds the GIL. */
static void on_message(struct engine *e)
{
	_cleanup_(fd_closep) int fd = -1;
	struct crew_msg m;
	struct err err = {0};
	int r = crew_recv(CREW_MOLD_FD, &m, &fd, &err);

	if (r == -EAGAIN)
		return;
	if (r == 0 || r == -ECONNRESET)
		_exit(CREW_EXIT_ORPHAN);
	if (r < 0) {
		log_error("%s", err.text);
		return;
	}
	if (m.kind == CREW_FORK)
		on_fork(e, &m, fd);
	else if (m.kind == CREW_QUIT)
		_exit(CREW_EXIT_OK); /* no atexit: what the app registered is the workers' to run */
	else
		log_error("mold: a message \"%s\" that is not for it", crew_kind_name(m.kind));
}

static void serve(struct engine *e)
{
	struct pollfd p = {.fd = CREW_MOLD_FD, .events = POLLIN};

	for (;;) {
		int r;

		Py_BEGIN_ALLOW_THREADS;
		r = poll(&p, 1, -1);
		Py_END_ALLOW_THREADS;
		/* Also a SystemExit: the mold is the front's to end, as it is without a handler of the app's. */
		if (PyErr_CheckSignals() < 0 && !forked_is())
			traceback_report(e,
					 "exception in a signal handler of the app, in the mold");
		if (forked_is()) /* by a signal handler of the app */
			forked_leave(e);
		if (r > 0)
			on_message(e);
	}
}

_Noreturn void mold_resume(struct engine *e)
{
	uint64_t started_ns = clock_now_ns();
	struct crew_msg ready = {.kind = CREW_MOLD_READY, .b = 1};

	forked_watch();
	e->worker_id = 0;
	exchange_forget_lanes(e->exchange);
	place_anywhere(e);
	proctitle_set("%s mold", engine_title(e));
	e->note[0] = '\0';
	if (interp_freeze(true) < 0)
		PyErr_Print();
	(void)malloc_trim(0);
	ready.a = (clock_now_ns() - started_ns) / NS_PER_US;
	say(ready, NULL);
	serve(e);
	_exit(CREW_EXIT_ORPHAN);
}

_Noreturn void mold_run(struct engine *e)
{
	struct err err = {0};
	uint64_t started_ns = clock_now_ns();
	struct collector collector;
	struct crew_msg ready = {.kind = CREW_MOLD_READY, .b = !e->config.lazy_apps};

	place_prio(e);
	if (interp_start(e, &err) < 0)
		mold_fail(FAIL_ENGINE, err.text);
	forked_watch();
	collector_rest(&collector);
	if (!e->config.lazy_apps)
		load(e);
	/* Of what an import makes one object in a hundred is garbage, and to find it takes a tenth of a start. */
	if (interp_freeze(e->config.warmup.n > 0) < 0)
		PyErr_Print();
	/* Only now: with its own thresholds it would look through all of it at once. */
	collector_resume(&collector);
	(void)malloc_trim(0);
	ready.a = (clock_now_ns() - started_ns) / NS_PER_US;
	say(ready, e->note);
	serve(e);
	_exit(CREW_EXIT_ORPHAN);
}
