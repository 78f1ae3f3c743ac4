/*
 * spawn - see spawn.h.
 *
 * The front has threads, so between fork and exec only async-signal-safe calls are made: everything
 * that allocates is prepared before. Signals are blocked over the fork: a handler of the loop would
 * otherwise write to the parent's own wake-up descriptor from the child.
 */
#include "vassal/pool/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "shared/base.h"
#include "shared/err.h"
#include "shared/handoff.h"
#include "vassal/exchange/crew.h"

#define FIRST_FREE_FD (CREW_BOARD_FD + 1)
#define REPORT_FD     FIRST_FREE_FD /* CLOEXEC: says errno when exec fails */
#define ABOVE_FD      32            /* where descriptors wait until all targets are free */

enum child_step { STEP_FDS, STEP_GROUP, STEP_LIMIT, STEP_EXEC };

struct child_report {
	int step, error;
};

static const char *const step_names[] = {
	[STEP_FDS] = "cannot set up descriptors",
	[STEP_GROUP] = "cannot make a process group",
	[STEP_LIMIT] = "limit-as",
	[STEP_EXEC] = "cannot execute",
};

/* The emperor's handoff is the front's alone: an app that starts `vassal` itself must not look like
 * a front. */
static char **engine_environ(void)
{
	size_t n = 0, kept = 0;
	char **env;

	while (environ[n])
		n++;
	env = calloc(n + 1, sizeof(*env));
	for (size_t i = 0; env && i < n; i++)
		if (strncmp(environ[i], HANDOFF_ENV "=", sizeof(HANDOFF_ENV)) != 0)
			env[kept++] = environ[i];
	return env;
}

static int place_fds(const int fds[FIRST_FREE_FD + 1])
{
	int waiting[FIRST_FREE_FD + 1];

	/* First all of them out of the way: a source may have the number of another's target. */
	for (int i = 0; i <= FIRST_FREE_FD; i++) {
		waiting[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, ABOVE_FD);
		if (waiting[i] < 0)
			return -errno;
	}
	for (int i = 0; i < FIRST_FREE_FD; i++)
		if (dup2(waiting[i], i) < 0)
			return -errno;
	if (dup3(waiting[REPORT_FD], REPORT_FD, O_CLOEXEC) < 0)
		return -errno;
	/* All of ours are born CLOEXEC; this is for those of libraries. Kernels before 5.9 do not
	 * know it. */
	(void)close_range(REPORT_FD + 1, ~0U, 0);
	return 0;
}

static void default_signals(void)
{
	struct sigaction sa = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		(void)sigaction(i, &sa, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void report_and_leave(int fd, enum child_step step, int error)
{
	struct child_report r = {step, error};

	(void)!write(fd, &r, sizeof(r));
	_exit(127);
}

__attribute__((noreturn)) static void run_child(const struct spawn_setup *s,
						const int fds[FIRST_FREE_FD + 1],
						char *const argv[], char *const env[])
{
	int r = place_fds(fds);

	if (r < 0)
		report_and_leave(fds[REPORT_FD], STEP_FDS, -r);
	if (setpgid(0, 0) < 0)
		report_and_leave(REPORT_FD, STEP_GROUP, errno);
	default_signals();
	if (s->limit_as_bytes) {
		struct rlimit rl = {s->limit_as_bytes, s->limit_as_bytes};

		if (setrlimit(RLIMIT_AS, &rl) < 0)
			report_and_leave(REPORT_FD, STEP_LIMIT, errno);
	}
	(void)execve(s->path, argv, env);
	report_and_leave(REPORT_FD, STEP_EXEC, errno);
	_exit(127);
}

static int await_exec(const char *path, pid_t pid, int report_fd, struct err *err)
{
	struct child_report report;
	ssize_t n;

	do
		n = read(report_fd, &report, sizeof(report));
	while (n < 0 && errno == EINTR);
	if (n == 0) /* closed by exec */
		return 0;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (n != (ssize_t)sizeof(report) || report.step < STEP_FDS || report.step > STEP_EXEC)
		return err_set(err, -EIO, "%s: died before it ran", path);
	return err_set(err, -report.error, "%s: %s: %s", path, step_names[report.step],
		       strerror(report.error));
}

static pid_t fork_quietly(sigset_t *ret_old)
{
	sigset_t all;
	pid_t pid;
	int saved;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, ret_old);
	pid = fork();
	saved = errno;
	if (pid != 0)
		(void)pthread_sigmask(SIG_SETMASK, ret_old, NULL);
	errno = saved;
	return pid;
}

int spawn_engine(const struct spawn_setup *setup, pid_t *ret_pid, struct err *err)
{
	_cleanup_(fd_closep) int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	_cleanup_(freep) char **env = engine_environ();
	char *argv[] = {(char *)(uintptr_t)setup->title, NULL};
	int pipe_fds[2] = {-1, -1};
	sigset_t old;
	pid_t pid;
	int r;

	if (!env)
		return err_set(err, -ENOMEM, "out of memory");
	if (null_fd < 0 || pipe2(pipe_fds, O_CLOEXEC) < 0)
		return err_set(err, -errno, "cannot start an engine: %s", strerror(errno));

	_cleanup_(fd_closep) int report_fd = pipe_fds[0];
	_cleanup_(fd_closep) int child_report_fd = pipe_fds[1];
	const int fds[FIRST_FREE_FD + 1] = {
		[STDIN_FILENO] = null_fd,
		[STDOUT_FILENO] = setup->output_fd,
		[STDERR_FILENO] = setup->output_fd,
		[CREW_MOLD_FD] = setup->mold_fd,
		[CREW_CONFIG_FD] = setup->config_fd,
		[CREW_EXCHANGE_FD] = setup->exchange_fd,
		[CREW_EVENT_FD] = setup->event_fd,
		[CREW_BOARD_FD] = setup->board_fd,
		[REPORT_FD] = child_report_fd,
	};

	pid = fork_quietly(&old);
	if (pid < 0)
		return err_set(err, -errno, "cannot fork an engine: %s", strerror(errno));
	if (pid == 0)
		run_child(setup, fds, argv, env);
	(void)close(TAKE_FD(child_report_fd));
	r = await_exec(setup->path, pid, report_fd, err);
	if (r == 0)
		*ret_pid = pid;
	return r;
}
