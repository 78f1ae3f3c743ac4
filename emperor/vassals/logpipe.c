/*
 * logpipe - see logpipe.h.
 *
 * Lines pass as they come, for the front has given them their time and name; only what a terminal would obey is taken
 * out. Each turn of the loop takes LOGPIPE_TURN_BYTES at most, so that a front which never stops talking holds nobody up.
 */
#include "emperor/vassals/logpipe.h"

#include <errno.h>
#include <fcntl.h>

#include "shared/err.h"
#include "shared/fd.h"
#include "shared/log.h"

#define LOGPIPE_TURN_BYTES 16384
#define LOGPIPE_LAST_TURNS 8 /* twice what a pipe holds */

static void say(char *line, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (((unsigned char)line[i] < 0x20 && line[i] != '\t') || line[i] == 0x7f)
			line[i] = '?';
	line[n] = '\n'; /* stood there, or there is room */
	log_raw(line, n + 1);
}

static void keep(struct logpipe *p, const char *rest, size_t n)
{
	char *copy = n > 0 ? malloc(n) : NULL;

	if (copy)
		memcpy(copy, rest, n);
	free(p->rest);
	p->rest = copy;
	p->rest_n = copy ? n : 0;
}

/* bytes: one more than n may be written. */
static void take(struct logpipe *p, char *bytes, size_t n)
{
	char *line = bytes;
	char *end = bytes + n;
	char *newline;

	while ((newline = memchr(line, '\n', (size_t)(end - line))) != NULL) {
		say(line, (size_t)(newline - line));
		line = newline + 1;
	}
	/* A line that never ends is cut. */
	if (end - line >= LOG_LINE_MAX) {
		say(line, (size_t)(end - line));
		line = end;
	}
	keep(p, line, (size_t)(end - line));
}

/* False once there is nothing more just now, or ever. */
static bool read_some(struct logpipe *p)
{
	char bytes[LOG_LINE_MAX + LOGPIPE_TURN_BYTES + 1];
	ssize_t n;

	if (p->rest_n > 0)
		memcpy(bytes, p->rest, p->rest_n);
	n = read(p->fd, bytes + p->rest_n, LOGPIPE_TURN_BYTES);
	if (n > 0)
		take(p, bytes, p->rest_n + (size_t)n);
	else if (n == 0)
		ev_io_stop(p->loop, &p->io);
	return n > 0 || (n < 0 && errno == EINTR);
}

static void on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	(void)loop;
	(void)revents;
	(void)read_some(container_of(io, struct logpipe, io));
}

void logpipe_adopt(struct logpipe *p, struct ev_loop *loop, int fd)
{
	*p = (struct logpipe){.fd = fd, .loop = loop};
	ev_io_init(&p->io, on_readable, p->fd, EV_READ);
	ev_io_start(loop, &p->io);
}

int logpipe_open(struct logpipe *p, struct ev_loop *loop, int *ret_write_fd, struct err *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(err, -errno, "pipe: %s", strerror(errno));
	/* Ours alone: a front that waits for room must not be told to try again. */
	(void)fd_set_nonblock(fds[0], true);
	logpipe_adopt(p, loop, fds[0]);
	*ret_write_fd = fds[1];
	return 0;
}

void logpipe_close(struct logpipe *p)
{
	if (p->fd < 0)
		return;
	for (unsigned i = 0; i < LOGPIPE_LAST_TURNS && read_some(p); i++)
		;
	if (p->rest_n > 0) {
		char line[LOG_LINE_MAX + 1];

		memcpy(line, p->rest, p->rest_n);
		say(line, p->rest_n);
	}
	free(TAKE_PTR(p->rest));
	p->rest_n = 0;
	ev_io_stop(p->loop, &p->io);
	(void)close(TAKE_FD(p->fd));
}
