/*
 * listen - opens a listening socket. Nonblocking, CLOEXEC.
 */
#pragma once
#include "shared/address.h"
#include "shared/privs.h"

struct listen_options {
	int backlog;       /* clamped to somaxconn; *ret_clamped tells */
	bool defer_accept; /* TCP_DEFER_ACCEPT: clients speak first */
	mode_t mode;       /* UNIX sockets: chmod to this; 0 = 0666 */
	uid_t owner_uid;   /* UNIX sockets: chown, (uid_t)-1 = leave */
	gid_t owner_gid;
	uid_t bind_uid; /* UNIX sockets are bound with this fsuid/fsgid (root only); (uid_t)-1 = as we are */
	gid_t bind_gid;
	gid_t bind_groups[PRIVS_GROUPS]; /* that user's others */
	size_t bind_groups_n;
};

/*
 * UNIX: a stale socket (nobody accepts) is replaced; a live one is -EADDRINUSE; any other kind of file in the way,
 * or a symbolic link, is an error and is not removed.
 */
int listen_open(const struct address *a, const struct listen_options *o, int *ret_fd,
		bool *ret_clamped, struct err *err);

/*
 * As listen_open. *ret_name_fd: an O_PATH descriptor of the inode that bind made, -1 if it has no name in the file system.
 * It is taken with the binder's rights in the moment of binding: looked up later, the name could be anybody's.
 */
int listen_open_named(const struct address *a, const struct listen_options *o, int *ret_fd,
		      int *ret_name_fd, bool *ret_clamped, struct err *err);

/*
 * Changes what can be changed while connections wait: backlog, who speaks first, mode and owner of the name. name_fd from
 * listen_open_named(), -1: none. was: how it was opened, or last changed. Only what differs is touched.
 */
int listen_adjust(int fd, int name_fd, const struct address *a, const struct listen_options *was,
		  const struct listen_options *now, struct err *err);

/*
 * Has somebody who shares this listener shut it down? accept() says EINVAL of a TCP socket then, but EAGAIN for ever of a
 * UNIX socket that does not block, while poll reports it readable: a loop that does not ask would spin.
 */
bool listen_is_shut(int fd);

/*
 * Removes the UNIX socket's name if it is still the one this descriptor was bound to. With our own rights: for names in
 * directories of our own.
 */
void listen_unlink(int fd);

/*
 * The same for a name that was made as another user: with that user's rights and no others, so that whatever its
 * directory is swapped for meanwhile, nothing goes that the user could not have removed itself. name_fd, made: as
 * listen_adjust() knows them.
 */
void listen_remove(int name_fd, const struct address *a, const struct listen_options *made);
