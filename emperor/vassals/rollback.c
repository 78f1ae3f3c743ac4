/*
 * rollback - a new generation is watched for its first seconds (probation.h), and if it is worse than the one it replaced,
 * what that one ran comes back as a generation of its own: the same bytes, resolved as they were then, so that a release
 * link that leads elsewhere by now does not matter.
 *
 * What a rollback brings back is always something else than what runs: the version before the last reload that changed the
 * ini or the release, or the bytes before the last edit that was taken in place. Code that was changed where it stands
 * cannot come back, so that a reload of the same version is not on probation.
 *
 * What failed is not tried again by itself: a version that was brought back is what every later start uses, after a crash
 * or a sleep too, until the file changes or somebody asks for a reload.
 *
 * All of it is written down for the next emperor, for a probation is a matter of seconds and so is a new emperor. The counts
 * are in the scoreboard, which outlives both; what failed while there was no emperor counts like the rest.
 */
#include "emperor/vassals/machine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "emperor/vassals/release.h"
#include "emperor/vassals/saved.h"
#include "shared/clock.h"
#include "shared/config_diff.h"
#include "shared/err.h"
#include "shared/log.h"
#include "shared/scoreboard.h"

#define LOOK_S        1.0
#define ROLLED_BEFORE "rolled back before: an older version serves"

struct version { /* what a generation ran; shared by reference count */
	unsigned refs;
	uint64_t number;
	unsigned wanted; /* as in struct loaded: config says what max-workers left */
	struct ini *ini; /* a reference */
	char *config;    /* owned: its items, encoded; NULL: an earlier emperor has not said */
	size_t config_n;
};

static struct version *version_ref(struct version *v)
{
	if (v)
		v->refs++;
	return v;
}

static void version_unref(struct version *v)
{
	if (!v || --v->refs > 0)
		return;
	ini_unref(v->ini);
	free(v->config);
	free(v);
}

/* NULL without memory: then there is nothing to come back to. */
static struct version *version_new(uint64_t number, struct ini *ini, struct span config)
{
	struct version *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	*v = (struct version){.refs = 1, .number = number, .ini = ini_ref(ini)};
	if (config.n == 0)
		return v;
	v->config = malloc(config.n);
	if (!v->config) {
		version_unref(v);
		return NULL;
	}
	memcpy(v->config, config.p, config.n);
	v->config_n = config.n;
	return v;
}

static struct version *version_of(const struct generation *g)
{
	struct version *v =
		version_new(g->number, g->ini, span_of(g->config, g->config ? g->config_n : 0));

	if (v)
		v->wanted = g->loaded->wanted;
	return v;
}

/* Do both run the same options, links resolved? Not if that is unknown. */
static bool same_version(const struct generation *a, const struct generation *b)
{
	struct config_items x = {0}, y = {0};
	struct config_diff d = {0};
	bool same = a->config && b->config && a->ini->owner == b->ini->owner &&
		    a->ini->roots == b->ini->roots &&
		    config_items_decode(a->config, a->config_n, &x, NULL) == 0 &&
		    config_items_decode(b->config, b->config_n, &y, NULL) == 0 &&
		    config_diff(&x, &y, &d, NULL) == 0 && d.n == 0;

	config_diff_done(&d);
	config_items_done(&x);
	config_items_done(&y);
	return same;
}

/* Is the code the same? Limits that change in place, which max-workers may have cut, say nothing about that. */
static bool same_code(const struct version *v, const struct config_items *items)
{
	struct config_items was = {0};
	struct config_diff d = {0};
	bool same = v->config && config_items_decode(v->config, v->config_n, &was, NULL) == 0 &&
		    config_diff(&was, items, &d, NULL) == 0 && (d.n == 0 || d.live);

	config_diff_done(&d);
	config_items_done(&was);
	return same;
}

/* What g runs, and what ran when an emperor before was stopped. */
static bool is_what_ended(const struct generation *g, const struct version *ended)
{
	struct config_items items = {0};
	bool same;

	/* Of one that slept, only its bytes are known. */
	if (!ended->config)
		return g->ini->n == ended->ini->n &&
		       memcmp(g->ini->bytes, ended->ini->bytes, g->ini->n) == 0;
	same = g->config && config_items_decode(g->config, g->config_n, &items, NULL) == 0 &&
	       same_code(ended, &items);
	config_items_done(&items);
	return same;
}

/* An answer that failed is counted once, whoever tells of it. */
static struct probation_count sample(const struct app *a, unsigned bank)
{
	const struct scoreboard *board;
	const struct board_counters *c;
	struct probation_count r;

	if (board_map_readonly(a->board_ro_fd, &board, NULL) < 0)
		return (struct probation_count){0};
	c = &board->bank[bank].counters;
	r.requests = board_get(&c->requests);
	r.errors = MAX(board_get(&c->responses[5]),
		       board_get(&c->exceptions) + board_get(&c->worker_deaths));
	board_unmap(board);
	return r;
}

static struct probation_count since_it_serves(const struct app *a, const struct generation *g)
{
	struct probation_count now = sample(a, g->bank);

	return probation_since(&g->base, &now);
}

static void roll(struct app *a, const char *why)
{
	a->rolled = version_ref(a->previous);
	version_unref(a->bad);
	a->bad = version_of(a->serving);
	app_put_text(&a->rolled_why, "%s", why);
	log_warning("%s: %s", a->name, why);
	tell_change(a, EVENT_ROLLED_BACK, why);
	app_event(a, LIFE_CHANGE, why);
}

static void judge(struct app *a, struct generation *g)
{
	struct probation_count now = since_it_serves(a, g);
	uint64_t span_ns = g->loaded->config.probation_s * NS_PER_S;
	char counts[160], why[320];

	switch (probation_judge(&a->old_count, &now, clock_now_ns() - g->serving_ns, span_ns)) {
	case PROBATION_WAIT:
		return;
	case PROBATION_PASSED:
		g->passed = true;
		persist_mark(a);
		break;
	case PROBATION_FAILED:
		(void)snprintf(why, sizeof(why),
			       "generation %" PRIu64 " is rolled back to what generation %" PRIu64
			       " ran: %s",
			       g->number, a->previous->number,
			       probation_text(&a->old_count, &now, counts, sizeof(counts)));
		roll(a, why);
		break;
	}
	ev_timer_stop(a->v->setup.loop, &a->probation);
}

static void on_look(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct app *a = container_of(w, struct app, probation);

	(void)revents;
	if (!a->serving || a->serving->passed || !a->previous || a->rolled)
		ev_timer_stop(loop, w);
	else if (a->state == APP_RUNNING && !a->candidate && !a->queued)
		judge(a, a->serving);
}

void rollback_init(struct app *a)
{
	ev_init(&a->probation, on_look);
	a->probation.repeat = LOOK_S;
}

static void remember(struct app *a, const struct generation *old)
{
	version_unref(a->previous);
	a->previous = version_of(old);
	a->old_count = since_it_serves(a, old);
}

void rollback_begins(struct app *a, struct generation *g)
{
	const struct generation *old = a->serving;

	g->base = sample(a, g->bank);
	g->passed = !old || a->rolled;
	/* It has come back: there is nothing to come back to from there. */
	if (a->rolled)
		version_unref(TAKE_PTR(a->previous));
	/* One that was still on trial is nothing to come back to: the one before it is. */
	else if (old && (old->passed || !a->previous)) {
		if (same_version(old, g))
			g->passed = true;
		else
			remember(a, old);
	} else if (!old && a->ended && !is_what_ended(g, a->ended)) {
		/* It has changed while nothing ran. */
		version_unref(a->previous);
		a->previous = version_ref(a->ended);
	}
	version_unref(TAKE_PTR(a->ended));
}

void rollback_leaves(struct app *a)
{
	/* What came back is held anyway; one on trial is nothing to come back to. */
	if (a->rolled || (a->previous && !a->serving->passed))
		return;
	version_unref(a->ended);
	a->ended = version_of(a->serving);
}

void rollback_edited(struct app *a)
{
	if (a->serving->passed || !a->previous)
		remember(a, a->serving);
}

void rollback_swapped(struct app *a)
{
	if (a->rolled || a->serving->passed)
		return;
	if (a->previous && a->serving->loaded->config.probation_s > 0)
		ev_timer_again(a->v->setup.loop, &a->probation);
	else
		a->serving->passed = true;
}

/* -- for the next emperor ------------------------------------------------------------------------------- */

void rollback_describe(const struct app *a, struct saved *s)
{
	const struct generation *g = a->serving;
	const struct version *old = a->previous;

	s->rolled = a->rolled != NULL;
	(void)snprintf(s->rolled_why, sizeof(s->rolled_why), "%s",
		       a->rolled && a->rolled_why ? a->rolled_why : "");
	if (g && !g->passed) {
		s->trial = 1;
		s->base_requests = g->base.requests;
		s->base_errors = g->base.errors;
	}
	/* What serves says by what; of what came back and does not run just now, only this does. */
	if (!g && a->rolled && !old && a->rolled->config)
		s->config = span_of(a->rolled->config, a->rolled->config_n);
	if (a->rolled && a->bad) {
		s->bad_number = a->bad->number;
		s->bad_config = span_of(a->bad->config, a->bad->config ? a->bad->config_n : 0);
	}
	if (a->rolled)
		s->old_wanted = a->rolled->wanted;
	if (!old)
		return;
	s->old_number = old->number;
	s->old_owner = old->ini->owner;
	s->old_roots = old->ini->roots;
	s->old_requests = a->old_count.requests;
	s->old_errors = a->old_count.errors;
	s->old_wanted = old->wanted;
	s->old_ini = span_of(old->ini->bytes, old->ini->n);
	s->old_config = span_of(old->config, old->config ? old->config_n : 0);
}

void rollback_go_on(struct app *a, const struct saved *s, struct ini *ini, struct ini *old_ini)
{
	const char *why = s->rolled_why;

	a->old_count = (struct probation_count){s->old_requests, s->old_errors};
	if (s->old_number > 0 && old_ini)
		a->previous = version_new(s->old_number, old_ini, s->old_config);
	if (a->previous)
		a->previous->wanted = (unsigned)s->old_wanted;
	if ((s->ended || (s->state == APP_SLEEPING && s->good)) && !s->rolled)
		a->ended = version_new(s->served ? s->served : s->numbers, ini, s->config);
	if (!s->rolled)
		return;
	if (s->bad_config.n > 0)
		a->bad = version_new(s->bad_number, NULL, s->bad_config);
	/* Under way, it is what was to come back; else it has, and is what served last. */
	a->rolled = a->previous ? version_ref(a->previous) : version_new(0, ini, s->config);
	if (a->rolled && !a->previous)
		a->rolled->wanted = (unsigned)s->old_wanted;
	if (!*why) /* an emperor that did not write it down */
		why = s->state == APP_RUNNING && *s->reason ? s->reason : ROLLED_BEFORE;
	app_put_text(&a->rolled_why, "%s", why);
}

void rollback_watch_on(struct app *a, const struct saved *s, bool same_board)
{
	struct generation *g = a->serving;
	uint64_t now_ns = clock_now_ns();

	if (!g || !s->trial || !a->previous)
		return;
	/* A scoreboard that begins anew begins at 0. */
	if (same_board)
		g->base = (struct probation_count){s->base_requests, s->base_errors};
	if (!a->rolled && !probation_goes_on(now_ns - MIN(now_ns, g->serving_ns),
					     g->loaded->config.probation_s * NS_PER_S)) {
		log_info("%s: generation %" PRIu64 " was on probation, which has ended too long "
			 "ago to be judged",
			 a->name, g->number);
		return;
	}
	g->passed = false;
	if (!a->rolled)
		ev_timer_again(a->v->setup.loop, &a->probation);
}

void rollback_rested(struct app *a)
{
	struct loaded *l = NULL;
	bool held;

	/* What cannot be read cannot be tried either: what came back can. */
	if (!a->rolled || !a->bad || !a->bad->config || app_parse(a, a->wanted, &l, NULL) < 0)
		return;
	held = same_code(a->bad, &l->items);
	loaded_unref(l);
	if (held)
		return;
	log_info("%s: its ini leads to something else than what was rolled back from, and is tried",
		 a->name);
	rollback_forget(a);
}

/* -- what is started ------------------------------------------------------------------------------------- */

int rollback_load(struct app *a, struct loaded **ret, struct err *err)
{
	const struct version *v = a->rolled;
	const struct load_source source = {
		.file = a->file, .dir = a->dir, .owner = v->ini->owner, .roots = v->ini->roots};
	struct loaded *l = NULL;
	int r = v->config ? load_items(&source, a->v->setup.rules, span_of(v->config, v->config_n),
				       &l, err)
			  : app_parse(a, v->ini, &l, err);

	if (r < 0)
		return r;
	r = v->config ? machine_uncut(l, v->wanted, err) : 0;
	if (r == 0)
		r = routes_check(a->v, a, l, err);
	if (r < 0) {
		loaded_unref(l);
		return r;
	}
	*ret = l;
	return 0;
}

struct ini *rollback_ini(const struct app *a)
{
	return a->rolled->ini;
}

const struct ini *rollback_previous(const struct app *a)
{
	return a->previous && !a->rolled ? a->previous->ini : NULL;
}

void rollback_held(const struct app *a, struct app_release *ret)
{
	ret->held = a->rolled != NULL;
	if (!a->rolled || !a->bad)
		return;
	ret->held_number = a->bad->number;
	release_path(span_of(a->bad->config, a->bad->config ? a->bad->config_n : 0),
		     ret->held_back);
}

void rollback_forget(struct app *a)
{
	version_unref(TAKE_PTR(a->rolled));
	version_unref(TAKE_PTR(a->bad));
	free(TAKE_PTR(a->rolled_why));
}

int rollback_by_command(struct app *a, struct err *err)
{
	char why[160];

	if (a->rolled)
		return err_set(err, -EALREADY,
			       "%s: is rolled back already; reload takes its ini as it is",
			       a->name);
	if (a->state != APP_RUNNING || !a->serving || a->candidate || a->queued)
		return err_set(err, -EAGAIN, "%s: is %s: only what runs can be rolled back",
			       a->name, app_state_name(a->state));
	if (!a->previous)
		return err_set(err, -ENOENT,
			       "%s: no older version is known: no other ini and no other release "
			       "than what runs has served (code that was changed where it stands "
			       "cannot be brought back)",
			       a->name);
	(void)snprintf(
		why, sizeof(why), "rolled back by command to what generation %" PRIu64 " ran%s",
		a->previous->number,
		a->previous->number == a->serving->number ? " before its ini was edited in place"
							  : "");
	roll(a, why);
	return 0;
}

void rollback_done(struct app *a)
{
	ev_timer_stop(a->v->setup.loop, &a->probation);
	rollback_forget(a);
	version_unref(TAKE_PTR(a->previous));
	version_unref(TAKE_PTR(a->ended));
}
