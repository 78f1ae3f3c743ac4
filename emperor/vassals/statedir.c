/*
 * statedir - see statedir.h. No fsync: the files serve an emperor that is killed, not a machine that loses power; after
 * that the processes they tell of are gone too.
 */
#include "emperor/vassals/statedir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "shared/buf.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/limits.h"

#define SUFFIX ".state"

int statedir_open(const char *run_dir, int *ret_dir_fd, struct err *err)
{
	_cleanup_(fd_closep) int fd = -1;
	char path[PATH_MAX];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/state", run_dir);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_set(err, -errno, "%s: cannot be made: %s", path, strerror(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return err_set(err, -EPERM, "%s: others may write it", path);
	*ret_dir_fd = TAKE_FD(fd);
	return 0;
}

static void file_name(const char *name, const char *before, char buf[LIMIT_NAME + 16])
{
	(void)snprintf(buf, LIMIT_NAME + 16, "%s%s" SUFFIX, before, name);
}

int statedir_write(int dir_fd, const char *name, struct span bytes, struct err *err)
{
	_cleanup_(fd_closep) int fd = -1;
	char fresh[LIMIT_NAME + 16];
	char file[LIMIT_NAME + 16];
	int r;

	file_name(name, ".new-", fresh);
	file_name(name, "", file);
	(void)unlinkat(dir_fd, fresh, 0);
	fd = openat(dir_fd, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	r = fd < 0 ? -errno : fd_write_all(fd, bytes.p, bytes.n);
	if (r == 0 && renameat(dir_fd, fresh, dir_fd, file) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(dir_fd, fresh, 0);
		return err_set(err, r, "state/%s: %s", file, strerror(-r));
	}
	return 0;
}

static int check(int fd, const char *file, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "state/%s: %s", file, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return err_set(err, -EPERM, "state/%s: others could have written it", file);
	return 0;
}

int statedir_read(int dir_fd, const char *name, struct buf *out, size_t max, struct err *err)
{
	_cleanup_(fd_closep) int fd = -1;
	char file[LIMIT_NAME + 16];
	int r;

	file_name(name, "", file);
	/* NONBLOCK: a pipe in its place is looked at, and not waited for. */
	fd = openat(dir_fd, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "state/%s: %s", file, strerror(errno));
	r = check(fd, file, err);
	while (r == 0) {
		char *p = buf_reserve(out, 4096, max + 4096);
		ssize_t n = p ? read(fd, p, 4096) : -1;

		if (!p || n < 0)
			return err_set(err, p ? -errno : -ENOMEM, "state/%s: %s", file,
				       p ? strerror(errno) : "out of memory");
		buf_commit(out, (size_t)n);
		if (out->n > max)
			return err_set(err, -EFBIG, "state/%s: larger than %zu bytes", file, max);
		if (n == 0)
			return 0;
	}
	return r;
}

void statedir_remove(int dir_fd, const char *name)
{
	char file[LIMIT_NAME + 16];

	file_name(name, "", file);
	(void)unlinkat(dir_fd, file, 0);
}

static bool take_name(const char *file, char name[LIMIT_NAME])
{
	size_t n = strlen(file);

	if (file[0] == '.' || n <= sizeof(SUFFIX) - 1 || n - (sizeof(SUFFIX) - 1) >= LIMIT_NAME ||
	    !str_eq(file + n - (sizeof(SUFFIX) - 1), SUFFIX))
		return false;
	(void)snprintf(name, LIMIT_NAME, "%.*s", (int)(n - (sizeof(SUFFIX) - 1)), file);
	return true;
}

int statedir_each(int dir_fd, void (*fn)(void *arg, const char *name), void *arg, struct err *err)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	unsigned n = 0;

	if (!d) {
		if (fd >= 0)
			(void)close(fd);
		return err_set(err, -errno, "state: %s", strerror(errno));
	}
	while (n < LIMIT_APPS && (entry = readdir(d))) {
		char name[LIMIT_NAME];

		if (!take_name(entry->d_name, name))
			continue;
		fn(arg, name);
		n++;
	}
	(void)closedir(d);
	return 0;
}
