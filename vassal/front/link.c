/*
 * link - see link.h.
 */
#include "vassal/front/link.h"

#include <errno.h>

#include "shared/err.h"
#include "shared/log.h"
#include "vassal/front/doors.h"
#include "vassal/front/doze.h"
#include "vassal/front/fusebox.h"
#include "vassal/front/lifecycle.h"
#include "vassal/front/live.h"
#include "vassal/front/state.h"
#include "vassal/pool/pool.h"

typedef void handler(struct front *f, const struct msg *m, int *fd);

static void on_serve(struct front *f, const struct msg *m, int *fd)
{
	(void)fd;
	f->pidfile_is_kept = m->b != 0;
	lifecycle_serve(f);
}

static unsigned grace_of(const struct msg *m)
{
	return (unsigned)MIN(m->a, (uint64_t)86400);
}

static void on_retire(struct front *f, const struct msg *m, int *fd)
{
	f->replaced = true;
	lifecycle_drain(f, MAX(grace_of(m), 1U), TAKE_FD(*fd));
}

static void on_stop(struct front *f, const struct msg *m, int *fd)
{
	(void)fd;
	f->gate_ends = m->b != 0;
	lifecycle_drain(f, grace_of(m), -1);
}

static void on_adopt(struct front *f, const struct msg *m, int *fd)
{
	(void)m;
	if (*fd >= 0)
		doors_adopt(f, TAKE_FD(*fd));
}

static void on_reopen(struct front *f, const struct msg *m, int *fd)
{
	int r = logbook_reopen(&f->log, TAKE_FD(*fd));

	(void)m;
	if (r < 0)
		log_error("cannot reopen the log: %s", strerror(-r));
}

static void on_renew(struct front *f, const struct msg *m, int *fd)
{
	(void)fd;
	if (f->pool && m->a < f->shape.workers)
		pool_renew(f->pool, (unsigned)m->a, POOL_RENEW_BUDGET);
}

static void on_sleep(struct front *f, const struct msg *m, int *fd)
{
	(void)m;
	(void)fd;
	doze_go(f);
}

static void answer(struct front *f, const struct msg *m, const char *why_not)
{
	link_say(f, MSG_DONE, m->kind, m->b, why_not);
}

static void on_config(struct front *f, const struct msg *m, int *fd)
{
	struct err err = {0};
	int r = live_configure(f, *fd, &err);

	answer(f, m, r < 0 ? err.text : "");
}

static void on_scale(struct front *f, const struct msg *m, int *fd)
{
	struct err err = {0};
	int r = f->pool ? pool_scale(f->pool, (unsigned)MIN(m->a, (uint64_t)UINT32_MAX), &err)
			: err_set(&err, -EINVAL, "there is no app: files alone are served");

	(void)fd;
	answer(f, m, r < 0 ? err.text : "");
}

static void on_unfuse(struct front *f, const struct msg *m, int *fd)
{
	(void)m;
	(void)fd;
	fusebox_clear(f);
}

static handler *const handlers[MSG_KIND_COUNT] = {
	[MSG_SERVE] = on_serve,   [MSG_RETIRE] = on_retire, [MSG_STOP] = on_stop,
	[MSG_SLEEP] = on_sleep,   [MSG_ADOPT] = on_adopt,   [MSG_REOPEN] = on_reopen,
	[MSG_CONFIG] = on_config, [MSG_SCALE] = on_scale,   [MSG_UNFUSE] = on_unfuse,
	[MSG_RENEW] = on_renew,
};

static void lose(struct front *f)
{
	ev_io_stop(f->loop, &f->link_io);
	(void)close(TAKE_FD(f->link_fd));
	if (f->phase < PHASE_SERVING) {
		/* nobody is left who could tell us to serve, or to end */
		log_warning("the emperor has gone before this front could serve: it ends");
		lifecycle_drain(f, 0, -1);
		return;
	}
	log_warning("the emperor has gone; serving goes on");
}

static void handle(struct front *f, const struct msg *m, int *fd)
{
	if (m->kind >= MSG_KIND_COUNT || !handlers[m->kind])
		log_error("link: message %s is not for a front",
			  msg_kind_name((enum msg_kind)m->kind));
	else if (m->generation != f->generation)
		log_warning("link: message %s is for generation %llu, this is %llu",
			    msg_kind_name((enum msg_kind)m->kind),
			    (unsigned long long)m->generation, (unsigned long long)f->generation);
	else
		handlers[m->kind](f, m, fd);
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct front *f = container_of(w, struct front, link_io);

	(void)loop;
	(void)revents;
	while (f->link_fd >= 0) {
		struct err err = {0};
		struct msg m;
		int fd = -1;
		int r = msg_recv(f->link_fd, &m, &fd, &err);

		if (r == -EAGAIN)
			return;
		if (r == -EBADMSG) {
			log_error("link: %s", err.text);
			continue;
		}
		if (r <= 0) {
			lose(f);
			return;
		}
		handle(f, &m, &fd);
		if (fd >= 0)
			(void)close(fd);
	}
}

void link_init(struct front *f, int fd)
{
	f->link_fd = fd;
	if (fd < 0)
		return;
	ev_io_init(&f->link_io, on_readable, fd, EV_READ);
	ev_io_start(f->loop, &f->link_io);
}

void link_say(struct front *f, enum msg_kind kind, uint64_t a, uint64_t b, const char *text)
{
	struct msg m = {.kind = (uint16_t)kind,
			.bank = f->bank_index,
			.generation = f->generation,
			.a = a,
			.b = b};
	int r;

	if (f->link_fd < 0)
		return;
	r = msg_send(f->link_fd, &m, text, -1);
	if (r < 0 && r != -EPIPE && r != -ECONNRESET)
		log_error("link: cannot send %s: %s", msg_kind_name(kind), strerror(-r));
}
