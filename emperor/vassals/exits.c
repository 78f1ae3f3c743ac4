/*
 * exits - see exits.h.
 *
 * After an upgrade by exec the children are still ours, but the loop that waited for them is gone: those that ended
 * meanwhile are reaped here, and for the others both ways are open. Whichever comes first stops the other.
 *
 * That a process cannot be opened does not mean that it has ended: descriptors may be few just now. Then it is looked for
 * again until it can be opened or is gone.
 */
#include "emperor/vassals/exits.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "shared/fd.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

#define START_FIELD 20  /* of /proc/PID/stat, counted from the state (proc(5)) */
#define LOOK_S      1.0 /* without a pidfd; fewer descriptors are used by then, or it has ended */

/* -ESRCH: there is no such process. */
static int read_file(pid_t pid, const char *name, char *buf, size_t size)
{
	_cleanup_(fd_closep) int fd = -1;
	char path[64];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return n > 0 ? 0 : -ESRCH;
}

int exits_identify(pid_t pid, struct exits_identity *ret)
{
	char text[2048];
	char *at;
	int r = read_file(pid, "stat", text, sizeof(text));

	if (r < 0)
		return r;
	at = strrchr(text, ')'); /* its name may hold anything */
	for (int i = 0; at && i < START_FIELD; i++)
		at = strchr(at + 1, ' ');
	if (!at)
		return -EPROTO;
	ret->start = strtoull(at + 1, NULL, 10);
	/* Not the owner of /proc/PID: of a process that nobody may look into, that is root. */
	r = read_file(pid, "status", text, sizeof(text));
	if (r < 0)
		return r;
	at = strstr(text, "\nUid:");
	if (!at)
		return -EPROTO;
	ret->uid = (uid_t)strtoul(at + sizeof("\nUid:") - 1, NULL, 10);
	return 0;
}

static bool is_same(const struct exits_identity *a, const struct exits_identity *b)
{
	return a->start == b->start && a->uid == b->uid;
}

int exits_open(pid_t pid, const struct exits_identity *is)
{
	_cleanup_(fd_closep) int fd = -1;
	struct exits_identity now;
	int r;

	if (pid <= 0)
		return -ESRCH;
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return errno == EINVAL ? -ESRCH : -errno; /* no process, but a thread by now */
	/* From here on the number is this process's as long as it lives; whether it is the one that is meant: */
	r = exits_identify(pid, &now);
	if (r < 0)
		return r;
	return is_same(&now, is) ? TAKE_FD(fd) : -ESRCH;
}

int exits_signal_other(pid_t pid, const struct exits_identity *is, int number)
{
	_cleanup_(fd_closep) int pidfd = exits_open(pid, is);

	if (pidfd < 0)
		return pidfd;
	return syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0) < 0 ? -errno : 0;
}

void exits_stop(struct exits *x)
{
	if (x->pid == 0)
		return;
	ev_child_stop(x->loop, &x->child);
	ev_io_stop(x->loop, &x->io);
	ev_timer_stop(x->loop, &x->look);
	if (x->pidfd > 0)
		(void)close(x->pidfd);
	x->pidfd = 0;
	x->pid = 0;
}

static void tell(struct exits *x, int status)
{
	exits_stop(x);
	x->fn(x, status);
}

static void on_child(struct ev_loop *loop, ev_child *w, int revents)
{
	struct exits *x = container_of(w, struct exits, child);

	(void)loop;
	(void)revents;
	tell(x, w->rstatus);
}

static void on_pidfd(struct ev_loop *loop, ev_io *w, int revents)
{
	struct exits *x = container_of(w, struct exits, io);
	siginfo_t si = {0};

	(void)loop;
	(void)revents;
	if (ev_is_pending(&x->child))
		return; /* it knows how */
	if (waitid((idtype_t)P_PIDFD, (id_t)x->pidfd, &si, WEXITED | WNOHANG) < 0 || si.si_pid == 0)
		tell(x, EXITS_UNKNOWN);
	else
		tell(x, si.si_code == CLD_EXITED ? W_EXITCODE(si.si_status, 0)
						 : W_EXITCODE(0, si.si_status));
}

static void watch_pidfd(struct exits *x, int pidfd)
{
	x->pidfd = pidfd;
	ev_io_set(&x->io, pidfd, EV_READ);
	ev_io_start(x->loop, &x->io);
}

static void on_look(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct exits *x = container_of(w, struct exits, look);
	int pidfd = exits_open(x->pid, &x->is);

	(void)revents;
	if (pidfd == -ESRCH && !ev_is_pending(&x->child)) {
		tell(x, EXITS_UNKNOWN);
	} else if (pidfd >= 0) {
		ev_timer_stop(loop, w);
		watch_pidfd(x, pidfd);
	}
}

static void begin(struct exits *x, struct ev_loop *loop, pid_t pid, exits_fn *fn)
{
	*x = (struct exits){.loop = loop, .fn = fn, .pid = pid};
	ev_child_init(&x->child, on_child, pid, 0);
	ev_init(&x->io, on_pidfd);
	ev_init(&x->look, on_look);
	x->look.repeat = LOOK_S;
	ev_child_start(loop, &x->child);
}

void exits_watch(struct exits *x, struct ev_loop *loop, pid_t pid, exits_fn *fn)
{
	begin(x, loop, pid, fn);
}

void exits_adopt(struct exits *x, struct ev_loop *loop, pid_t pid, const struct exits_identity *is,
		 int pidfd, exits_fn *fn)
{
	begin(x, loop, pid, fn);
	x->is = *is;
	if (pidfd >= 0)
		watch_pidfd(x, pidfd);
	else
		ev_timer_again(loop, &x->look);
}

/* One that cannot be opened may have ended since the last look. Who has its number now is told where that can be told. */
static bool is_another(const struct exits *x)
{
	struct exits_identity now;
	int r = ev_is_active(&x->look) ? exits_identify(x->pid, &now) : -EAGAIN;

	return r == -ESRCH || (r == 0 && !is_same(&now, &x->is));
}

void exits_signal(const struct exits *x, int number)
{
	if (x->pidfd > 0)
		(void)syscall(SYS_pidfd_send_signal, x->pidfd, number, NULL, 0);
	else if (x->pid > 0 && !is_another(x))
		(void)kill(x->pid, number);
}
