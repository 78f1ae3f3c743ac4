/*
 * static_open - see static_open.h.
 */
#include "vassal/front/static_open.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "shared/fd.h"

#define TRIES_MAX  16
#define READ_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) /* a FIFO must not stop us */

static int open_how(int root_fd, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = {.flags = flags, .resolve = resolve};
	unsigned tries = 0;
	long fd;

	/* a link with ".." in it is given up when anything at all was renamed meanwhile: asked again it is found */
	do
		fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	while (fd < 0 && errno == EAGAIN && !(resolve & RESOLVE_CACHED) && ++tries < TRIES_MAX);
	return fd < 0 ? -errno : (int)fd;
}

/* What an O_PATH descriptor stands for, to be read. */
static int open_itself(int fd, int flags)
{
	char self[64];
	int r;

	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	r = open(self, flags);
	return r < 0 ? -errno : r;
}

/* Without openat2: segment by segment, and no segment may be a link. */
static int walk(int root_fd, const char *path)
{
	_cleanup_(fd_closep) int dir = fcntl(root_fd, F_DUPFD_CLOEXEC, 3);

	while (dir >= 0) {
		size_t n = strcspn(path, "/");
		char segment[NAME_MAX + 1];
		int next;

		if (n > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(segment, path, n);
		segment[n] = '\0';
		if (strcmp(segment, "..") == 0)
			return -EXDEV;
		next = openat(dir, segment,
			      path[n] ? O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
				      : READ_FLAGS | O_NOFOLLOW);
		if (next < 0)
			return -errno;
		if (!path[n])
			return next;
		fd_closep(&dir);
		dir = next;
		path += n + 1;
	}
	return -errno;
}

/* The absolute path of what is open. */
static bool name_of(int fd, char buf[PATH_MAX])
{
	char self[64];
	ssize_t n;

	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	n = readlink(self, buf, PATH_MAX - 1);
	if (n <= 0 || buf[0] != '/')
		return false;
	buf[n] = '\0';
	return true;
}

/* name, if it is below the directory that dir_fd stands for: below it, and without a further link. */
static int open_if_below(int dir_fd, const char *name)
{
	char dir[PATH_MAX];
	size_t n;

	if (!name_of(dir_fd, dir))
		return -EXDEV;
	n = strcmp(dir, "/") == 0 ? 0 : strlen(dir);
	if (strncmp(name, dir, n) != 0)
		return -EXDEV;
	if (name[n] == '\0')
		return open_itself(dir_fd, READ_FLAGS);
	if (name[n] != '/')
		return -EXDEV;
	return open_how(dir_fd, name + n + 1, READ_FLAGS,
			RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS);
}

/*
 * A link leads outside, or is absolute. Where to is looked at without opening it; only a name below the directory itself or
 * a safe one is opened.
 */
static int open_safe(int root_fd, const char *path, const struct option_list *safe)
{
	_cleanup_(fd_closep) int probe =
		open_how(root_fd, path, O_PATH | O_CLOEXEC, RESOLVE_NO_MAGICLINKS);
	char name[PATH_MAX];
	int fd;

	if (probe < 0)
		return TAKE_FD(probe);
	if (!name_of(probe, name))
		return -EXDEV;
	fd = open_if_below(root_fd, name);
	for (size_t i = 0; fd == -EXDEV && safe && i < safe->n; i++) {
		_cleanup_(fd_closep) int dir = open(safe->v[i], O_PATH | O_CLOEXEC);

		fd = dir < 0 ? -EXDEV : open_if_below(dir, name);
	}
	return fd;
}

static bool is_unknown_call(int error)
{
	/* old filters of containers say EPERM to calls that they do not know */
	return error == -ENOSYS || error == -EPERM;
}

int static_open(int root_fd, const char *path, const struct option_list *safe, bool cached_only)
{
	const uint64_t below = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
	int fd;

	if (path[0] == '\0')
		return open_itself(root_fd, READ_FLAGS);
	if (cached_only) {
		fd = open_how(root_fd, path, READ_FLAGS, below | RESOLVE_CACHED | RESOLVE_NO_XDEV);
		/* EINVAL: before Linux 5.12; EXDEV: what is mounted there may be far; the others ask more of the disk */
		if (fd == -EINVAL || is_unknown_call(fd) || fd == -EXDEV)
			return -EAGAIN;
		return fd;
	}
	fd = open_how(root_fd, path, READ_FLAGS, below);
	if (is_unknown_call(fd))
		return walk(root_fd, path);
	if (fd == -EXDEV)
		return open_safe(root_fd, path, safe);
	return fd;
}

int static_open_root(const char *path, bool cached_only)
{
	int fd = cached_only ? open_how(AT_FDCWD, path, O_PATH | O_CLOEXEC, RESOLVE_CACHED) : -1;

	if (!cached_only) {
		fd = open(path, O_PATH | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	return fd == -EINVAL || is_unknown_call(fd) ? -EAGAIN : fd;
}

int static_open_device(int fd, dev_t *ret)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
		return -errno;
	*ret = makedev(st.stx_dev_major, st.stx_dev_minor);
	return 0;
}
