/*
 * spawn - see spawn.h.
 *
 * Between fork and exec only async-signal-safe calls: the log's writer thread may hold malloc's lock in the moment of
 * the fork. The order of steps matters: limits while we may still raise them, the user before its directories (root
 * must not enter for an app what its user could not), no_new_privs after the uid because it needs no privilege.
 */
#include "emperor/vassals/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "shared/err.h"
#include "shared/fd.h"
#include "shared/privs.h"

#define FIRST_FD 3

enum step {
	STEP_SESSION,
	STEP_GROUP,
	STEP_FDS,
	STEP_LIMITS,
	STEP_USER,
	STEP_PRIVS,
	STEP_CHDIR,
	STEP_EXEC,
	STEP_COUNT
};

#define WHAT_MAX 1024 /* a path that is longer is cut; and one write stays one message (PIPE_BUF) */

struct failure { /* what travels on the pipe */
	int step;
	int code;
	char what[WHAT_MAX]; /* "chdir /no/such/dir" */
};

_Static_assert(sizeof(struct failure) <= PIPE_BUF, "a failure is one write");

static void fresh_signals(void)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		(void)sigaction(i, &dfl,
				NULL); /* KILL, STOP and libc's own refuse; nothing is lost */
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Moves all out of the way first: a source may stand where another one must go. */
static int arrange_fds(const struct spawn *s, int *pipe_fd)
{
	int end = FIRST_FD + (int)s->fds_n;
	int high[SPAWN_FDS];
	int err_fd;
	int null_fd;

	*pipe_fd = fcntl(*pipe_fd, F_DUPFD_CLOEXEC, end + 1);
	if (*pipe_fd < 0)
		return -errno;
	err_fd = fcntl(s->stderr_fd > 0 ? s->stderr_fd : STDERR_FILENO, F_DUPFD_CLOEXEC, end + 1);
	for (size_t i = 0; i < s->fds_n; i++) {
		high[i] = fcntl(s->fds[i], F_DUPFD_CLOEXEC, end + 1);
		if (high[i] < 0)
			return -errno;
	}
	for (size_t i = 0; i < s->fds_n; i++)
		if (dup2(high[i], FIRST_FD + (int)i) < 0)
			return -errno;
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(err_fd, STDERR_FILENO) < 0 ||
	    dup2(err_fd, STDOUT_FILENO) < 0)
		return -errno;
	if (dup2(*pipe_fd, end) < 0)
		return -errno;
	*pipe_fd = end;
	if (fcntl(end, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	return close_range((unsigned)end + 1, ~0U, 0) < 0 ? -errno : 0;
}

static int set_limit(const struct spawn_limit *l, bool keep_hard)
{
	struct rlimit had, r;

	if (getrlimit(l->resource, &had) < 0)
		return -errno;
	r = had;
	if (geteuid() == 0)
		r.rlim_max = keep_hard ? MIN(l->value, had.rlim_max) : l->value;
	r.rlim_cur = MIN(l->value, r.rlim_max);
	if (setrlimit(l->resource, &r) == 0)
		return 0;
	if (errno != EPERM)
		return -errno;
	/* Root that may not raise it, as in a container: as much as there is. */
	r.rlim_cur = r.rlim_max = MIN(l->value, had.rlim_max);
	return setrlimit(l->resource, &r) < 0 ? -errno : 0;
}

/* *ret_at: which one it was. */
static int set_limits(const struct spawn *s, size_t *ret_at)
{
	for (size_t i = 0; i < s->limits_n; i++) {
		int r = set_limit(&s->limits[i], s->keep_hard);

		*ret_at = i;
		if (r < 0)
			return r;
	}
	return 0;
}

static bool may_raise(const struct spawn_limit *l)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = {0};
	char text[32] = "";
	unsigned long long most = 0;
	FILE *f;

	if (syscall(SYS_capget, &head, caps) < 0 ||
	    !(caps[CAP_TO_INDEX(CAP_SYS_RESOURCE)].effective & CAP_TO_MASK(CAP_SYS_RESOURCE)))
		return false;
	if (l->resource != RLIMIT_NOFILE)
		return true;
	/* Beyond this the kernel refuses everybody. */
	f = fopen("/proc/sys/fs/nr_open", "re");
	if (!f)
		return true;
	if (fgets(text, sizeof(text), f))
		most = strtoull(text, NULL, 10);
	(void)fclose(f);
	return most == 0 || l->value <= most;
}

rlim_t spawn_limit_value(const struct spawn_limit *l, bool keep_hard)
{
	struct rlimit r;

	if (getrlimit(l->resource, &r) < 0 || l->value <= r.rlim_max)
		return l->value;
	return geteuid() == 0 && !keep_hard && may_raise(l) ? l->value : r.rlim_max;
}

static int enter_dirs(const struct spawn *s)
{
	if ((!s->home_dir || chdir(s->home_dir) < 0) && chdir("/") < 0)
		return -errno;
	return s->chdir && chdir(s->chdir) < 0 ? -errno : 0;
}

/* Returns only to report: the step, and its negative errno. */
static enum step become(const struct spawn *s, int *pipe_fd, int *ret_code, size_t *ret_limit)
{
	fresh_signals();
	*ret_code = setsid() < 0 ? -errno : 0;
	if (*ret_code < 0)
		return STEP_SESSION;
	*ret_code = s->group_fd > 0 && write(s->group_fd, "0", 1) < 0 ? -errno : 0;
	if (*ret_code < 0)
		return STEP_GROUP;
	*ret_code = arrange_fds(s, pipe_fd);
	if (*ret_code < 0)
		return STEP_FDS;
	*ret_code = set_limits(s, ret_limit);
	if (*ret_code < 0)
		return STEP_LIMITS;
	if (s->umask != (mode_t)-1)
		(void)umask(s->umask);
	*ret_code = s->privs ? privs_become(s->privs) : 0;
	if (*ret_code < 0)
		return STEP_USER;
	*ret_code = s->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
	if (*ret_code < 0)
		return STEP_PRIVS;
	*ret_code = enter_dirs(s);
	if (*ret_code < 0)
		return STEP_CHDIR;
	(void)execve(s->path, s->argv, s->envp);
	*ret_code = -errno;
	return STEP_EXEC;
}

static const char *limit_name(int resource)
{
	switch (resource) {
	case RLIMIT_NOFILE:
		return "max-fd";
	case RLIMIT_NPROC:
		return "limit-nproc";
	case RLIMIT_AS:
		return "limit-as";
	case RLIMIT_NICE:
		return "prio";
	default:
		return "limit";
	}
}

/* What each step was asked to do, written before the fork: the child may not format. */
struct plan {
	char steps[STEP_COUNT][WHAT_MAX];
	char limits[SPAWN_LIMITS][64];
};

static void make_plan(const struct spawn *s, struct plan *p)
{
	const struct privs none = {.uid = (uid_t)-1, .gid = (gid_t)-1};
	const struct privs *u = s->privs ? s->privs : &none;

	memset(p, 0, sizeof(*p));
	for (size_t i = 0; i < s->limits_n; i++)
		(void)snprintf(p->limits[i], sizeof(p->limits[i]), "%s = %llu",
			       limit_name(s->limits[i].resource),
			       (unsigned long long)s->limits[i].value);
	(void)snprintf(p->steps[STEP_SESSION], WHAT_MAX, "a session of its own");
	(void)snprintf(p->steps[STEP_GROUP], WHAT_MAX, "enter its cgroup (limit-memory)");
	(void)snprintf(p->steps[STEP_FDS], WHAT_MAX, "%zu descriptors", s->fds_n);
	(void)snprintf(p->steps[STEP_USER], WHAT_MAX, "become uid %d, gid %d and %zu groups",
		       (int)u->uid, (int)u->gid, u->groups_n);
	(void)snprintf(p->steps[STEP_PRIVS], WHAT_MAX, "no_new_privs");
	(void)snprintf(p->steps[STEP_CHDIR], WHAT_MAX, "chdir %s", s->chdir ? s->chdir : "/");
	(void)snprintf(p->steps[STEP_EXEC], WHAT_MAX, "run %s", s->path);
}

_Noreturn static void child(const struct spawn *s, const struct plan *plan, int pipe_fd)
{
	struct failure f = {0};
	size_t limit = 0;
	enum step step = become(s, &pipe_fd, &f.code, &limit);
	const char *what = step == STEP_LIMITS ? plan->limits[limit] : plan->steps[step];

	f.step = (int)step;
	f.code = -f.code;
	memcpy(f.what, what, strlen(what));
	(void)!write(pipe_fd, &f, sizeof(f));
	_exit(127);
}

int spawn_start(const struct spawn *s, pid_t *ret_pid, int *ret_outcome_fd, struct err *err)
{
	_cleanup_(fd_closep) int read_fd = -1;
	_cleanup_(fd_closep) int write_fd = -1;
	struct plan plan;
	sigset_t all, was;
	int fds[2];
	pid_t pid;

	if (s->fds_n > SPAWN_FDS)
		return err_set(err, -E2BIG, "%zu descriptors for a child", s->fds_n);
	make_plan(s, &plan);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(err, -errno, "pipe: %s", strerror(errno));
	read_fd = fds[0];
	write_fd = fds[1];
	if (fd_set_nonblock(read_fd, true) < 0)
		return err_set(err, -errno, "pipe: %s", strerror(errno));
	/* No handler of ours may run in the child: it would write to the loop's own wake-up descriptor. */
	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &was);
	pid = fork();
	if (pid == 0)
		child(s, &plan, write_fd);
	(void)sigprocmask(SIG_SETMASK, &was, NULL);
	if (pid < 0)
		return err_set(err, -errno, "fork: %s", strerror(errno));
	*ret_pid = pid;
	*ret_outcome_fd = TAKE_FD(read_fd);
	return 0;
}

int spawn_outcome(int outcome_fd, struct err *err)
{
	struct failure f;
	ssize_t n = read(outcome_fd, &f, sizeof(f));

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (n == 0)
		return 1;
	if (n != (ssize_t)sizeof(f) || f.step < 0 || f.step >= STEP_COUNT || f.code <= 0)
		return err_set(err, -EPROTO,
			       "cannot be started: its report of failure is not readable");
	f.what[WHAT_MAX - 1] = '\0';
	return err_set(err, -f.code, "%s: %s", f.what, strerror(f.code));
}
