/*
 * output - see output.h. The write end stays open here too, so the pipe never reports an end
 * between two molds.
 */
#include "vassal/pool/output.h"

#include <errno.h>
#include <fcntl.h>

#include "shared/err.h"
#include "shared/fd.h"

static void remember(struct output *o, const char *p, size_t n)
{
	size_t drop;

	if (n > OUTPUT_TAIL) {
		p += n - OUTPUT_TAIL;
		n = OUTPUT_TAIL;
	}
	drop = o->tail_n + n > OUTPUT_TAIL ? o->tail_n + n - OUTPUT_TAIL : 0;
	memmove(o->tail, o->tail + drop, o->tail_n - drop);
	memcpy(o->tail + o->tail_n - drop, p, n);
	o->tail_n += n - drop;
}

static void give(struct output *o, const char *p, size_t n)
{
	if (o->fn(o->arg, p, n) && o->keep_tail)
		remember(o, p, n);
}

static void give_lines(struct output *o)
{
	const char *p = o->line;
	size_t left = o->n;
	const char *end;

	while ((end = memchr(p, '\n', left))) {
		size_t n = (size_t)(end - p) + 1;

		give(o, p, n);
		p += n;
		left -= n;
	}
	if (left == sizeof(o->line)) {
		give(o, p, left);
		left = 0;
	}
	memmove(o->line, p, left);
	o->n = left;
}

static void give_rest(struct output *o)
{
	if (o->n > 0)
		give(o, o->line, o->n);
	o->n = 0;
}

static void read_some(struct output *o, size_t budget)
{
	while (budget > 0) {
		size_t room = MIN(sizeof(o->line) - o->n, budget);
		ssize_t n = read(o->read_fd, o->line + o->n, room);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		o->n += (size_t)n;
		budget -= (size_t)n;
		give_lines(o);
	}
}

static void on_readable(struct ev_loop *loop, ev_io *w, _unused_ int revents)
{
	struct output *o = container_of(w, struct output, io);

	read_some(o, OUTPUT_TURN_BYTES);
	if (o->n == 0)
		ev_timer_stop(loop, &o->flush);
	else if (!ev_is_active(&o->flush))
		ev_timer_again(loop, &o->flush);
}

static void on_flush(struct ev_loop *loop, ev_timer *w, _unused_ int revents)
{
	struct output *o = container_of(w, struct output, flush);

	ev_timer_stop(loop, w);
	give_rest(o);
}

int output_open(struct output *o, struct ev_loop *loop, output_fn *fn, void *arg, struct err *err)
{
	int fds[2];
	int r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(err, -errno, "cannot make a pipe: %s", strerror(errno));
	/* Only our end: the two ends of a pipe have flags of their own, the app's stays blocking.
	 */
	r = fd_set_nonblock(fds[0], true);
	if (r < 0) {
		(void)close(fds[0]);
		(void)close(fds[1]);
		return err_set(err, r, "cannot make a pipe nonblocking: %s", strerror(-r));
	}
	o->loop = loop;
	o->read_fd = fds[0];
	o->write_fd = fds[1];
	o->fn = fn;
	o->arg = arg;
	o->keep_tail = true;
	ev_io_init(&o->io, on_readable, fds[0], EV_READ);
	ev_init(&o->flush, on_flush);
	o->flush.repeat = OUTPUT_FLUSH_S;
	ev_io_start(loop, &o->io);
	return 0;
}

void output_drain(struct output *o)
{
	read_some(o, OUTPUT_DRAIN_BYTES);
	give_rest(o);
	ev_timer_stop(o->loop, &o->flush);
}

void output_done(struct output *o)
{
	if (!o->loop)
		return;
	ev_io_stop(o->loop, &o->io);
	ev_timer_stop(o->loop, &o->flush);
	(void)close(o->read_fd);
	(void)close(o->write_fd);
	o->loop = NULL;
}
