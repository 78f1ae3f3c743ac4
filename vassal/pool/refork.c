/*
 * refork - see refork.h. The molds change places only between two forks: an answer of the old one must not be missed.
 */
#include "vassal/pool/refork.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "shared/clock.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/scoreboard.h"
#include "vassal/exchange/crew.h"
#include "vassal/exchange/exchange.h"
#include "vassal/pool/inner.h"

#define TRIES_MAX 3
/* A worker that was called may have begun a request just then; collecting garbage of a large app takes a second. */
#define REFORK_NS (60 * NS_PER_S)
#define LEAVE_NS  (5 * NS_PER_S)
/* All workers are idle then: who does not come within this time has something else to do, and the app naps as it is. */
#define NAP_HOLD_NS (5 * NS_PER_S)

static void close_channel(struct refork *r)
{
	if (r->fd < 0)
		return;
	ev_io_stop(r->pool->loop, &r->io);
	(void)close(TAKE_FD(r->fd));
}

static void end_new_mold(struct refork *r)
{
	close_channel(r);
	if (r->pid > 0)
		(void)kill(r->pid, SIGKILL);
	r->pid = 0;
	r->ready = false;
}

static void fail(struct refork *r, const char *why)
{
	unsigned worker = r->worker;
	bool last = r->for_nap ? r->pool->config.refork == 0 : r->tries >= TRIES_MAX;

	end_new_mold(r);
	r->worker = 0;
	(void)snprintf(r->why, sizeof(r->why), "%s: worker %u cannot be forked from: %.100s",
		       r->for_nap ? "idle-refork" : "refork", worker, why);
	pool_event(r->pool, EVENT_NOTE, worker, "%s%s", r->why, last ? " (not tried again)" : "");
	policy_hold_nap(&r->pool->policy, 0);
	pool_kick(r->pool);
}

static bool forks_are_answered(const struct pool *pool)
{
	for (unsigned i = 0; i < pool->policy.config.capacity; i++)
		if (pool->worker[i].answers_due > 0)
			return false;
	return true;
}

static void replace_others(struct pool *pool, unsigned parent)
{
	for (unsigned i = 0; i < pool->policy.config.capacity; i++)
		if (i != parent)
			policy_due(&pool->policy, i, WHY_REFORK);
}

static void change_places(struct refork *r)
{
	struct pool *pool = r->pool;
	unsigned parent = r->worker - 1;
	int fd;

	if (!r->ready || r->pid == 0 || !forks_are_answered(pool))
		return;
	if (pool->policy.mold != MOLD_READY) {
		fail(r, "the mold before it is not ready");
		return;
	}
	ev_io_stop(pool->loop, &r->io);
	fd = TAKE_FD(r->fd);
	mold_quit(pool);
	r->old_pid = pool->mold.pid;
	r->since_ns = clock_now_ns();
	mold_take(pool, r->pid, fd);
	r->pid = 0;
	r->worker = 0;
	r->done = true;
	r->why[0] = '\0';
	watch_house(pool);
	pool_event(pool, EVENT_NOTE, parent + 1,
		   "%s: worker %u is the parent of a new mold (pid %d) after %" PRIu64
		   " requests; %s",
		   r->for_nap ? "idle-refork" : "refork", parent + 1, (int)pool->mold.pid,
		   pool->worker[parent].served,
		   r->for_nap ? "after the nap its forks serve"
			      : "the others are replaced by its forks");
	if (!r->for_nap)
		replace_others(pool, parent);
	policy_hold_nap(&pool->policy, 0);
	pool_kick(pool);
}

static void on_readable(_unused_ struct ev_loop *loop, ev_io *io, _unused_ int revents)
{
	struct refork *r = container_of(io, struct refork, io);
	struct crew_msg m;
	struct err err = {0};
	int fd = -1;
	int n = crew_recv(r->fd, &m, &fd, &err);

	fd_closep(&fd);
	if (n == -EAGAIN)
		return;
	if (n <= 0 || m.kind != CREW_MOLD_READY) {
		fail(r, "the new mold ended before it was ready");
		return;
	}
	r->ready = true;
	change_places(r);
}

static int open_channel(struct refork *r, const struct worker *w)
{
	const struct crew_msg answer = {.kind = CREW_MOLD, .worker = w->number};
	int fds[2];
	int e = fd_seqpacket_pair(fds, false);

	if (e < 0)
		return e;

	_cleanup_(fd_closep) int ours = fds[0];
	_cleanup_(fd_closep) int theirs = fds[1];

	e = fd_set_nonblock(ours, true);
	if (e == 0)
		e = crew_send(w->fd, &answer, NULL, theirs);
	if (e < 0)
		return e;
	r->fd = TAKE_FD(ours);
	ev_io_init(&r->io, on_readable, r->fd, EV_READ);
	ev_io_start(r->pool->loop, &r->io);
	return 0;
}

static void on_reforked(struct refork *r, const struct crew_msg *m)
{
	if (r->fd < 0 || !pool_pid_sane(r->pool, m->a)) {
		fail(r, "it told of a mold that cannot be");
		return;
	}
	r->pid = (pid_t)m->a;
	change_places(r);
}

bool refork_message(struct worker *w, const struct crew_msg *m)
{
	struct refork *r = &w->pool->refork;
	int e;

	/* what was given up may still be answered */
	bool late = r->worker != w->number + 1;

	switch (m->kind) {
	case CREW_WANT_MOLD:
		e = late || r->fd >= 0 ? 0 : open_channel(r, w);
		if (e < 0)
			fail(r, strerror(-e));
		return true;
	case CREW_REFORKED:
		if (!late)
			on_reforked(r, m);
		return true;
	case CREW_REFORK_FAILED:
		if (!late)
			fail(r, m->text);
		return true;
	default:
		return false;
	}
}

static bool is_possible(const struct pool *pool)
{
	const struct vassal_config *c = &pool->config;

	return c->threads == 1 && !c->lazy_apps && pool->policy.phase == PHASE_SERVE &&
	       pool->policy.mold == MOLD_READY && !pool->refork.done && pool->refork.worker == 0;
}

/* The one that has served most, and so much at least. */
static const struct policy_slot *choose(const struct pool *pool, uint64_t least)
{
	const struct policy_slot *best = NULL;

	for (unsigned i = 0; i < pool->policy.config.capacity; i++) {
		const struct policy_slot *s = &pool->policy.slot[i];

		if (s->state == SLOT_READY && s->due == WHY_NONE && s->served >= least &&
		    (!best || s->served > best->served))
			best = s;
	}
	return best;
}

static bool begin(struct refork *r, uint64_t least, uint64_t now_ns)
{
	struct pool *pool = r->pool;
	const struct policy_slot *s = choose(pool, least);

	if (!s)
		return false;
	r->worker = (unsigned)(s - pool->policy.slot) + 1;
	r->since_ns = now_ns;
	exchange_worker_call(pool->setup.exchange, r->worker - 1);
	return true;
}

void refork_before_nap(struct pool *pool, uint64_t now_ns)
{
	const struct vassal_config *c = &pool->config;
	struct refork *r = &pool->refork;

	if (r->worker > 0 && policy_is_to_nap(&pool->policy, now_ns))
		policy_hold_nap(&pool->policy, r->since_ns + NAP_HOLD_NS);
	/* the thread that looks for deadlocks is not copied */
	if (!c->idle_refork || c->deadlock_timeout_s > 0 || r->nap_tried || !is_possible(pool) ||
	    !policy_is_to_nap(&pool->policy, now_ns) || !begin(r, 1, now_ns))
		return;
	r->for_nap = r->nap_tried = true;
	policy_hold_nap(&pool->policy, now_ns + NAP_HOLD_NS);
}

void refork_tick(struct pool *pool, uint64_t now_ns)
{
	struct refork *r = &pool->refork;

	if (r->old_pid > 0 && now_ns - r->since_ns > LEAVE_NS)
		(void)kill(r->old_pid, SIGKILL);
	if (r->worker > 0) {
		change_places(r);
		if (r->worker > 0 && now_ns - r->since_ns > (r->for_nap ? NAP_HOLD_NS : REFORK_NS))
			fail(r, "it did not come to it in time");
	} else if (pool->config.refork > 0 && r->tries < TRIES_MAX && is_possible(pool) &&
		   begin(r, (uint64_t)pool->config.refork * (r->tries + 1), now_ns)) {
		r->for_nap = false;
		r->tries++;
	}
}

bool refork_exited(struct pool *pool, pid_t pid)
{
	struct refork *r = &pool->refork;

	if (pid == r->old_pid) {
		r->old_pid = 0;
		return true;
	}
	if (r->pid == 0 || pid != r->pid)
		return false;
	r->pid = 0;
	fail(r, "the new mold died");
	return true;
}

void refork_worker_gone(struct pool *pool, unsigned number)
{
	struct refork *r = &pool->refork;

	if (r->worker == number + 1 && r->pid == 0)
		fail(r, "it ended");
}

void refork_init(struct pool *pool)
{
	pool->refork = (struct refork){.pool = pool, .fd = -1};
}

void refork_end(struct pool *pool)
{
	struct refork *r = &pool->refork;

	end_new_mold(r);
	if (r->old_pid > 0)
		(void)kill(r->old_pid, SIGKILL);
	r->worker = 0;
	r->done = true;
}
