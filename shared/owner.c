/*
 * owner - see owner.h.
 */
#include "shared/owner.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

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
