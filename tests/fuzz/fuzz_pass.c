/* libs: shared */
/*
 * A passed connection's message from a hostile front: refused, or its parts lie in the buffer and its one descriptor is
 * ours; never a descriptor left open. The first byte says how many descriptors come with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "shared/err.h"
#include "shared/fd.h"
#include "shared/pass.h"

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_inside(struct span s, const char *buf, size_t size)
{
	check(s.p >= buf && s.p + s.n <= buf + size);
}

static int lowest_free_fd(void)
{
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);

	check(fd >= 0);
	(void)close(fd);
	return fd;
}

static void receive(int sock, int nfds)
{
	/* As a connection keeps it: aligned, and of exactly the size that the header promises is enough. */
	char *buf = malloc(PASS_BUF_SIZE);
	struct pass pass = {.fd = -1};
	struct err err = {0};
	int r;

	check(buf != NULL);
	r = pass_recv(sock, buf, PASS_BUF_SIZE, &pass, &err);
	if (r == 1) {
		check(nfds == 1 && pass.fd >= 0);
		check_inside(pass.script, buf, PASS_BUF_SIZE);
		check_inside(pass.carve, buf, PASS_BUF_SIZE);
		check_inside(pass.bytes, buf, PASS_BUF_SIZE);
		(void)pass_path_ours(pass.bytes, pass.script, pass.carve);
		(void)close(pass.fd);
	} else {
		check(r == -EBADMSG && err.code == r);
	}
	free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fds[4] = {0, 0, 0, 0};
	int pair[2];
	int before = lowest_free_fd();
	struct iovec iov;
	int nfds;

	if (size < 2)
		return 0;
	nfds = data[0] % 5;
	iov = (struct iovec){(void *)(uintptr_t)(data + 1), size - 1};
	check(fd_seqpacket_pair(pair, true) == 0);
	if (fd_send(pair[0], &iov, 1, fds, nfds) > 0)
		receive(pair[1], nfds);
	(void)close(pair[0]);
	(void)close(pair[1]);
	check(lowest_free_fd() == before);
	return 0;
}
