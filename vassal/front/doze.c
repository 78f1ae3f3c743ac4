/*
 * doze - see doze.h.
 *
 * Counters tell whether anything has happened since the last turn, so a request costs nothing extra. The timer is set for
 * the earliest moment at which the front could be idle for long enough, and is not touched by requests in between.
 */
#include "vassal/front/doze.h"

#include "shared/clock.h"
#include "shared/vassal_config.h"
#include "vassal/front/lifecycle.h"
#include "vassal/front/link.h"
#include "vassal/front/state.h"

#define DOZE_AGAIN_S 1. /* something was in the way, or the emperor had other plans */

static bool takes_over(const struct front *f)
{
	for (size_t i = 0; i < ARRAY_SIZE(f->adopt); i++)
		if (f->adopt[i].fd >= 0)
			return true;
	return false;
}

static bool is_idle(const struct front *f)
{
	/* what runs beside the app is there to run */
	if (f->tasks)
		return false;
	if (f->phase != PHASE_SERVING || f->jobs_n > 0 || f->queued_n > 0 || takes_over(f))
		return false;
	for (const struct conn *c = f->conns; c; c = c->next)
		if (c->state != CONN_HEAD || c->in.n > 0 || c->eof || !c->route || f->gate.fd < 0)
			return false;
	return true;
}

static void set_timer(struct front *f, double seconds)
{
	ev_timer_stop(f->loop, &f->doze.timer);
	ev_timer_set(&f->doze.timer, seconds, 0.);
	ev_timer_start(f->loop, &f->doze.timer);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct front *f = container_of(w, struct front, doze.timer);
	uint64_t after_ns = f->config->sleep_after_s * NS_PER_S;
	uint64_t idle_ns = f->now_ns - MIN(f->doze.active_ns, f->now_ns);

	(void)loop;
	(void)revents;
	if (f->phase != PHASE_SERVING || after_ns == 0)
		return;
	if (idle_ns < after_ns) {
		set_timer(f, (double)(after_ns - idle_ns) / (double)NS_PER_S);
		return;
	}
	/* Without an emperor nobody would wake us. */
	if (is_idle(f))
		link_say(f, MSG_IDLE, idle_ns / NS_PER_MS, 0, "");
	set_timer(f, DOZE_AGAIN_S);
}

void doze_begin(struct front *f)
{
	ev_init(&f->doze.timer, on_timer);
	f->doze.active_ns = f->now_ns;
	if (f->config->sleep_after_s > 0 && !f->alone)
		set_timer(f, f->config->sleep_after_s);
}

void doze_configured(struct front *f)
{
	/* the timer reckons anew when it comes */
	if (f->phase == PHASE_SERVING && f->config->sleep_after_s > 0 && !f->alone)
		set_timer(f, DOZE_AGAIN_S);
}

void doze_note(struct front *f)
{
	uint64_t events = board_get(&f->count->requests) + board_get(&f->count->connections);

	if (events == f->doze.events && f->jobs_n == 0 && f->queued_n == 0)
		return;
	f->doze.events = events;
	f->doze.active_ns = f->now_ns;
}

void doze_go(struct front *f)
{
	uint64_t idle_ns = f->now_ns - MIN(f->doze.active_ns, f->now_ns);

	if (!is_idle(f))
		return; /* somebody has come meanwhile */
	lifecycle_drain(f, f->config->graceful_timeout_s, -1);
	link_say(f, MSG_ASLEEP, idle_ns / NS_PER_MS, 0, "");
}
