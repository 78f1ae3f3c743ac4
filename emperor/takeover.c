/*
 * takeover - see takeover.h.
 */
#include "emperor/takeover.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "emperor/briefing.h"
#include "emperor/emperor.h"
#include "emperor/keeper/keeper.h"
#include "emperor/vassals/exits.h"
#include "emperor/vassals/legacy.h"
#include "emperor/vassals/vassals.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/log.h"

#define ORPHAN_MS 4000 /* the gate has LIMIT_GATE_STOP_S for those in its hands */
#define UPGRADE_S 0.05 /* whoever asked for it has its answer by then */

/*
 * An emperor that was killed together with its keeper, or before it had told it anything, leaves roles that nobody can
 * speak to any more, with our ports. The gate answers who is in its hands, and ends.
 */
static void end_orphan(const struct emperor *e, enum role_id id)
{
	pid_t pid = rundir_find_pid(&e->rundir, briefing_role_name(id));
	struct exits_identity is;
	struct pollfd p = {.fd = -1, .events = POLLIN};

	if (pid <= 0 || exits_identify(pid, &is) < 0)
		return;
	p.fd = exits_open(pid, &is);
	if (p.fd == -ESRCH)
		return;
	log_warning("%s (pid %d) has outlived an emperor and its keeper: ended",
		    briefing_role_name(id), (int)pid);
	(void)kill(pid, SIGCONT);
	(void)kill(pid, SIGTERM);
	if (poll(&p, 1, ORPHAN_MS) == 0) {
		(void)kill(pid, SIGKILL);
		(void)poll(&p, 1, ORPHAN_MS);
	}
	if (p.fd >= 0)
		(void)close(p.fd);
}

int takeover_fetch(struct emperor *e, struct err *err)
{
	pid_t pid = rundir_find_pid(&e->rundir, briefing_role_name(ROLE_ID_KEEPER));
	int r;

	/* Somebody may have stopped it; then it could not answer. */
	if (pid > 0)
		(void)kill(pid, SIGCONT);
	r = legacy_fetch(e->rundir.path, &e->legacy, err);
	if (r < 0)
		return r;
	if (!e->legacy) {
		for (unsigned i = 0; i < ROLE_ID_COUNT; i++)
			end_orphan(e, (enum role_id)i);
		return 0;
	}
	e->keeper_fd = takeover_socket(e, KEPT_KNOCK, "");
	log_info("an emperor before left %zu descriptors: taking over", legacy_count(e->legacy));
	return 0;
}

void takeover_listen(struct emperor *e)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if ((size_t)snprintf(un.sun_path, sizeof(un.sun_path), "%s/" KEEPER_SOCKET,
			     e->rundir.path) >= sizeof(un.sun_path)) {
		errno = ENAMETOOLONG;
	} else {
		/* Nobody else may put anything here: the directory is ours. */
		(void)unlink(un.sun_path);
		if (fd >= 0 && bind(fd, (struct sockaddr *)&un, sizeof(un)) == 0 &&
		    chmod(un.sun_path, 0600) == 0 && listen(fd, 1) == 0) {
			e->keeper_fd = fd;
			return;
		}
	}
	log_warning("%s/" KEEPER_SOCKET
		    ": %s: if this emperor is killed, the next one cannot take over from it",
		    e->rundir.path, strerror(errno));
	if (fd >= 0)
		(void)close(fd);
}

int takeover_socket(struct emperor *e, const char *what, const char *name)
{
	char text[KEPT_NAME_MAX];
	_cleanup_(fd_closep) int fd = -1;
	int on = 0;
	socklen_t n = sizeof(on);

	(void)snprintf(text, sizeof(text), "%s%s", what, name);
	fd = legacy_take(e->legacy, text, NULL);
	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &n) < 0 || !on)
		return -1;
	return TAKE_FD(fd);
}

/* One of another build ends, and a new one comes: it hears its own word for it, and TERM for the case that it does not. */
static void end_role(enum role_id id, pid_t pid, const struct exits_identity *is, int link_fd)
{
	const struct role_msg stop = {.kind = roles_stop_kind(id)};
	const struct exits x = {.pid = pid, .pidfd = exits_open(pid, is)};

	(void)role_send(link_fd, &stop, NULL, NULL, 0);
	if (x.pidfd == -ESRCH)
		return;
	exits_signal(&x, SIGCONT);
	exits_signal(&x, SIGTERM);
	if (x.pidfd >= 0)
		(void)close(x.pidfd);
}

static bool is_our_program(const struct stored *item)
{
	uint64_t device, inode;

	return briefing_program(&device, &inode) == 0 && item->c == device && item->d == inode;
}

static void adopt_role(struct emperor *e, enum role_id id)
{
	struct exits_identity is = {0};
	char name[KEPT_NAME_MAX];
	struct stored item;
	struct err err = {0};
	int fd, r;

	(void)snprintf(name, sizeof(name), KEPT_ROLE "%s", briefing_role_name(id));
	fd = legacy_take(e->legacy, name, &item);
	if (fd < 0)
		return;
	r = exits_identify((pid_t)item.a, &is);
	if (r < 0 || is.start != item.b) {
		if (r < 0 && r != -ESRCH)
			log_warning("%s (pid %d): who it is cannot be found out: %s",
				    briefing_role_name(id), (int)item.a, strerror(-r));
		(void)close(fd);
		return;
	}
	/* Of another build nobody knows what it means by what it says. */
	if (!is_our_program(&item)) {
		log_info("%s (pid %d): is of another build: another one follows",
			 briefing_role_name(id), (int)item.a);
		end_role(id, (pid_t)item.a, &is, fd);
		(void)close(fd);
		return;
	}
	if (roles_adopt(e->roles, id, (pid_t)item.a, &is, fd, &err) < 0)
		log_info("%s: another one follows", err.text);
}

static void adopt_keeper(struct emperor *e)
{
	struct exits_identity is = {0};
	struct ucred cred = {0};
	socklen_t n = sizeof(cred);
	struct err err = {0};
	int fd = legacy_take_link(e->legacy);
	pid_t pid = rundir_find_pid(&e->rundir, briefing_role_name(ROLE_ID_KEEPER));

	(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n);
	if (pid <= 0 || cred.uid != geteuid() || exits_identify(pid, &is) < 0) {
		/* It has given all it had; it ends with this, and a new one is told everything. */
		const struct role_msg stop = {.kind = KEEPER_STOP};

		(void)role_send(fd, &stop, NULL, NULL, 0);
		(void)close(fd);
		return;
	}
	if (roles_adopt(e->roles, ROLE_ID_KEEPER, pid, &is, fd, &err) < 0)
		log_info("%s: another one follows", err.text);
}

void takeover_adopt(struct emperor *e)
{
	bool takes_over = e->legacy != NULL;
	unsigned running;

	/* First the apps, while no role listens: they hear of apps as they are, not as they come to be known. */
	running = vassals_adopt(e->vassals);
	if (e->legacy) {
		adopt_keeper(e);
		adopt_role(e, ROLE_ID_GATE);
		adopt_role(e, ROLE_ID_STATS);
	}
	if (e->legacy || running > 0)
		log_info("%u apps run on", running);
	legacy_free(TAKE_PTR(e->legacy));
	briefing_birth(e, takes_over, running);
}

void takeover_close(struct emperor *e)
{
	char path[PATH_MAX];

	if (e->keeper_fd >= 0 && !e->legacy) {
		rundir_file(&e->rundir, KEEPER_SOCKET, path, sizeof(path));
		(void)unlink(path);
	}
	if (e->keeper_fd >= 0)
		(void)close(TAKE_FD(e->keeper_fd));
	legacy_free(TAKE_PTR(e->legacy));
	for (size_t i = 0; e->argv && e->argv[i]; i++)
		free(e->argv[i]);
	free(TAKE_PTR(e->argv));
	free(TAKE_PTR(e->upgrade_path));
}

static bool may_run(const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) < 0 || access(path, X_OK) < 0)
		(void)err_set(err, -errno, "%s: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		(void)err_set(err, -EACCES, "%s: is not a program", path);
	else if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & (S_IWGRP | S_IWOTH)))
		(void)err_set(err, -EPERM, "%s: others than root may write it", path);
	else
		return true;
	return false;
}

/* Where we were started from: if it is replaced already, the kernel says so behind the path. */
static void note_program(char *buf, size_t size)
{
	static const char deleted[] = " (deleted)";
	ssize_t n = readlink("/proc/self/exe", buf, size - 1);
	size_t tail = sizeof(deleted) - 1;

	buf[MAX(n, 0)] = '\0';
	if (n > 0 && (size_t)n > tail && str_eq(buf + n - tail, deleted))
		buf[(size_t)n - tail] = '\0';
}

static char **copy_strings(char **v)
{
	size_t n = 0;
	char **copy;

	while (v[n])
		n++;
	copy = calloc(n + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < n; i++)
		copy[i] = strdup(v[i]);
	return copy;
}

int takeover_note_args(struct emperor *e, char **argv)
{
	e->argv = copy_strings(argv);
	note_program(e->program, sizeof(e->program));
	return e->argv ? 0 : -ENOMEM;
}

/*
 * Everything closes here (CLOEXEC), the lock with it: whoever we are then finds what any successor finds. Signals wait
 * until it can hear them.
 */
static void become(const struct emperor *e)
{
	sigset_t all, was;

	log_info("becoming %s", e->upgrade_path);
	log_flush(1000);
	if (e->notify.path[0])
		(void)setenv("NOTIFY_SOCKET", e->notify.path, 1);
	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &was);
	(void)execve(e->upgrade_path, e->argv, environ);
	(void)sigprocmask(SIG_SETMASK, &was, NULL);
	log_error("%s: %s: this emperor goes on", e->upgrade_path, strerror(errno));
	(void)unsetenv("NOTIFY_SOCKET");
}

static void on_upgrade(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct emperor *e = container_of(timer, struct emperor, upgrade);

	(void)revents;
	ev_timer_stop(loop, timer);
	if (e->phase == EMPEROR_RUNNING)
		become(e);
}

/* The new emperor would not start without it, and this one would be gone by then. */
static bool has_vassal(const char *program, struct err *err)
{
	const char *slash = strrchr(program, '/');
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%.*svassal", slash ? (int)(slash + 1 - program) : 0,
		       program);
	if (access(path, X_OK) == 0)
		return true;
	(void)err_set(err, -errno, "%s: %s (it belongs beside the emperor)", path, strerror(errno));
	return false;
}

int takeover_upgrade(void *arg, const char *path, struct err *err)
{
	struct emperor *e = arg;
	char *copy;

	if (!may_run(path ? path : e->program, err) || !has_vassal(path ? path : e->program, err))
		return -EACCES;
	if (e->phase != EMPEROR_RUNNING || e->keeper_fd < 0 || !roles_ready(e->roles))
		return err_set(err, -EAGAIN,
			       "not now: gate, stats and keeper are not all there, or the emperor "
			       "stops");
	copy = strdup(path ? path : e->program);
	if (!copy)
		return err_set(err, -ENOMEM, "out of memory");
	free(e->upgrade_path);
	e->upgrade_path = copy;
	ev_timer_stop(e->loop, &e->upgrade);
	ev_timer_init(&e->upgrade, on_upgrade, UPGRADE_S, 0);
	ev_timer_start(e->loop, &e->upgrade);
	return 0;
}
