/*
 * conn_write - the bytes that go to a client: into its socket, and what that does not take into its spool, from where they
 * follow. See conn.h.
 */
#include "vassal/front/conn.h"

#include <errno.h>
#include <sys/socket.h>

#include "shared/vassal_config.h"
#include "vassal/front/loop.h"
#include "vassal/front/notes.h"
#include "vassal/front/patience.h"
#include "vassal/front/state.h"
#include "vassal/front/static_file.h"

static void say_if_refused(const struct conn *c)
{
	struct front *f = c->front;

	if (c->out.refused)
		notes_rarely(f, RARE_SPOOL,
			     "%s: answers cannot be stored: %s; workers wait for slow clients",
			     f->out_limits.tmpdir, strerror(-c->out.refused));
}

/* A disk thread has written: there is more to send, and room for what waits in the worker's lane. */
static void on_spool_ready(void *arg)
{
	struct conn *c = arg;

	say_if_refused(c);
	conn_flush(c);
	loop_kick(c->front);
}

/* Skips what the socket took. Returns the first entry that still has bytes. */
static unsigned skip(struct iovec *iov, unsigned n, size_t taken)
{
	unsigned i = 0;

	while (i < n && taken >= iov[i].iov_len)
		taken -= iov[i++].iov_len;
	if (i < n) {
		iov[i].iov_base = (char *)iov[i].iov_base + taken;
		iov[i].iov_len -= taken;
	}
	return i;
}

/* Small pieces in one: copying them costs less than the kernel's way of taking several. */
static bool join(struct front *f, const struct iovec *iov, unsigned n, struct iovec *ret)
{
	size_t total = 0;

	for (unsigned i = 0; i < n; i++)
		total += iov[i].iov_len;
	if (total > sizeof(f->joined))
		return false;
	total = 0;
	for (unsigned i = 0; i < n; i++) {
		memcpy(f->joined + total, iov[i].iov_base, iov[i].iov_len);
		total += iov[i].iov_len;
	}
	*ret = (struct iovec){f->joined, total};
	return true;
}

static int write_with(struct conn *c, struct iovec *iov, unsigned n, int flags)
{
	struct front *f = c->front;
	bool was_refused = c->out.refused;
	struct iovec one;
	unsigned i = 0;

	if (n > 1 && join(f, iov, n, &one)) {
		iov = &one;
		n = 1;
	}
	if (spool_empty(&c->out)) {
		struct msghdr mh = {.msg_iov = iov, .msg_iovlen = n};
		ssize_t w;

		do
			w = n == 1 ? send(c->fd, iov->iov_base, iov->iov_len, flags | MSG_NOSIGNAL)
				   : sendmsg(c->fd, &mh, flags | MSG_NOSIGNAL);
		while (w < 0 && errno == EINTR);
		if (w < 0 && errno != EAGAIN)
			return -errno;
		if (w > 0) {
			board_add(&f->count->bytes_out, (uint64_t)w);
			i = skip(iov, n, (size_t)w);
		}
		if (i == n)
			return 0;
		patience_begin(c);
	}
	for (; i < n; i++) {
		int r = spool_append(&c->out, &f->out_limits, &f->disk, on_spool_ready, c,
				     iov[i].iov_base, iov[i].iov_len);

		if (r < 0)
			return r;
	}
	if (!was_refused)
		say_if_refused(c);
	return conn_watch(c) ? 0 : -EPIPE;
}

int conn_write(struct conn *c, struct iovec *iov, unsigned n)
{
	return write_with(c, iov, n, 0);
}

int conn_write_more(struct conn *c, struct iovec *iov, unsigned n)
{
	return write_with(c, iov, n, MSG_MORE);
}

int conn_write_last(struct conn *c, struct iovec *iov, unsigned n)
{
	/*
	 * Held back only from who wants no further request: one that is on its way would turn close() into a reset, and
	 * what is held back then never leaves.
	 */
	bool closes = !c->answer.keep_alive && !c->wants_keep && !c->readable;

	return write_with(c, iov, n, closes ? MSG_MORE : 0);
}

/* A short answer (100, 103, to a question of FastCGI) stood in between: what was awaited before it is so again. */
static void await_again(struct conn *c)
{
	struct front *f = c->front;

	if (c->state == CONN_BODY)
		timer_set(&f->timers[TIMER_BODY], &c->timer, f->now_ns);
	else if (c->state == CONN_HEAD)
		timer_set(&f->timers[TIMER_HEAD], &c->timer, f->now_ns);
	else if ((c->state == CONN_WAIT || c->state == CONN_QUEUED) && !c->answer.begun)
		timer_set_since(&f->timers[TIMER_QUEUE], &c->timer, c->complete_ns);
}

void conn_flush(struct conn *c)
{
	struct front *f = c->front;
	uint64_t sent = 0;
	int r;

	if (c->state == CONN_DEAD)
		return;
	r = spool_send(&c->out, c->fd, &sent);
	board_add(&f->count->bytes_out, sent);
	if (r < 0) {
		conn_lost(c);
		return;
	}
	if (r == 0) {
		if (sent > 0)
			(void)patience_gave(c, sent);
		else if (!timer_is_set(&c->timer))
			patience_begin(c);
		return;
	}
	patience_end(c);
	if (c->state == CONN_FLUSH)
		conn_answered(c);
	else if (c->state == CONN_FILE)
		static_continue(c);
	else
		await_again(c);
}
