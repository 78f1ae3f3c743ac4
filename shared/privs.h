/*
 * privs - who a process is to be: looks users and groups up (in the parent, which may block on NSS) and becomes them
 * (in the child, between fork and exec, with async-signal-safe calls only).
 */
#pragma once
#include "shared/base.h"
#include "shared/limits.h"
#include <sys/types.h>

struct err;

#define PRIVS_GROUPS 64
#define PRIVS_NAME   256

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
int privs_lookup(const char *uid, const char *gid, char *const *add, size_t add_n,
		 struct privs *ret, struct err *err);
/* For messages: the user's name, else "uid 123". May ask NSS. */
void privs_user_name(uid_t uid, char buf[static PRIVS_NAME]);

/* setgroups, setgid, setuid in that order, then checks that they cannot be taken back. 0 or -errno. */
int privs_become(const struct privs *p);

/*
 * Files seen with another user's eyes, in this thread only: a root emperor opens what an app names (log files, UNIX
 * sockets) with no more rights than the app has. enter does nothing when we are not root or uid is -1. Never nested.
 */
struct privs_fs {
	bool entered;
	int groups_n;
	gid_t groups[PRIVS_GROUPS];
};
int privs_fs_enter(uid_t uid, gid_t gid, const gid_t *groups, size_t groups_n,
		   struct privs_fs *ret_was);
/* Back again; aborts if the kernel refuses, for then every later file would be opened as the wrong user. */
void privs_fs_leave(const struct privs_fs *was);
