/*
 * lifecycle - see lifecycle.h.
 */
#include "vassal/front/lifecycle.h"

#include "shared/clock.h"
#include "shared/err.h"
#include "shared/log.h"
#include "shared/vassal_config.h"
#include "vassal/front/bare.h"
#include "vassal/front/conn.h"
#include "vassal/front/doors.h"
#include "vassal/front/doze.h"
#include "vassal/front/ending.h"
#include "vassal/front/handback.h"
#include "vassal/front/link.h"
#include "vassal/front/loop.h"
#include "vassal/front/notes.h"
#include "vassal/front/pidfile.h"
#include "vassal/front/state.h"
#include "vassal/pool/pool.h"
#include "vassal/tasks/tasks.h"

/* Past the time to finish: a worker without a request leaves in some ms, one with it is killed after its stacks. */
#define LAST_GRACE_S 1
#define EXIT_FAILED  22 /* could not load the app, as the engine itself says it: not a crash */

static void show_state(struct front *f, enum front_state state)
{
	atomic_store_explicit(&f->bank->state, state, memory_order_relaxed);
}

void lifecycle_ready(struct front *f, uint64_t import_us, unsigned workers)
{
	if (f->phase != PHASE_STARTING)
		return;
	f->phase = PHASE_READY;
	show_state(f, FRONT_READY);
	link_say(f, MSG_READY, import_us, workers, "");
	if (f->alone || f->serve_asked)
		lifecycle_serve(f);
}

void lifecycle_failed(struct front *f, enum fail_phase phase, const char *text)
{
	/* the emperor says it itself; alone, our stderr may be the log */
	if (f->alone && f->log.fd >= 0)
		log_error("%s: %s", msg_phase_name(phase), text);
	/* a traceback behind the first line was printed by the app, and stands in the log already */
	logbook_say(&f->log, f->wall_ns, "failed (%s): %.*s", msg_phase_name(phase),
		    (int)strcspn(text, "\n"), text);
	link_say(f, MSG_FAILED, phase, 0, text);
	f->exit_code = EXIT_FAILED;
	lifecycle_drain(f, 0, -1);
}

void lifecycle_serve(struct front *f)
{
	struct err err = {0};

	if (f->phase == PHASE_STARTING) {
		f->serve_asked = true;
		return;
	}
	if (f->phase != PHASE_READY)
		return;
	f->phase = PHASE_SERVING;
	show_state(f, FRONT_SERVING);
	doors_open(f);
	doze_begin(f);
	tasks_serve(f->tasks);
	loop_kick(f);
	if (f->alone)
		log_info("serving");
	else if (!f->pidfile_is_kept && pidfile_write(f->config->pidfile, &err) < 0)
		notes_say(f, err.text); /* that the app serves is worth more */
}

static void stop_pool(struct front *f, unsigned grace_s)
{
	if (f->phase >= PHASE_STOPPING)
		return;
	f->phase = PHASE_STOPPING;
	if (f->pool)
		pool_stop(f->pool, grace_s);
	else
		bare_stop(f);
}

static void on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct front *f = container_of(w, struct front, drain_timer);

	(void)loop;
	(void)revents;
	if (f->phase == PHASE_DRAINING && f->conns_n > 0)
		logbook_say(&f->log, f->wall_ns, "graceful timeout: %u connections are closed",
			    f->conns_n);
	ending_mercy(f);
	stop_pool(f, LAST_GRACE_S);
	tasks_drain(f->tasks, 0, false);
}

/* Nobody takes these. A request that is under way to us is answered; who asks nothing for a while is let go. */
static void close_idle(struct front *f)
{
	const uint64_t grace_ns = LIMIT_IDLE_GRACE_S * NS_PER_S;

	for (struct conn *c = f->conns, *next; c; c = next) {
		next = c->next;
		if (c->state == CONN_HEAD && c->in.n == 0 &&
		    f->now_ns >= MAX(c->begun_ns, f->drain_ns) + grace_ns)
			conn_close(c);
	}
}

void lifecycle_tend(struct front *f)
{
	if (f->phase != PHASE_DRAINING)
		return;
	handback_idle(f);
	if (f->heir_fd < 0)
		close_idle(f);
}

void lifecycle_drain(struct front *f, unsigned grace_s, int heir_fd)
{
	if (f->phase >= PHASE_DRAINING) {
		if (heir_fd >= 0)
			(void)close(heir_fd);
		if (grace_s == 0) {
			ending_now(f);
			if (f->phase == PHASE_STOPPING && f->pool)
				pool_stop(f->pool, 0);
			stop_pool(f, 0);
			tasks_drain(f->tasks, 0, false);
		}
		return;
	}
	f->phase = PHASE_DRAINING;
	f->heir_fd = heir_fd;
	f->drain_ns = f->now_ns;
	show_state(f, FRONT_DRAINING);
	doors_close(f);
	/* who waits for the reload may now count on the new code */
	if (!f->alone)
		link_say(f, MSG_STATE, FRONT_DRAINING, 0, "");
	handback_idle(f);
	tasks_drain(f->tasks, grace_s, f->replaced);
	if (grace_s == 0) {
		ending_now(f);
		stop_pool(f, 0);
		return;
	}
	ev_timer_init(&f->drain_timer, on_deadline, grace_s, 0.);
	ev_timer_start(f->loop, &f->drain_timer);
	loop_kick(f);
}

void lifecycle_check(struct front *f)
{
	if (f->phase == PHASE_DRAINING && f->conns_n == 0 && f->jobs_n == 0)
		stop_pool(f, f->config->worker_mercy_s);
}

static void leave(struct front *f)
{
	f->phase = PHASE_ENDED;
	show_state(f, FRONT_GONE);
	if (!f->alone && !f->pidfile_is_kept)
		pidfile_remove(f->config->pidfile);
	if (f->exit_code == 0)
		link_say(f, MSG_DRAINED, 0, 0, "");
	ev_break(f->loop, EVBREAK_ALL);
}

void lifecycle_stopped(struct front *f)
{
	f->pool_gone = true;
	/* a pool that failed by itself has not been waited for by anybody else */
	if (f->phase < PHASE_DRAINING)
		tasks_drain(f->tasks, 0, false);
	if (tasks_over(f->tasks))
		leave(f);
}

void lifecycle_tasks_over(struct front *f)
{
	if (f->pool_gone && f->phase != PHASE_ENDED)
		leave(f);
}
