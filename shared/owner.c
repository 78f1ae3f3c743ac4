/*
 * owner - see owner.h.
 */
#include "shared/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

bool owner_is_root_alone(const struct stat *st)
{
	if (st->st_uid != 0 || (st->st_mode & S_IWOTH))
		return false;
	return !(st->st_mode & S_IWGRP) || st->st_gid == 0;
}

bool owner_of_dir_is_root_alone(const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	struct stat st;
	int n;

	if (path[0] == '\0')
		return false;
	n = snprintf(dir, sizeof(dir), "%.*s", slash ? (int)MAX(slash - path, (ptrdiff_t)1) : 1,
		     slash ? path : ".");
	return n < PATH_MAX && stat(dir, &st) == 0 && owner_is_root_alone(&st);
}

/* The directory that is checked is the directory that is used. */
int owner_open_dir_of_root(const char *path)
{
	const struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	const char *slash = strrchr(path, '/');
	_cleanup_(fd_closep) int fd = -1;
	char dir[PATH_MAX];
	struct stat st;

	if (path[0] != '/' || slash[1] == '\0')
		return -EACCES;
	if (snprintf(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int)(slash - path), path) >=
	    PATH_MAX)
		return -ENAMETOOLONG;
	fd = (int)syscall(SYS_openat2, AT_FDCWD, dir, &how, sizeof(how));
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return owner_is_root_alone(&st) ? TAKE_FD(fd) : -EACCES;
}
