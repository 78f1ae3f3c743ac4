/*
 * actions - what lifecycle.c decides is done here. Events come in, one action each goes out; whatever an action finds out
 * (a file that cannot be parsed, a process that cannot be started) is an event again.
 *
 * Which bytes are started: the file's, as it is now. If they fail while older bytes have served, those older ones are
 * tried in turn with them whenever nothing runs any more: a broken edit must not turn a crash into an outage.
 */
#include "emperor/vassals/machine.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

#include "shared/clock.h"
#include "shared/err.h"
#include "shared/log.h"
#include "shared/scoreboard.h"

static void drop_candidate(struct app *a)
{
	struct generation *g = TAKE_PTR(a->candidate);

	vassals_unqueue(a->v, a);
	if (!g)
		return;
	g->part = PART_LEAVING;
	generation_end(g, 0);
}

void app_show_face(struct app *a, struct loaded *l)
{
	uid_t was = a->face ? a->face->uid : (uid_t)-1;
	struct loaded *old = a->face;

	a->v->name_freed |= old && !str_eq(old->domains, l->domains);
	a->face = loaded_ref(l);
	loaded_unref(old);
	a->v->routes_changed = true;
	if (was != l->uid)
		tell_app(a);
}

void app_prune_doors(struct app *a)
{
	const struct loaded *keep[] = {
		a->face,
		a->serving ? a->serving->loaded : NULL,
		a->candidate ? a->candidate->loaded : NULL,
	};

	doors_prune(&a->doors, keep, ARRAY_SIZE(keep));
}

static void do_nothing(struct app *a, const char *why)
{
	(void)a;
	(void)why;
}

static void do_start(struct app *a, const char *why)
{
	ev_timer_stop(a->v->setup.loop, &a->retry);
	if (a->last_error &&
	    str_eq(a->last_error, why)) /* its front was lost, which has been said */
		log_info("%s: starting again", a->name);
	else
		log_info("%s: %s: %s", a->name, why,
			 a->serving ? "a new generation starts beside the old one" : "starting");
	vassals_queue_start(a->v, a);
}

/*
 * The candidate may hold code that is known to be wrong: it makes way. But changes that come faster than it starts must not
 * keep the old code for ever, so that one of them gets through before the next is tried.
 */
static void do_restart(struct app *a, const char *why)
{
	if (!a->candidate) /* waits for its turn, and takes what is there then */
		return;
	if (a->hurries == VASSALS_HURRIES) {
		if (!a->again)
			log_info(
				"%s: %s: the next generation starts after the one that is starting",
				a->name, why);
		a->again = true;
		return;
	}
	a->hurries++;
	drop_candidate(a);
	do_start(a, why);
}

/* The candidate is through, whichever way. */
static void start_again(struct app *a)
{
	bool again = a->again;

	if (a->state == APP_STARTING || a->state == APP_REPLACING)
		return;
	a->again = false;
	a->hurries = 0;
	if (again && (a->state == APP_RUNNING || a->state == APP_BACKOFF))
		app_event(a, LIFE_CHANGE, "it has changed while it was started");
}

void app_take_door(struct app *a)
{
	if (!doors_take_next(&a->doors))
		return;
	log_warning("%s: its front had shut the gate's door: it has a new one", a->name);
	tell_app(a);
	tell_change(a, EVENT_NOTE, "its front had shut the gate's door: it has a new one");
}

static void begin_serving(struct app *a)
{
	struct generation *g = TAKE_PTR(a->candidate);
	struct err err = {0};

	rollback_begins(a, g);
	restart_served(&a->restart);
	a->serving = g;
	g->part = PART_SERVING;
	ini_unref(a->good);
	a->good = ini_ref(g->ini);
	free(TAKE_PTR(a->last_error));
	app_put_text(
		&a->reason, "%s",
		a->rolled ? a->rolled_why
		: a->good == a->wanted
			? ""
			: "its ini as it is now does not start; an older version of it serves");
	machine_took(a, g->loaded);
	machine_explain(a);
	if (doors_adjust(&a->doors, g->loaded, &err) < 0)
		log_warning("%s: %s", a->name, err.text);
	app_take_door(a);
	/* First the gate leaves the app's own listeners, then the front comes. */
	tell_gate(a);
	if (generation_serve(g) < 0)
		generation_kill(g);
	app_show_face(a, g->loaded);
	tell_stats_door(a);
	tell_ini(a, clock_wall_ns());
}

static void say_woken(struct app *a)
{
	char text[96];

	if (a->woken_ns == 0)
		return;
	(void)snprintf(text, sizeof(text), "woken: serves after %" PRIu64 " ms",
		       (uint64_t)((clock_now_ns() - a->woken_ns) / NS_PER_MS));
	a->woken_ns = 0;
	log_info("%s: %s", a->name, text);
	tell_change(a, EVENT_WOKEN, text);
}

static void do_serve(struct app *a, const char *why)
{
	begin_serving(a);
	app_prune_doors(a);
	log_info("%s: generation %" PRIu64 " serves (pid %d, uid %u): %s", a->name,
		 a->serving->number, (int)a->serving->pid, (unsigned)a->serving->loaded->uid, why);
	tell_change(a, EVENT_STARTED, why);
	say_woken(a);
}

static void do_swap(struct app *a, const char *why)
{
	struct generation *old = a->serving;

	old->part = PART_LEAVING; /* already in what is written down before the other serves */
	begin_serving(a);
	generation_replace(a->serving, old);
	rollback_swapped(a);
	app_prune_doors(a);
	log_info("%s: generation %" PRIu64 " serves (pid %d): %s; generation %" PRIu64 " drains",
		 a->name, a->serving->number, (int)a->serving->pid, why, old->number);
	tell_change(a, EVENT_RELOADED, why);
}

static void do_keep_old(struct app *a, const char *why)
{
	log_warning("%s: generation %" PRIu64 " keeps serving", a->name, a->serving->number);
	app_put_text(&a->reason, "the new generation failed, the old one keeps serving: %s", why);
	/* What should have come back does not start any more. */
	if (a->rolled)
		rollback_forget(a);
	app_prune_doors(a);
	tell_change_of(a, a->failed, EVENT_FAILED, a->last_error ? a->last_error : why);
}

static void do_back_off(struct app *a, const char *why)
{
	uint64_t now = clock_now_ns();
	uint32_t random = 0;
	double wait_s;
	char text[ERR_TEXT_MAX];

	(void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
	wait_s = (double)(restart_wait(&a->restart, now, random) - now) / 1e9;
	a->woken_ns = 0;
	ev_timer_stop(a->v->setup.loop, &a->retry);
	ev_timer_set(&a->retry, wait_s, 0);
	ev_timer_start(a->v->setup.loop, &a->retry);
	/* The two versions take turns, so that whichever can start does. */
	a->use_good = a->good && a->good != a->wanted && !a->use_good;
	app_put_text(&a->reason, "%s", why);
	app_prune_doors(a);
	if (wait_s < 0.05)
		(void)snprintf(text, sizeof(text), "failure %u in a row, next try at once",
			       a->restart.failures);
	else
		(void)snprintf(text, sizeof(text), "failure %u in a row, next try in %.1f s",
			       a->restart.failures, wait_s);
	log_warning("%s: %s; a change of %s or a command tries at once", a->name, text, a->file);
	tell_change_of(a, a->failed, EVENT_FAILED, a->last_error ? a->last_error : why);
	tell_change(a, EVENT_BACKOFF, text);
}

static void do_stop(struct app *a, const char *why)
{
	struct generation *serving;

	if (a->serving)
		rollback_leaves(a);
	serving = TAKE_PTR(a->serving);
	a->awake = false;
	ev_timer_stop(a->v->setup.loop, &a->retry);
	drop_candidate(a);
	a->v->routes_changed |= a->gone;
	log_info("%s: %s: stopping", a->name, why);
	/* The gate hears first: what arrives from now on is answered by it, not left in the door. */
	tell_change(a, EVENT_NONE, "");
	if (serving) {
		serving->part = PART_LEAVING;
		generation_end(serving, serving->loaded->config.graceful_timeout_s);
	}
	/* Nobody stands in any more: who comes now is refused at once, and not left waiting for the end. */
	if (a->v->shutting_down)
		doors_prune(&a->doors, NULL, 0);
	if (!a->generations)
		app_event(a, LIFE_EMPTY, why);
}

static void do_close(struct app *a, const char *why)
{
	/* One that was only stopped keeps its addresses: the gate says there when to come again. */
	if (a->gone)
		doors_prune(&a->doors, NULL, 0);
	else
		app_prune_doors(a);
	/* Why it was stopped stands in its reason since then; why says only that it has come true. */
	if (a->reason && *a->reason)
		why = a->reason;
	log_info("%s: stopped (%s)", a->name, why);
	tell_change(a, EVENT_STOPPED, why);
	if (!a->gone) {
		app_renew(a);
		return;
	}
	a->dead = true;
	a->v->routes_changed = true;
	tell_gone(a);
}

static void (*const actions[DO_COUNT])(struct app *a, const char *why) = {
	[DO_NOTHING] = do_nothing,   [DO_START] = do_start,        [DO_RESTART] = do_restart,
	[DO_SERVE] = do_serve,       [DO_SWAP] = do_swap,          [DO_KEEP_OLD] = do_keep_old,
	[DO_BACK_OFF] = do_back_off, [DO_STOP] = do_stop,          [DO_CLOSE] = do_close,
	[DO_SLEEP] = sleep_begin,    [DO_CHECK] = sleep_check_ini,
};

void app_event(struct app *a, enum life_event event, const char *why)
{
	const struct life_step *s = lifecycle_next(a->state, event);
	enum app_state was = a->state;

	if (!s) {
		log_error("%s: \"%s\" cannot happen to an app that is %s: ignored (%s)", a->name,
			  lifecycle_event_name(event), app_state_name(a->state), why);
		return;
	}
	if (event == LIFE_START || event == LIFE_CHANGE) {
		restart_reset(&a->restart);
		a->use_good = false;
	}
	if (was == APP_SLEEPING && s->to != was)
		sleep_end(a);
	if (s->to != was) {
		a->state = s->to;
		a->since_wall_ns = clock_wall_ns();
		if (event != LIFE_EMPTY)
			app_put_text(&a->reason, "%s", why);
	}
	actions[s->action](a, why);
	/* An action that ended in another event, or told more itself, has said so already; this is for the rest. */
	if (a->state == s->to && s->to != was && (s->action == DO_START || s->action == DO_NOTHING))
		tell_change(a, EVENT_NONE, "");
	start_again(a);
}
