/*
 * privs - who a process is to be: looks users and groups up (in the parent, which may block on NSS) and becomes them
 * (in the child, between fork and exec, with async-signal-safe calls only).
 */
#pragma once
#include <sys/types.h>
#include "shared/limits.h"
#include "shared/base.h"

struct err;

#define PRIVS_GROUPS 64

struct privs { /* zeroed but for uid = gid = -1: stay who you are */
	uid_t uid;
	gid_t gid;
	gid_t groups[PRIVS_GROUPS];
	size_t groups_n;
	bool set_groups;
};

/*
 * uid, gid: names or numbers, NULL = none. A uid without gid takes the user's own group; supplementary groups are the
 * user's (initgroups) plus add. When the caller is not root: -EPERM unless it is already that user.
 */
int privs_lookup(const char *uid, const char *gid, char *const *add, size_t add_n, struct privs *ret, struct err *err);
/* setgroups, setgid, setuid in that order, then checks that they cannot be taken back. 0 or -errno. */
int privs_become(const struct privs *p);
