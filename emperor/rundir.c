/*
 * rundir - see rundir.h.
 */
#include "emperor/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "shared/err.h"
#include "shared/limits.h"

#define PIDFILE    "emperor.pid"
#define LOCK_TRIES 16 /* each lost one is another emperor's end */

static int make_dir(const char *path, struct err *err)
{
	struct stat st;

	if (mkdir(path, geteuid() == 0 ? 0755 : 0700) < 0 && errno != EEXIST)
		return err_set(err, -errno, "%s: cannot be made: %s", path, strerror(errno));
	/* lstat: in /tmp somebody else could have put a link there. */
	if (lstat(path, &st) < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return err_set(err, -ENOTDIR, "%s: is not a directory", path);
	if (st.st_uid != geteuid())
		return err_set(err, -EPERM, "%s: belongs to uid %u, not to us", path,
			       (unsigned)st.st_uid);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return err_set(err, -EPERM, "%s: others may write it (chmod go-w)", path);
	return 0;
}

static int write_pid(int fd, const char *path, struct err *err)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	return 0;
}

/* An emperor that stops takes the name away, then lets the lock go: we may have waited at a file that no one else finds. */
static bool is_still(int fd, const char *path)
{
	struct stat ours, there;

	return fstat(fd, &ours) == 0 && lstat(path, &there) == 0 && ours.st_dev == there.st_dev &&
	       ours.st_ino == there.st_ino;
}

/* 1: what was locked is not the pidfile any more. */
static int try_lock(const char *path, int *ret_fd, struct err *err)
{
	_cleanup_(fd_closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	int r;

	if (fd < 0)
		return err_set(err, -errno, "%s: cannot be opened: %s", path, strerror(errno));
	if (lockf(fd, F_TLOCK, 0) < 0) {
		char text[24] = "";
		ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

		text[strcspn(text, "\n")] = '\0';
		return err_set(err, -EBUSY, "%s: another emperor is running there (pid %s)", path,
			       n > 0 ? text : "unknown");
	}
	if (!is_still(fd, path))
		return 1;
	r = write_pid(fd, path, err);
	if (r < 0)
		return r;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int lock(const char *path, int *ret_fd, struct err *err)
{
	for (unsigned i = 0; i < LOCK_TRIES; i++) {
		int r = try_lock(path, ret_fd, err);

		if (r <= 0)
			return r;
	}
	return err_set(err, -EBUSY, "%s: is replaced again and again", path);
}

int rundir_open(const char *path, struct rundir *ret, struct err *err)
{
	struct rundir d = {.lock_fd = -1};
	char pidfile[PATH_MAX];
	int r = make_dir(path, err);

	if (r < 0)
		return r;
	d.path = realpath(path, NULL);
	if (!d.path)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	rundir_file(&d, PIDFILE, pidfile, sizeof(pidfile));
	r = lock(pidfile, &d.lock_fd, err);
	if (r < 0) {
		free(d.path);
		return r;
	}
	*ret = d;
	return 0;
}

void rundir_file(const struct rundir *d, const char *name, char *buf, size_t size)
{
	(void)snprintf(buf, size, "%s/%s", d->path, name);
}

static void pid_path(const struct rundir *d, const char *name, char *buf, size_t size)
{
	char file[LIMIT_NAME];

	(void)snprintf(file, sizeof(file), "%s.pid", name);
	rundir_file(d, file, buf, size);
}

int rundir_put_pid(const struct rundir *d, const char *name, pid_t pid, struct err *err)
{
	_cleanup_(fd_closep) int fd = -1;
	char path[PATH_MAX];
	char text[24];
	int n = snprintf(text, sizeof(text), "%d\n", (int)pid);

	pid_path(d, name, path, sizeof(path));
	if (pid <= 0)
		return unlink(path) < 0 && errno != ENOENT
			       ? err_set(err, -errno, "%s: %s", path, strerror(errno))
			       : 0;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 || write(fd, text, (size_t)n) != n)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	return 0;
}

/* Up to size - 1 bytes of a small file, terminated. */
static bool read_small(const char *path, char *buf, size_t size)
{
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	buf[MAX(n, 0)] = '\0';
	return n > 0;
}

pid_t rundir_find_pid(const struct rundir *d, const char *name)
{
	char path[PATH_MAX];
	char text[64];
	char want[64];
	long pid;

	pid_path(d, name, path, sizeof(path));
	if (!read_small(path, text, sizeof(text)))
		return 0;
	pid = strtol(text, NULL, 10);
	if (pid <= 0 || pid > INT_MAX)
		return 0;
	/* Pids are used again: it must be what we started. */
	(void)snprintf(path, sizeof(path), "/proc/%ld/cmdline", pid);
	(void)snprintf(want, sizeof(want), "emperor: %s", name);
	return read_small(path, text, sizeof(text)) && str_eq(text, want) ? (pid_t)pid : 0;
}

void rundir_close(struct rundir *d)
{
	char pidfile[PATH_MAX];

	if (!d->path)
		return;
	rundir_file(d, PIDFILE, pidfile, sizeof(pidfile));
	/* Before the lock goes: afterwards it could be a successor's. */
	(void)unlink(pidfile);
	(void)close(d->lock_fd);
	free(d->path);
	*d = (struct rundir){.lock_fd = -1};
}
