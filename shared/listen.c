/*
 * listen - see listen.h.
 *
 * A UNIX socket's name is made in a directory that may belong to an app's user, by a process that may be root. So the
 * name is made with that user's rights, and chmod and chown go to the inode that bind made, checked by number: whoever
 * swaps the name for a link in between gains nothing.
 */
#include "shared/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>

#include "shared/err.h"
#include "shared/fd.h"
#include "shared/privs.h"

/* A client that sends nothing for so long is handed to accept all the same. Linux counts in SYN-ACKs: after 1 + 2 s. */
#define DEFER_ACCEPT_S   3
#define SOMAXCONN_LIMIT  4096 /* Linux' default since 5.4, when /proc does not say */
#define LISTEN_MODE_UNIX 0666

static long kernel_says(const char *path, long otherwise)
{
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[32];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return otherwise;
	text[n] = '\0';
	return strtol(text, NULL, 10);
}

static int somaxconn(void)
{
	long v = kernel_says("/proc/sys/net/core/somaxconn", SOMAXCONN_LIMIT);

	return v > 0 && v <= INT32_MAX ? (int)v : SOMAXCONN_LIMIT;
}

/*
 * Without cookies the mute fill the backlog of those that are being opened, where no limit of ours reaches them. Where no
 * file tells of cookies the kernel may have none.
 */
static void defer_accept(int fd, bool wanted)
{
	int s = wanted && kernel_says("/proc/sys/net/ipv4/tcp_syncookies", 0) != 0 ? DEFER_ACCEPT_S
										   : 0;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &s, sizeof(s));
}

static int new_socket(int family, struct err *err, int *ret_fd)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_set(err, -errno, "socket: %s", strerror(errno));
	*ret_fd = fd;
	return 0;
}

/* Does anyone accept there? Decides between a socket that a crash left behind and one in use. */
static bool is_alive(const struct address *a)
{
	_cleanup_(fd_closep) int fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return true;
	if (connect(fd, &a->sa, a->len) == 0)
		return true;
	/* A full backlog (EAGAIN) or no permission to ask: someone is there, or we may not judge. */
	return errno != ECONNREFUSED;
}

static int clear_stale(const struct address *a, struct err *err)
{
	const char *path = a->un.sun_path;
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_set(err, -errno, "%s: %s", path, strerror(errno));
	if (S_ISLNK(st.st_mode))
		return err_set(err, -ELOOP,
			       "%s: is a symbolic link; a socket is never bound through one", path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, -EEXIST, "%s: is in the way and is no socket; not removed",
			       path);
	if (is_alive(a))
		return err_set(err, -EADDRINUSE, "%s: another process listens there", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_set(err, -errno, "%s: stale socket cannot be removed: %s", path,
			       strerror(errno));
	return 0;
}

/* Opens the directory of a path and returns what is left of the path; NULL: it cannot be. */
static const char *open_dir_of(const char *path, int *ret_dir_fd)
{
	const char *slash = strrchr(path, '/');
	char dir[sizeof(((struct sockaddr_un *)0)->sun_path) + 1] = ".";

	if (slash)
		(void)snprintf(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int)(slash - path),
			       path);
	*ret_dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return *ret_dir_fd < 0 ? NULL : slash ? slash + 1 : path;
}

/*
 * Only while the name stands for this inode; name_fd keeps its number from being used again. The directory that was
 * looked into is the one that is written.
 */
static void remove_name(int name_fd, const char *path)
{
	_cleanup_(fd_closep) int dir_fd = -1;
	const char *base = open_dir_of(path, &dir_fd);
	struct stat ours, there;

	if (base && fstat(name_fd, &ours) == 0 &&
	    fstatat(dir_fd, base, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	    ours.st_dev == there.st_dev && ours.st_ino == there.st_ino)
		(void)unlinkat(dir_fd, base, 0);
}

/*
 * Makes the name with the rights of whoever is to own it, and returns a descriptor of it that cannot be swapped. chmod
 * happens here too, so that the kernel refuses it for a socket which is not that user's.
 */
static int make_name(int fd, const struct address *a, mode_t mode, int *ret_path_fd,
		     bool *ret_refused, struct err *err)
{
	const char *path = a->un.sun_path;
	_cleanup_(fd_closep) int path_fd = -1;
	char proc[64];
	struct stat st;
	int r = clear_stale(a, err);

	if (r < 0)
		return r;
	if (bind(fd, &a->sa, a->len) < 0) {
		*ret_refused = errno == EACCES;
		return err_set(err, -errno, "%s: cannot bind: %s", path, strerror(errno));
	}
	path_fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (path_fd < 0 || fstat(path_fd, &st) < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, -EEXIST, "%s: was replaced while it was being made", path);
	(void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", path_fd);
	if (chmod(proc, mode ? mode : LISTEN_MODE_UNIX) < 0) {
		r = err_set(err, -errno, "%s: chmod: %s", path, strerror(errno));
		remove_name(path_fd, path);
		return r;
	}
	*ret_path_fd = TAKE_FD(path_fd);
	return 0;
}

/* With our own rights, which may be root's: only for a name that is still the binding user's. */
static int give_name(int path_fd, const char *path, const struct listen_options *o, struct err *err)
{
	uid_t expected = o->bind_uid == (uid_t)-1 || geteuid() != 0 ? geteuid() : o->bind_uid;
	struct stat st;

	if (o->owner_uid == (uid_t)-1 && o->owner_gid == (gid_t)-1)
		return 0;
	if (fstat(path_fd, &st) < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	if (st.st_uid != expected)
		return err_set(err, -EEXIST, "%s: was replaced while it was being made", path);
	if (fchownat(path_fd, "", o->owner_uid, o->owner_gid, AT_EMPTY_PATH) < 0)
		return err_set(err, -errno, "%s: chown: %s", path, strerror(errno));
	return 0;
}

static int enter_binder(const struct listen_options *o, struct privs_fs *ret_was)
{
	return privs_fs_enter(o->bind_uid, o->bind_gid, o->bind_groups, o->bind_groups_n, ret_was);
}

/* "Permission denied" alone leaves people looking at the socket; it is the directory, and whose rights were too few. */
static int say_refusal(const char *path, const struct listen_options *o, struct err *err)
{
	uid_t uid = o->bind_uid == (uid_t)-1 || geteuid() != 0 ? geteuid() : o->bind_uid;
	const char *slash = strrchr(path, '/');
	char name[PRIVS_NAME];

	privs_user_name(uid, name);
	return err_set(err, -EACCES, "%s: cannot bind: user %s may not create files in %.*s", path,
		       name,
		       !slash          ? 1
		       : slash == path ? 1
				       : (int)(slash - path),
		       slash ? path : ".");
}

static int bind_path(int fd, const struct address *a, const struct listen_options *o,
		     int *ret_name_fd, struct err *err)
{
	const char *path = a->un.sun_path;
	_cleanup_(fd_closep) int path_fd = -1;
	bool refused = false;
	struct privs_fs was;
	int r = enter_binder(o, &was);

	if (r < 0)
		return err_set(err, r, "%s: cannot act as uid %u: %s", path, (unsigned)o->bind_uid,
			       strerror(-r));
	r = make_name(fd, a, o->mode, &path_fd, &refused, err);
	privs_fs_leave(&was);
	if (refused)
		return say_refusal(path, o, err);
	if (r == 0)
		r = give_name(path_fd, path, o, err);
	if (r < 0) {
		listen_remove(path_fd, a, o);
		return r;
	}
	*ret_name_fd = TAKE_FD(path_fd);
	return 0;
}

static int open_unix(const struct address *a, const struct listen_options *o, int *ret_fd,
		     int *ret_name_fd, struct err *err)
{
	_cleanup_(fd_closep) int fd = -1;
	int r = new_socket(AF_UNIX, err, &fd);

	if (r < 0)
		return r;
	if (a->un.sun_path[0] != '\0') {
		r = bind_path(fd, a, o, ret_name_fd, err);
		if (r < 0)
			return r;
	} else if (bind(fd, &a->sa, a->len) < 0) {
		return err_set(err, -errno, "@%s: cannot bind: %s", a->un.sun_path + 1,
			       strerror(errno));
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int open_tcp(const struct address *a, const struct listen_options *o, int *ret_fd,
		    struct err *err)
{
	_cleanup_(fd_closep) int fd = -1;
	int on = 1;
	int off = 0;
	int r = new_socket(a->sa.sa_family, err, &fd);

	if (r < 0)
		return r;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return err_set(err, -errno, "SO_REUSEADDR: %s", strerror(errno));
	/* Inherited by every accepted connection: one call here instead of one for each of them. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	defer_accept(fd, o->defer_accept);
	if (a->sa.sa_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, a->any ? &off : &on, sizeof(on)) < 0)
		return err_set(err, -errno, "IPV6_V6ONLY: %s", strerror(errno));
	if (bind(fd, &a->sa, a->len) < 0) {
		char text[ADDRESS_TEXT];

		r = -errno;
		address_format(a, text);
		return err_set(err, r, "%s: cannot bind: %s", text, strerror(-r));
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* ":port": both families on one socket; a machine without IPv6 gets 0.0.0.0. */
static int open_any(const struct address *a, const struct listen_options *o, int *ret_fd,
		    struct err *err)
{
	in_port_t port = a->sa.sa_family == AF_INET6 ? a->in6.sin6_port : a->in.sin_port;
	struct address six = {.len = sizeof(six.in6), .any = true};
	struct address four = {.len = sizeof(four.in), .any = true};
	int r;

	six.in6 = (struct sockaddr_in6){
		.sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = IN6ADDR_ANY_INIT};
	four.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
	r = open_tcp(&six, o, ret_fd, err);
	if (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL || r == -EINVAL || r == -ENOPROTOOPT)
		r = open_tcp(&four, o, ret_fd, err);
	return r;
}

static int open_bound(const struct address *a, const struct listen_options *o, int *ret_fd,
		      int *ret_name_fd, struct err *err)
{
	switch (a->len > 0 ? a->sa.sa_family : AF_UNSPEC) {
	case AF_UNIX:
		return open_unix(a, o, ret_fd, ret_name_fd, err);
	case AF_INET:
	case AF_INET6:
		return a->any ? open_any(a, o, ret_fd, err) : open_tcp(a, o, ret_fd, err);
	default:
		return err_set(err, -EAFNOSUPPORT, "not an address to listen on");
	}
}

int listen_open_named(const struct address *a, const struct listen_options *o, int *ret_fd,
		      int *ret_name_fd, bool *ret_clamped, struct err *err)
{
	_cleanup_(fd_closep) int fd = -1;
	_cleanup_(fd_closep) int name_fd = -1;
	int most = somaxconn();
	int backlog = o->backlog > 0 && o->backlog < most ? o->backlog : most;
	int r = open_bound(a, o, &fd, &name_fd, err);

	if (r < 0)
		return r;
	if (listen(fd, backlog) < 0) {
		char text[ADDRESS_TEXT];

		r = -errno;
		address_format(a, text);
		listen_remove(name_fd, a, o);
		return err_set(err, r, "%s: cannot listen: %s", text, strerror(-r));
	}
	if (ret_clamped)
		*ret_clamped = o->backlog > most;
	*ret_fd = TAKE_FD(fd);
	*ret_name_fd = TAKE_FD(name_fd);
	return 0;
}

int listen_open(const struct address *a, const struct listen_options *o, int *ret_fd,
		bool *ret_clamped, struct err *err)
{
	_cleanup_(fd_closep) int name_fd = -1;

	return listen_open_named(a, o, ret_fd, &name_fd, ret_clamped, err);
}

/* Whose the name is to be: the named owner's, else whoever binds it. */
static uid_t name_uid(const struct listen_options *o)
{
	uid_t binder = o->bind_uid == (uid_t)-1 || geteuid() != 0 ? geteuid() : o->bind_uid;

	return o->owner_uid == (uid_t)-1 ? binder : o->owner_uid;
}

static gid_t name_gid(const struct listen_options *o)
{
	gid_t binder = o->bind_gid == (gid_t)-1 || geteuid() != 0 ? getegid() : o->bind_gid;

	return o->owner_gid == (gid_t)-1 ? binder : o->owner_gid;
}

static int adjust_name(int name_fd, const char *path, const struct listen_options *was,
		       const struct listen_options *now, struct err *err)
{
	uid_t uid = name_uid(now);
	gid_t gid = name_gid(now);
	mode_t mode = now->mode ? now->mode : LISTEN_MODE_UNIX;
	char proc[64];
	struct stat st;

	if (fstat(name_fd, &st) < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	/* The directory may be the app's own: what stands there is only ours if it has the owner that we gave it. */
	if (st.st_uid != name_uid(was))
		return err_set(err, -EEXIST, "%s: its owner was changed by somebody else: left so",
			       path);
	(void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", name_fd);
	if (mode != (was->mode ? was->mode : LISTEN_MODE_UNIX) && chmod(proc, mode) < 0)
		return err_set(err, -errno, "%s: chmod: %s", path, strerror(errno));
	if ((uid != name_uid(was) || gid != name_gid(was)) &&
	    fchownat(name_fd, "", uid, gid, AT_EMPTY_PATH) < 0)
		return err_set(err, -errno, "%s: chown: %s", path, strerror(errno));
	return 0;
}

int listen_adjust(int fd, int name_fd, const struct address *a, const struct listen_options *was,
		  const struct listen_options *now, struct err *err)
{
	int most = somaxconn();

	if (now->backlog != was->backlog &&
	    listen(fd, now->backlog > 0 && now->backlog < most ? now->backlog : most) < 0)
		return err_set(err, -errno, "listen: %s", strerror(errno));
	/* whatever it was: one that was kept over an upgrade may be an older build's */
	if (a->sa.sa_family != AF_UNIX)
		defer_accept(fd, now->defer_accept);
	return name_fd >= 0 ? adjust_name(name_fd, a->un.sun_path, was, now, err) : 0;
}

bool listen_is_shut(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};

	return poll(&p, 1, 0) == 1 && p.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL);
}

void listen_unlink(int fd)
{
	struct sockaddr_un un = {0};
	socklen_t len = sizeof(un);
	struct address a = {.un.sun_family = AF_UNIX};
	_cleanup_(fd_closep) int dir_fd = -1;
	const char *base;
	struct stat st;
	int n;

	if (getsockname(fd, (struct sockaddr *)&un, &len) < 0 || un.sun_family != AF_UNIX)
		return;
	if (len <= offsetof(struct sockaddr_un, sun_path) || un.sun_path[0] == '\0')
		return;
	/* Not NUL-terminated when the path fills it. */
	if (len >= sizeof(un) && un.sun_path[sizeof(un.sun_path) - 1] != '\0')
		return;
	/* One directory throughout, whatever its name comes to mean meanwhile. */
	base = open_dir_of(un.sun_path, &dir_fd);
	if (!base || fstatat(dir_fd, base, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISSOCK(st.st_mode))
		return;
	n = snprintf(a.un.sun_path, sizeof(a.un.sun_path), "/proc/self/fd/%d/%s", dir_fd, base);
	if (n < 0 || (size_t)n >= sizeof(a.un.sun_path))
		return; /* cannot be asked: it stays, and the next one to bind there replaces it */
	/*
	 * A socket's own inode is not that of its name, so ours is told from a successor's by asking: as long as
	 * this descriptor listens, a connection there would arrive here. Closing it first makes the question plain.
	 */
	(void)shutdown(fd, SHUT_RDWR);
	a.len = sizeof(a.un);
	if (!is_alive(&a))
		(void)unlinkat(dir_fd, base, 0);
}

void listen_remove(int name_fd, const struct address *a, const struct listen_options *made)
{
	struct privs_fs was;

	if (name_fd < 0 || a->sa.sa_family != AF_UNIX || a->un.sun_path[0] == '\0')
		return;
	/* In a sticky directory only a name's owner removes it. The inode is the binder's own, whatever its name is now. */
	if (geteuid() == 0 && made->bind_uid != (uid_t)-1 && made->owner_uid != (uid_t)-1)
		(void)!fchownat(name_fd, "", made->bind_uid, (gid_t)-1, AT_EMPTY_PATH);
	if (enter_binder(made, &was) < 0)
		return;
	remove_name(name_fd, a->un.sun_path);
	privs_fs_leave(&was);
}
