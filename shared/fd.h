/*
 * fd - small helpers around descriptors. Every descriptor made here is CLOEXEC.
 */
#pragma once
#include "shared/base.h"
#include <sys/types.h>
#include <sys/uio.h>

struct err;

#define FD_SEND_MAX 32 /* descriptors in one message; SCM_MAX_FD is 253, ours never need more */

int fd_set_nonblock(int fd, bool on);
int fd_set_cloexec(int fd, bool on);

/* A connected SOCK_SEQPACKET pair, both ends nonblocking if asked. 0 or -errno. */
int fd_seqpacket_pair(int ret_fds[2], bool nonblock);

/*
 * One message with descriptors (SCM_RIGHTS). Returns bytes sent or -errno (-EAGAIN, -ETOOMANYREFS among them).
 * Never raises SIGPIPE.
 */
ssize_t fd_send(int sock, const struct iovec *iov, int iovcnt, const int *fds, int nfds);

/*
 * One message. Returns its length, 0 at end of file, or -errno. -EMSGSIZE when data or descriptors were cut
 * (every descriptor that did arrive is closed). *ret_nfds: in the room in fds, out the number received; -1 with
 * -EMSGSIZE when the process had no descriptor left to receive into.
 */
ssize_t fd_recv(int sock, void *buf, size_t size, int *fds, int *ret_nfds);

/* A memfd with these bytes, sealed against any change (WRITE, SHRINK, GROW, SEAL). 0 or -errno. */
int fd_sealed_memfd(int *ret_fd, const char *name, const void *data, size_t n);

/* Maps a whole sealed memfd of at most max bytes read-only; refuses one that could still shrink. */
int fd_map_sealed(int fd, size_t max, const void **ret_data, size_t *ret_n, struct err *err);

/*
 * Is it of a file system whose every answer may take its time, an open, an fstat or a close too, since a network or a
 * program gives it? Asking takes it as well.
 */
bool fd_is_far(int fd);

/*
 * A whole file, from where fd stands: at most max bytes, then -EFBIG. -EINVAL: what could keep a reader waiting (a FIFO, a
 * socket), or a directory; -errno. fd < 0 is returned as it is. *ret_text: malloc'ed, the caller's, no NUL behind.
 */
int fd_read_file(int fd, size_t max, char **ret_text, size_t *ret_n);

/* write() until all is out or an error. For files and pipes that may block. 0 or -errno. */
int fd_write_all(int fd, const void *data, size_t n);
