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

/* The name of a UNIX socket that was just opened: an O_PATH descriptor, -1 if it has none or it was swapped. */
int listen_name(const struct address *a);

/*
 * Changes what can be changed while connections wait: backlog, who speaks first, mode and owner of the name. name_fd from
 * listen_name(), -1: none. was: how it was opened, or last changed. Only what differs is touched.
 */
int listen_adjust(int fd, int name_fd, const struct address *a, const struct listen_options *was,
		  const struct listen_options *now, struct err *err);

/*
 * Has somebody who shares this listener shut it down? accept() says EINVAL of a TCP socket then, but EAGAIN for ever of a
 * UNIX socket that does not block, while poll reports it readable: a loop that does not ask would spin.
 */
bool listen_is_shut(int fd);

/* Removes the UNIX socket's name if it is still the one this descriptor was bound to. */
void listen_unlink(int fd);
