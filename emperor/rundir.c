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

#define PIDFILE "emperor.pid"

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

static int lock(const char *path, int *ret_fd, struct err *err)
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
	r = write_pid(fd, path, err);
	if (r < 0)
		return r;
	*ret_fd = TAKE_FD(fd);
	return 0;
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
