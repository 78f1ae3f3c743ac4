/*
 * want - reloads that are asked for, by people, by files that changed, by a signal to the front: all go this one way, so
 * that a storm of them is a few generations and each asker gets one that started after it asked.
 *
 * A request that comes alone is let through at once. Others wait: WANT_EVERY_NS after the last that was let through, and
 * while a candidate is young enough to become ready, because restarting it for each request would let none ever serve.
 * A change of the ini itself does not come here: it may mend what the candidate hangs in.
 */
#include "emperor/vassals/internal.h"

#include "shared/clock.h"
#include "shared/log.h"

#define WANT_EVERY_NS NS_PER_S
#define WANT_AGAIN_S  0.2
#define WANT_PATIENCE_NS \
	(30 * NS_PER_S) /* what imports longer is taken to hang when somebody asks again */

static bool may_now(const struct app *a, uint64_t now_ns)
{
	const struct generation *g = a->candidate;

	if (g && now_ns - MIN(now_ns, g->spawned_ns) < WANT_PATIENCE_NS)
		return false;
	return a->reloaded_ns == 0 || now_ns - MIN(now_ns, a->reloaded_ns) >= WANT_EVERY_NS;
}

static void let_through(struct app *a)
{
	char *why = TAKE_PTR(a->want_why);

	a->reloaded_ns = clock_now_ns();
	if (a->state == APP_STOPPED || a->state == APP_STOPPING)
		log_info("%s: not reloaded: it is %s meanwhile", a->name, app_state_name(a->state));
	else
		app_event(a, LIFE_CHANGE, why ? why : "reload was asked for");
	free(why);
}

static void on_want(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct app *a = container_of(w, struct app, want);

	(void)revents;
	if (!may_now(a, clock_now_ns()))
		return;
	ev_timer_stop(loop, w);
	let_through(a);
}

void want_init(struct app *a)
{
	ev_init(&a->want, on_want);
	a->want.repeat = WANT_AGAIN_S;
}

void want_reload(struct app *a, const char *why)
{
	rollback_forget(a);
	/* one that waits, here or for its turn to start, will do for this one too */
	if (ev_is_active(&a->want) || a->queued)
		return;
	app_put_text(&a->want_why, "%s", why);
	if (may_now(a, clock_now_ns()))
		let_through(a);
	else
		ev_timer_again(a->v->setup.loop, &a->want);
}

void want_done(struct app *a)
{
	ev_timer_stop(a->v->setup.loop, &a->want);
	free(TAKE_PTR(a->want_why));
}
