/*
 * keeper - the parent of one program that runs beside an app (vassal/tasks/keeper.h). Started by a front, with the app's
 * rights.
 *
 * It exists for one promise: nothing that the program has started outlives the app, however the front ends. As a subreaper it
 * inherits every orphan below it, so that its children, asked for again and again, are all there is. The program itself dies
 * with the keeper (PDEATHSIG).
 */
#include "vassal/tasks/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "shared/base.h"
#include "shared/clock.h"

#define KILL_POLL_MS 20 /* orphans come to us without a signal */
#define EXIT_EXEC    127

struct keeper {
	const char *command;
	bool detaches;
	uint64_t limit_as;
	int signal_fd;
	bool front_gone;
	bool started, ended; /* the program itself */
	pid_t pid;
	int status;
	bool killing;
	uint64_t kill_at_ns; /* 0: nobody has asked */
};

static void say(struct keeper *k, enum keeper_kind kind, int value)
{
	struct keeper_msg m = {.kind = kind, .value = value};

	/* a front that does not read has more serious troubles; one that is gone shows when we read */
	if (!k->front_gone)
		(void)send(KEEPER_CONTROL_FD, &m, sizeof(m), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* -- children --------------------------------------------------------------------------------------------- */

typedef void child_fn(pid_t pid, int sig);

static void send_signal(pid_t pid, int sig)
{
	(void)kill(pid, sig);
}

/* The kernel's list of our children, the program and every orphan it left. Without it: the program's group. */
static void each_child(const struct keeper *k, child_fn *fn, int sig)
{
	FILE *f = fopen("/proc/thread-self/children", "re");
	char *line = NULL;
	size_t size = 0;

	if (!f) {
		if (k->pid > 0)
			(void)kill(-k->pid, sig);
		return;
	}
	if (getline(&line, &size, f) > 0) {
		char *p = line, *end;
		long pid;

		for (; (pid = strtol(p, &end, 10)) > 1 && end != p; p = end)
			fn((pid_t)pid, sig);
	}
	free(line);
	(void)fclose(f);
}

/* To the program; when it has gone, to what it left (a daemon that has detached itself). */
static void signal_program(const struct keeper *k, int sig)
{
	if (k->started && !k->ended)
		(void)kill(k->pid, sig);
	else
		each_child(k, send_signal, sig);
}

static void end_all(struct keeper *k, int sig, uint64_t grace_ms)
{
	each_child(k, send_signal, sig);
	if (!k->kill_at_ns)
		k->kill_at_ns = clock_now_ns() + grace_ms * NS_PER_MS;
}

static void on_end_of_program(struct keeper *k, int status)
{
	k->ended = true;
	k->status = status;
	if (!k->detaches || status != 0)
		end_all(k, SIGTERM, KEEPER_GRACE_MS);
}

/* False: nothing is left. */
static bool reap(struct keeper *k)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == k->pid)
			on_end_of_program(k, status);
	return pid == 0;
}

/* -- the start -------------------------------------------------------------------------------------------- */

static void run_program(const struct keeper *k, pid_t keeper)
{
	const struct rlimit as = {k->limit_as, k->limit_as};
	sigset_t none;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != keeper)
		_exit(EXIT_EXEC);
	(void)setpgid(0, 0);
	for (int i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (k->limit_as)
		(void)setrlimit(RLIMIT_AS, &as);
	(void)execl("/bin/sh", "sh", "-c", k->command, (char *)NULL);
	(void)fprintf(stderr, "cannot execute /bin/sh: %s\n", strerror(errno));
	_exit(EXIT_EXEC);
}

static int start(struct keeper *k)
{
	pid_t self = getpid();

	k->pid = fork();
	if (k->pid < 0)
		return -errno;
	if (k->pid == 0)
		run_program(k, self);
	/* both sides, so that the group is there whoever comes first */
	(void)setpgid(k->pid, k->pid);
	k->started = true;
	say(k, KEEPER_STARTED, (int)k->pid);
	return 0;
}

/* -- the loop --------------------------------------------------------------------------------------------- */

static void obey(struct keeper *k, const struct keeper_msg *m)
{
	if (m->kind == KEEPER_SIGNAL && m->value > 0 && m->value < NSIG) {
		signal_program(k, m->value);
	} else if (m->kind == KEEPER_KILL) {
		k->killing = true;
		k->kill_at_ns = clock_now_ns();
	}
}

static void read_control(struct keeper *k)
{
	struct keeper_msg m;
	ssize_t n;

	while ((n = recv(KEEPER_CONTROL_FD, &m, sizeof(m), MSG_DONTWAIT)) == (ssize_t)sizeof(m))
		obey(k, &m);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		k->front_gone = true;
		end_all(k, SIGTERM, KEEPER_GRACE_MS);
	}
}

static int patience_ms(const struct keeper *k)
{
	uint64_t now_ns = clock_now_ns();

	if (k->killing)
		return KILL_POLL_MS;
	if (!k->kill_at_ns)
		return -1;
	return k->kill_at_ns <= now_ns ? 0 : (int)((k->kill_at_ns - now_ns) / NS_PER_MS) + 1;
}

static void wait_for_news(struct keeper *k)
{
	struct pollfd fds[] = {{.fd = k->signal_fd, .events = POLLIN},
			       {.fd = k->front_gone ? -1 : KEEPER_CONTROL_FD, .events = POLLIN}};
	struct signalfd_siginfo info;

	(void)poll(fds, ARRAY_SIZE(fds), patience_ms(k));
	if (fds[0].revents)
		(void)!read(k->signal_fd, &info, sizeof(info));
	if (fds[1].revents)
		read_control(k);
}

static void keep(struct keeper *k)
{
	while (reap(k)) {
		if (k->kill_at_ns && k->kill_at_ns <= clock_now_ns())
			k->killing = true;
		if (k->killing)
			each_child(k, send_signal, SIGKILL);
		wait_for_news(k);
	}
}

static int prepare(struct keeper *k)
{
	sigset_t all;

	/* a signal for the program's group, or a terminal's, is not for us; SIGKILL is */
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	(void)sigemptyset(&all);
	(void)sigaddset(&all, SIGCHLD);
	k->signal_fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	(void)fcntl(KEEPER_CONTROL_FD, F_SETFD, FD_CLOEXEC);
	return k->signal_fd < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
	struct keeper k = {0};
	int r;

	if (argc != KEEPER_ARGS) {
		(void)fprintf(stderr, "keeper: only a front starts it\n");
		return 2;
	}
	k.detaches = str_eq(argv[KEEPER_ARG_DETACHES], "1");
	k.limit_as = strtoull(argv[KEEPER_ARG_LIMIT_AS], NULL, 10);
	k.command = argv[KEEPER_ARG_COMMAND];
	r = prepare(&k);
	if (r == 0)
		r = start(&k);
	if (r == 0)
		keep(&k);
	else
		(void)fprintf(stderr, "cannot be started: %s\n", strerror(-r));
	if (k.ended)
		say(&k, KEEPER_ENDED, k.status);
	return r < 0 ? 1 : 0;
}
