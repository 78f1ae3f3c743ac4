/*
 * generation_orders - what the emperor tells a front: to serve, to take over from another, to drain, to end.
 *
 * A front that cannot be told must not live on beside its successor: an order to leave that does not arrive is a kill, and
 * one that is not followed in time is, too.
 */
#include "emperor/vassals/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/socket.h>

#include "emperor/vassals/logfile.h"
#include "emperor/vassals/rootpid.h"
#include "shared/clock.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/log.h"

/* The kernel doubles it: some 600 idle connections on their way, the rest follows. */
#define HEIR_SNDBUF (256 * 1024)

/*
 * A front that cannot be spoken to, because its emperor was of another build or took the link with it, knows one word: it
 * drains on TERM, as long as its graceful timeout says.
 */
static int tell_by_signal(const struct generation *g, enum msg_kind kind, uint64_t value)
{
	bool ends = kind == MSG_STOP || kind == MSG_RETIRE;

	if (ends)
		exits_signal(&g->exits, kind == MSG_STOP && value == 0 ? SIGKILL : SIGTERM);
	return ends ? 0 : -ENOTCONN;
}

static int tell_both(const struct generation *g, enum msg_kind kind, uint64_t value, uint64_t b,
		     int fd)
{
	struct msg m = {
		.kind = (uint16_t)kind,
		.bank = g->bank,
		.generation = g->number,
		.a = value,
		.b = b,
	};
	int r = g->link_fd < 0 ? tell_by_signal(g, kind, value)
			       : msg_send(g->link_fd, &m, NULL, fd);

	/* Gone already: its exit says all there is to say. */
	if (r < 0 && r != -EPIPE && r != -ECONNRESET)
		log_warning("%s: generation %" PRIu64 " cannot be told to %s: %s", g->app->name,
			    g->number, msg_kind_name(kind), strerror(-r));
	return r;
}

static int tell(const struct generation *g, enum msg_kind kind, uint64_t value, int fd)
{
	return tell_both(g, kind, value, kind == MSG_STOP && g->app->v->shutting_down, fd);
}

int generation_ask(struct generation *g, enum msg_kind kind, uint64_t value, int fd)
{
	int r = tell_both(g, kind, value, g->serials + 1, fd);

	if (r == 0)
		g->serial = ++g->serials;
	return r;
}

/* A front that is told that its pidfile is dealt with writes none. */
static int serve(struct generation *g)
{
	struct err err = {0};
	int r = rootpid_write(g->loaded, g->pid, &err);

	if (r < 0)
		generation_note(g, err.text, true);
	return tell_both(g, MSG_SERVE, 0, r != 0, -1);
}

int generation_serve(struct generation *g)
{
	ev_timer_stop(g->app->v->setup.loop, &g->timer);
	g->serving_ns = clock_now_ns();
	g->serving_wall_ns = clock_wall_ns();
	/* Whoever comes after us must never take one that serves for one that only starts. */
	persist_now(g->app);
	return serve(g);
}

void generation_serve_on(struct generation *g)
{
	(void)serve(g);
}

void generation_retire(struct generation *old)
{
	unsigned grace_s = old->loaded->config.graceful_timeout_s;

	old->part = PART_LEAVING;
	if (tell(old, MSG_RETIRE, grace_s, -1) < 0)
		generation_kill(old);
	generation_set_timer(old, grace_s + VASSALS_LEAVE_S);
}

void generation_replace(struct generation *g, struct generation *old)
{
	unsigned grace_s = old->loaded->config.graceful_timeout_s;
	const int size = HEIR_SNDBUF;
	int fds[2];
	int r = fd_seqpacket_pair(fds, true);

	if (r < 0) {
		/* Its idle connections end with it; nothing else is lost. */
		log_warning("%s: no pair for idle connections: %s", g->app->name, strerror(-r));
		r = tell(old, MSG_RETIRE, grace_s, -1);
	} else {
		/* More than the system allows is cut to what it allows. */
		(void)setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		r = tell(g, MSG_ADOPT, 0, fds[0]);
		r = tell(old, MSG_RETIRE, grace_s, r == 0 ? fds[1] : -1);
		(void)close(fds[0]);
		(void)close(fds[1]);
	}
	if (r < 0)
		generation_kill(old);
	generation_set_timer(old, grace_s + VASSALS_LEAVE_S);
}

void generation_end(struct generation *g, unsigned grace_s)
{
	if (tell(g, MSG_STOP, grace_s, -1) < 0)
		generation_kill(g);
	generation_set_timer(g, grace_s + VASSALS_LEAVE_S);
}

void generation_let_sleep(struct generation *g)
{
	g->may_leave = tell(g, MSG_SLEEP, 0, -1) == 0;
}

void generation_renew_worker(struct generation *g, unsigned worker)
{
	(void)tell(g, MSG_RENEW, worker, -1);
}

void generation_leave(struct generation *g)
{
	g->part = PART_LEAVING;
	generation_set_timer(g, g->loaded->config.graceful_timeout_s + VASSALS_LEAVE_S);
}

int generation_unfuse(const struct generation *g, struct err *err)
{
	int r = tell(g, MSG_UNFUSE, 0, -1);

	return r < 0 ? err_set(err, r, "%s: its front cannot be told: %s", g->app->name,
			       strerror(-r))
		     : 0;
}

int generation_reopen(const struct generation *g, struct err *err)
{
	_cleanup_(fd_closep) int fd = -1;
	int r = logfile_open(g->loaded, &fd, err);

	if (r < 0)
		return r;
	r = tell(g, MSG_REOPEN, 0, fd);
	return r < 0 ? err_set(err, r, "%s: its front cannot be told: %s", g->app->name,
			       strerror(-r))
		     : 0;
}
