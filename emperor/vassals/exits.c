/*
 * exits - see exits.h.
 *
 * After an upgrade by exec the children are still ours, but the loop that waited for them is gone: those that ended
 * meanwhile are reaped here, and for the others both ways are open. Whichever comes first stops the other.
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

#define START_FIELD 20 /* of /proc/PID/stat, counted from the state (proc(5)) */

void exits_stop(struct exits *x)
{
	if (x->pid == 0)
		return;
	ev_child_stop(x->loop, &x->child);
	ev_io_stop(x->loop, &x->io);
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

static void begin(struct exits *x, struct ev_loop *loop, pid_t pid, exits_fn *fn)
{
	*x = (struct exits){.loop = loop, .fn = fn, .pid = pid};
	ev_child_init(&x->child, on_child, pid, 0);
	ev_init(&x->io, on_pidfd);
	ev_child_start(loop, &x->child);
}

void exits_watch(struct exits *x, struct ev_loop *loop, pid_t pid, exits_fn *fn)
{
	begin(x, loop, pid, fn);
}

void exits_adopt(struct exits *x, struct ev_loop *loop, pid_t pid, int pidfd, exits_fn *fn)
{
	begin(x, loop, pid, fn);
	x->pidfd = pidfd;
	ev_io_set(&x->io, pidfd, EV_READ);
	ev_io_start(loop, &x->io);
}

void exits_signal(const struct exits *x, int number)
{
	if (x->pidfd > 0)
		(void)syscall(SYS_pidfd_send_signal, x->pidfd, number, NULL, 0);
	else if (x->pid > 0)
		(void)kill(x->pid, number);
}

static bool read_file(pid_t pid, const char *name, char *buf, size_t size)
{
	_cleanup_(fd_closep) int fd = -1;
	char path[64];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, size - 1);
	buf[MAX(n, 0)] = '\0';
	return n > 0;
}

int exits_identify(pid_t pid, struct exits_identity *ret)
{
	char text[2048];
	char *at;

	if (!read_file(pid, "stat", text, sizeof(text)))
		return -ESRCH;
	at = strrchr(text, ')'); /* its name may hold anything */
	for (int i = 0; at && i < START_FIELD; i++)
		at = strchr(at + 1, ' ');
	if (!at)
		return -EPROTO;
	ret->start = strtoull(at + 1, NULL, 10);
	/* Not the owner of /proc/PID: of a process that nobody may look into, that is root. */
	if (!read_file(pid, "status", text, sizeof(text)))
		return -ESRCH;
	at = strstr(text, "\nUid:");
	if (!at)
		return -EPROTO;
	ret->uid = (uid_t)strtoul(at + sizeof("\nUid:") - 1, NULL, 10);
	return 0;
}

int exits_open(pid_t pid, const struct exits_identity *is)
{
	_cleanup_(fd_closep) int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	struct exits_identity now;

	if (fd < 0)
		return -ESRCH;
	/* From here on the number is this process's as long as it lives; whether it is the one that is meant: */
	if (exits_identify(pid, &now) < 0 || now.start != is->start || now.uid != is->uid)
		return -ESRCH;
	return TAKE_FD(fd);
}
