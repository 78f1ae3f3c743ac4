/*
 * minder - the parent of one program that runs beside an app (vassal/tasks/minder.h). Started by a front, with the app's
 * rights.
 *
 * It exists for one promise: nothing that the program has started outlives the app, however the front ends. As a subreaper it
 * inherits every orphan below it, so that its children, asked for again and again, are all there is. The program itself dies
 * with the minder (PDEATHSIG).
 */
#include "vassal/tasks/minder.h"

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

struct minder {
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

static void say(struct minder *md, enum minder_kind kind, int value)
{
	struct minder_msg m = {.kind = kind, .value = value};

	/* a front that does not read has more serious troubles; one that is gone shows when we read */
	if (!md->front_gone)
		(void)send(MINDER_CONTROL_FD, &m, sizeof(m), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* -- children --------------------------------------------------------------------------------------------- */

typedef void child_fn(pid_t pid, int sig);

static void send_signal(pid_t pid, int sig)
{
	(void)kill(pid, sig);
}

/* The kernel's list of our children, the program and every orphan it left. Without it: the program's group. */
static void each_child(const struct minder *md, child_fn *fn, int sig)
{
	FILE *f = fopen("/proc/thread-self/children", "re");
	char *line = NULL;
	size_t size = 0;

	if (!f) {
		if (md->pid > 0)
			(void)kill(-md->pid, sig);
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
static void signal_program(const struct minder *md, int sig)
{
	if (md->started && !md->ended)
		(void)kill(md->pid, sig);
	else
		each_child(md, send_signal, sig);
}

static void end_all(struct minder *md, int sig, uint64_t grace_ms)
{
	each_child(md, send_signal, sig);
	if (!md->kill_at_ns)
		md->kill_at_ns = clock_now_ns() + grace_ms * NS_PER_MS;
}

static void on_end_of_program(struct minder *md, int status)
{
	md->ended = true;
	md->status = status;
	if (!md->detaches || status != 0)
		end_all(md, SIGTERM, MINDER_GRACE_MS);
}

/* False: nothing is left. */
static bool reap(struct minder *md)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == md->pid)
			on_end_of_program(md, status);
	return pid == 0;
}

/* -- the start -------------------------------------------------------------------------------------------- */

static void run_program(const struct minder *md, pid_t minder)
{
	const struct rlimit as = {md->limit_as, md->limit_as};
	sigset_t none;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != minder)
		_exit(EXIT_EXEC);
	(void)setpgid(0, 0);
	for (int i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (md->limit_as)
		(void)setrlimit(RLIMIT_AS, &as);
	(void)execl("/bin/sh", "sh", "-c", md->command, (char *)NULL);
	(void)fprintf(stderr, "cannot execute /bin/sh: %s\n", strerror(errno));
	_exit(EXIT_EXEC);
}

static int start(struct minder *md)
{
	pid_t self = getpid();

	md->pid = fork();
	if (md->pid < 0)
		return -errno;
	if (md->pid == 0)
		run_program(md, self);
	/* both sides, so that the group is there whoever comes first */
	(void)setpgid(md->pid, md->pid);
	md->started = true;
	say(md, MINDER_STARTED, (int)md->pid);
	return 0;
}

/* -- the loop --------------------------------------------------------------------------------------------- */

static void obey(struct minder *md, const struct minder_msg *m)
{
	if (m->kind == MINDER_SIGNAL && m->value > 0 && m->value < NSIG) {
		signal_program(md, m->value);
	} else if (m->kind == MINDER_KILL) {
		md->killing = true;
		md->kill_at_ns = clock_now_ns();
	}
}

static void read_control(struct minder *md)
{
	struct minder_msg m;
	ssize_t n;

	while ((n = recv(MINDER_CONTROL_FD, &m, sizeof(m), MSG_DONTWAIT)) == (ssize_t)sizeof(m))
		obey(md, &m);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		md->front_gone = true;
		end_all(md, SIGTERM, MINDER_GRACE_MS);
	}
}

static int patience_ms(const struct minder *md)
{
	uint64_t now_ns = clock_now_ns();

	if (md->killing)
		return KILL_POLL_MS;
	if (!md->kill_at_ns)
		return -1;
	return md->kill_at_ns <= now_ns ? 0 : (int)((md->kill_at_ns - now_ns) / NS_PER_MS) + 1;
}

static void wait_for_news(struct minder *md)
{
	struct pollfd fds[] = {{.fd = md->signal_fd, .events = POLLIN},
			       {.fd = md->front_gone ? -1 : MINDER_CONTROL_FD, .events = POLLIN}};
	struct signalfd_siginfo info;

	(void)poll(fds, ARRAY_SIZE(fds), patience_ms(md));
	if (fds[0].revents)
		(void)!read(md->signal_fd, &info, sizeof(info));
	if (fds[1].revents)
		read_control(md);
}

static void mind(struct minder *md)
{
	while (reap(md)) {
		if (md->kill_at_ns && md->kill_at_ns <= clock_now_ns())
			md->killing = true;
		if (md->killing)
			each_child(md, send_signal, SIGKILL);
		wait_for_news(md);
	}
}

static int prepare(struct minder *md)
{
	sigset_t all;

	/* a signal for the program's group, or a terminal's, is not for us; SIGKILL is */
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	(void)sigemptyset(&all);
	(void)sigaddset(&all, SIGCHLD);
	md->signal_fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	(void)fcntl(MINDER_CONTROL_FD, F_SETFD, FD_CLOEXEC);
	return md->signal_fd < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
	struct minder md = {0};
	int r;

	if (argc != MINDER_ARGS) {
		(void)fprintf(stderr, "minder: only a front starts it\n");
		return 2;
	}
	md.detaches = str_eq(argv[MINDER_ARG_DETACHES], "1");
	md.limit_as = strtoull(argv[MINDER_ARG_LIMIT_AS], NULL, 10);
	md.command = argv[MINDER_ARG_COMMAND];
	r = prepare(&md);
	if (r == 0)
		r = start(&md);
	if (r == 0)
		mind(&md);
	else
		(void)fprintf(stderr, "cannot be started: %s\n", strerror(-r));
	if (md.ended)
		say(&md, MINDER_ENDED, md.status);
	return r < 0 ? 1 : 0;
}
