/*
 * listen - opens a listening socket. Nonblocking, CLOEXEC.
 */
#pragma once
#include "shared/address.h"

struct listen_options {
	int backlog;       /* clamped to somaxconn; *ret_clamped tells */
	bool defer_accept; /* TCP_DEFER_ACCEPT: HTTP clients speak first */
	mode_t mode;       /* UNIX sockets: chmod to this; 0 = 0666 */
	uid_t owner_uid;   /* UNIX sockets: chown, (uid_t)-1 = leave */
	gid_t owner_gid;
	uid_t bind_uid; /* UNIX sockets are bound with this fsuid/fsgid (root only); (uid_t)-1 = as we are */
	gid_t bind_gid;
};

/*
 * UNIX: a stale socket (nobody accepts) is replaced; a live one is -EADDRINUSE; any other kind of file in the way,
 * or a symbolic link, is an error and is not removed.
 */
int listen_open(const struct address *a, const struct listen_options *o, int *ret_fd,
		bool *ret_clamped, struct err *err);

/* Removes the UNIX socket's name if it is still the one this descriptor was bound to. */
void listen_unlink(int fd);
