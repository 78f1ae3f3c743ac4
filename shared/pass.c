/*
 * pass - see pass.h.
 */
#include "shared/pass.h"

#include <errno.h>
#include <sys/uio.h>

#include "shared/err.h"
#include "shared/fd.h"

int pass_send(int sock, const struct pass *p)
{
	struct pass_head head = p->head;
	struct iovec iov[6];
	ssize_t n;

	head.magic = PASS_MAGIC;
	head.script_n = (uint16_t)p->script.n;
	head.carve_n = (uint16_t)p->carve.n;
	head.host_n = (uint16_t)p->host.n;
	head.bytes_n = (uint32_t)(p->intro.n + p->bytes.n);
	head.reserved = 0;
	iov[0] = (struct iovec){&head, sizeof(head)};
	iov[1] = (struct iovec){(char *)(uintptr_t)p->script.p, p->script.n};
	iov[2] = (struct iovec){(char *)(uintptr_t)p->carve.p, p->carve.n};
	iov[3] = (struct iovec){(char *)(uintptr_t)p->host.p, p->host.n};
	iov[4] = (struct iovec){(char *)(uintptr_t)p->intro.p, p->intro.n};
	iov[5] = (struct iovec){(char *)(uintptr_t)p->bytes.p, p->bytes.n};
	if (p->script.n > 1024 || p->carve.n > LIMIT_CARVE_BYTES || p->host.n > LIMIT_HOST + 1 ||
	    p->intro.n > PROXY_V1_MAX || p->intro.n + p->bytes.n > PASS_BYTES_MAX)
		return -EMSGSIZE;
	n = fd_send(sock, iov, 6, &p->fd, 1);
	return n < 0 ? (int)n : 0;
}

int pass_recv(int sock, void *buf, size_t size, struct pass *ret_pass, struct err *err)
{
	struct pass_head *head = buf;
	const char *rest = (const char *)buf + sizeof(*head);
	int fd = -1;
	int nfds = 1;
	ssize_t n = fd_recv(sock, buf, size, &fd, &nfds);

	if (n == -EMSGSIZE && nfds < 0)
		return err_set(err, -EMFILE,
			       "passed connection: lost, no descriptor is left for it");
	if (n == -EMSGSIZE)
		return err_set(err, -EBADMSG, "passed connection: message too large");
	if (n == 0 &&
	    nfds == 1) /* an empty message with a descriptor: not ours, and not to be leaked */
		(void)close(fd);
	if (n <= 0)
		return (int)n;
	if ((size_t)n < sizeof(*head) || head->magic != PASS_MAGIC || nfds != 1 ||
	    (size_t)n != sizeof(*head) + head->script_n + head->carve_n + head->host_n +
				 (size_t)head->bytes_n) {
		if (nfds == 1)
			(void)close(fd);
		return err_set(err, -EBADMSG, "passed connection: malformed message of %zd bytes",
			       n);
	}
	ret_pass->head = *head;
	ret_pass->script = span_of(rest, head->script_n);
	ret_pass->carve = span_of(rest + head->script_n, head->carve_n);
	ret_pass->host = span_of(rest + head->script_n + head->carve_n, head->host_n);
	ret_pass->bytes = span_of(ret_pass->host.p + head->host_n, head->bytes_n);
	ret_pass->fd = fd;
	return 1;
}

bool pass_path_under(struct span path, struct span prefix)
{
	while (prefix.n > 0 && prefix.p[prefix.n - 1] == '/')
		prefix.n--;
	if (prefix.n == 0) /* everything, "*" of OPTIONS too */
		return true;
	if (!span_starts(path, prefix))
		return false;
	return path.n == prefix.n || path.p[prefix.n] == '/' || path.p[prefix.n] == '?';
}

bool pass_path_ours(struct span path, struct span script, struct span carve)
{
	if (!pass_path_under(path, script))
		return false;
	while (carve.n > 0) {
		const char *end = memchr(carve.p, '\0', carve.n);
		size_t n = end ? (size_t)(end - carve.p) : carve.n;

		if (pass_path_under(path, span_of(carve.p, n)))
			return false;
		carve = span_skip(carve, end ? n + 1 : n);
	}
	return true;
}
