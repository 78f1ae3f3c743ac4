/*
 * fd - see fd.h.
 */
#include "shared/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "shared/err.h"

int fd_set_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

int fd_set_cloexec(int fd, bool on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) < 0 ? -errno : 0;
}

int fd_seqpacket_pair(int ret_fds[2], bool nonblock)
{
	int type = SOCK_SEQPACKET | SOCK_CLOEXEC | (nonblock ? SOCK_NONBLOCK : 0);

	return socketpair(AF_UNIX, type, 0, ret_fds) < 0 ? -errno : 0;
}

ssize_t fd_send(int sock, const struct iovec *iov, int iovcnt, const int *fds, int nfds)
{
	union {
		char buf[CMSG_SPACE(FD_SEND_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov,
			     .msg_iovlen = (size_t)iovcnt};
	ssize_t n;

	if (nfds > FD_SEND_MAX)
		return -E2BIG;
	if (nfds > 0) {
		struct cmsghdr *c;

		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE((size_t)nfds * sizeof(int));
		memset(control.buf, 0, msg.msg_controllen);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN((size_t)nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, (size_t)nfds * sizeof(int));
	}
	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* How many came; those beyond the room are closed at once. */
static int take_fds(struct msghdr *msg, int *fds, int room)
{
	int got = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (got < room)
				fds[got] = fd;
			else
				(void)close(fd);
			got++;
		}
	}
	return got;
}

/*
 * A UNIX socket tells first that its peer left something unread (ECONNRESET, once), and only then gives what the peer
 * had sent before it went. Those last words count.
 */
static ssize_t receive(int sock, struct msghdr *msg)
{
	bool told = false;
	ssize_t n;

	do {
		n = recvmsg(sock, msg, MSG_CMSG_CLOEXEC);
		if (n >= 0 || (errno != EINTR && (errno != ECONNRESET || told)))
			return n;
		told |= errno == ECONNRESET;
	} while (true);
}

ssize_t fd_recv(int sock, void *buf, size_t size, int *fds, int *ret_nfds)
{
	union {
		char buf[CMSG_SPACE(FD_SEND_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = buf, .iov_len = size};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.buf,
			     .msg_controllen = sizeof(control.buf)};
	int room = ret_nfds ? *ret_nfds : 0;
	bool starved;
	int got;
	ssize_t n;

	n = receive(sock, &msg);
	if (n < 0)
		return -errno;
	got = take_fds(&msg, fds, room);
	/* fewer came than there was room for: the kernel had no number left to give the next one */
	starved = (msg.msg_flags & MSG_CTRUNC) && got < FD_SEND_MAX;
	if ((msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || got > room) {
		for (int i = 0; i < MIN(got, room); i++) {
			(void)close(fds[i]);
			fds[i] = -1; /* callers end theirs with fd_closep: never twice */
		}
		if (ret_nfds && starved)
			*ret_nfds = -1;
		return -EMSGSIZE;
	}
	if (ret_nfds)
		*ret_nfds = got;
	return n;
}

int fd_sealed_memfd(int *ret_fd, const char *name, const void *data, size_t n)
{
	_cleanup_(fd_closep) int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, data, n);
	if (r < 0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int fd_map_sealed(int fd, size_t max, const void **ret_data, size_t *ret_n, struct err *err)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);
	void *p;

	if (seals < 0 || !(seals & F_SEAL_SHRINK))
		return err_set(err, -EPERM, "descriptor %d is not a sealed memory file", fd);
	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "fstat: %s", strerror(errno));
	if (st.st_size <= 0 || (size_t)st.st_size > max)
		return err_set(err, -EFBIG, "sealed memory file of %lld bytes, expected 1 to %zu",
			       (long long)st.st_size, max);
	/* MAP_PRIVATE: before Linux 6.7 a write-sealed file refuses even a read-only shared mapping. */
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return err_set(err, -errno, "mmap: %s", strerror(errno));
	*ret_data = p;
	*ret_n = (size_t)st.st_size;
	return 0;
}

bool fd_is_far(int fd)
{
	/* linux/magic.h, and what file systems keep to themselves */
	static const uint32_t far[] = {
		0x65735546,                         /* FUSE, virtiofs */
		0x00006969,                         /* NFS */
		0x0000517b, 0xfe534d42, 0xff534d42, /* SMB */
		0x00c36400,                         /* Ceph */
		0x01021997,                         /* 9P */
		0x5346414f, 0x6b414653, 0x73757245, /* AFS, Coda */
		0x7461636f, 0x01161970, 0x0bd00bd0, /* OCFS2, GFS2, Lustre */
	};
	struct statfs st;

	if (fstatfs(fd, &st) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(far); i++)
		if ((uint32_t)st.f_type == far[i])
			return true;
	return false;
}

int fd_write_all(int fd, const void *data, size_t n)
{
	const char *p = data;

	while (n > 0) {
		ssize_t w = write(fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -errno;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

int fd_read_file(int fd, size_t max, char **ret_text, size_t *ret_n)
{
	_cleanup_(freep) char *text = NULL;
	struct stat st;
	ssize_t got = 0;
	size_t n = 0;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
		return -EINVAL;
	text = malloc(max + 1);
	if (!text)
		return -ENOMEM;
	while (n <= max && (got = read(fd, text + n, max + 1 - n)) != 0) {
		if (got < 0 && errno != EINTR)
			return -errno;
		n += got > 0 ? (size_t)got : 0;
	}
	if (n > max)
		return -EFBIG;
	*ret_text = TAKE_PTR(text);
	*ret_n = n;
	return 0;
}
