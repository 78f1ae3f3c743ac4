/*
 * rollback - a new generation is watched for its first seconds (probation.h), and if it is worse than the one it replaced,
 * what that one ran comes back as a generation of its own: the same bytes, resolved as they were then, so that a release
 * link that leads elsewhere by now does not matter.
 *
 * What failed is not tried again by itself: a version that was brought back is what every later start uses, after a crash
 * or a sleep too, until the file changes or somebody asks for a reload.
 */
#include "emperor/vassals/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "shared/clock.h"
#include "shared/err.h"
#include "shared/log.h"
#include "shared/scoreboard.h"

#define LOOK_S 1.0

struct version { /* what a generation ran; shared by reference count */
	unsigned refs;
	uint64_t number;
	struct ini *ini;       /* a reference */
	struct loaded *loaded; /* a reference */
	char *config;          /* owned: its items, encoded; NULL: an earlier emperor's */
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
	loaded_unref(v->loaded);
	free(v->config);
	free(v);
}

/* NULL without memory: then there is nothing to come back to. */
static struct version *version_of(const struct generation *g)
{
	struct version *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	*v = (struct version){.refs = 1, .number = g->number};
	v->config = g->config ? malloc(g->config_n) : NULL;
	if (v->config) {
		memcpy(v->config, g->config, g->config_n);
		v->config_n = g->config_n;
	}
	v->ini = ini_ref(g->ini);
	v->loaded = loaded_ref(g->loaded);
	return v;
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

void rollback_begins(struct app *a, struct generation *g)
{
	g->base = sample(a, g->bank);
	g->passed = !a->serving || a->rolled;
}

void rollback_swapped(struct app *a, const struct generation *old)
{
	/* One that was still on trial is nothing to come back to: the one before it is. */
	if (old->passed || !a->previous) {
		version_unref(a->previous);
		a->previous = version_of(old);
		a->old_count = since_it_serves(a, old);
	}
	if (a->rolled) {
		version_unref(TAKE_PTR(a->previous));
		return;
	}
	if (a->previous && a->serving->loaded->config.probation_s > 0)
		ev_timer_again(a->v->setup.loop, &a->probation);
	else
		a->serving->passed = true;
}

void rollback_go_on(struct app *a, struct ini *ini, const char *why)
{
	struct version *v = calloc(1, sizeof(*v));

	if (!v)
		return;
	*v = (struct version){.refs = 1, .ini = ini_ref(ini)};
	a->rolled = v;
	app_put_text(&a->rolled_why, "%s", why);
}

int rollback_load(struct app *a, struct loaded **ret, struct err *err)
{
	struct version *v = a->rolled;
	struct loaded *l = NULL;
	int r;

	if (v->config) {
		l = loaded_ref(v->loaded);
		loaded_drop_items(l);
		r = config_items_decode(v->config, v->config_n, &l->items, err);
	} else {
		r = app_parse(a, v->ini, &l, err);
	}
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

void rollback_forget(struct app *a)
{
	version_unref(TAKE_PTR(a->rolled));
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
			       "%s: no older version is known: this one is the first that served "
			       "since the emperor started",
			       a->name);
	(void)snprintf(why, sizeof(why),
		       "rolled back by command to what generation %" PRIu64 " ran",
		       a->previous->number);
	roll(a, why);
	return 0;
}

void rollback_done(struct app *a)
{
	ev_timer_stop(a->v->setup.loop, &a->probation);
	rollback_forget(a);
	version_unref(TAKE_PTR(a->previous));
}
