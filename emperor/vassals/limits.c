/*
 * limits - counts, limits and timeouts of a running generation that change in place: same processes, same requests. The
 * front is told, and what it answers becomes the truth: until then the old numbers are.
 *
 * Only a change of the file's bytes comes here, or of files that it reads. Touching a file asks for new code, whatever it
 * says.
 */
#include "emperor/vassals/machine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "shared/clock.h"
#include "shared/config_diff.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/log.h"
#include "shared/scoreboard.h"

void limits_done(struct limits *l)
{
	loaded_unref(l->loaded);
	ini_unref(l->ini);
	free(l->config);
	*l = (struct limits){0};
}

/* Asks again: an answer to the question before will be too old. */
static int ask(struct generation *g, enum msg_kind kind, uint64_t value, int fd,
	       struct limits *next)
{
	int r = generation_ask(g, kind, value, fd);

	if (r < 0)
		return r;
	limits_done(&g->pending);
	g->pending = *next;
	*next = (struct limits){0};
	return 0;
}

/* What would be different, if all of that can change in place. -EALREADY: nothing. */
static int compare(const struct generation *g, const struct loaded *l, struct limits *next,
		   struct err *err)
{
	struct config_items was = {0};
	struct config_diff d = {0};
	int r = config_items_decode(g->config, g->config_n, &was, err);

	if (r == 0)
		r = config_diff(&was, &l->items, &d, err);
	if (r == 0 && d.n == 0)
		r = -EALREADY;
	if (r == 0 && (!d.live || !machine_limit_is_live(g, l)))
		r = -ENOTSUP;
	if (r == 0)
		(void)config_diff_text(&d, next->text, sizeof(next->text));
	config_diff_done(&d);
	config_items_done(&was);
	return r;
}

static int change(struct app *a, struct generation *g, struct limits *next, struct err *err)
{
	_cleanup_(fd_closep) int fd = -1;
	struct loaded *l;
	int r = app_parse(a, a->wanted, &l, err);

	if (r < 0)
		return r;
	next->loaded = l;
	next->ini = ini_ref(a->wanted);
	r = machine_grant(a, l, err);
	if (r == 0)
		r = compare(g, l, next, err);
	if (r == 0)
		r = config_items_encode(&l->items, &next->config, &next->config_n, err);
	loaded_drop_items(l);
	if (r < 0)
		return r;
	r = fd_sealed_memfd(&fd, "emperor-config", next->config, next->config_n);
	return r < 0 ? r : ask(g, MSG_CONFIG, 0, fd, next);
}

/* 0: its front is told. -EALREADY: the values are the same. Else it needs a new generation. */
static int try(struct app *a, const char *what)
{
	struct generation *g = a->serving;
	struct limits next = {0};
	struct err err = {0};
	int r;

	if (a->state != APP_RUNNING || !g || a->candidate || a->queued || !a->wanted ||
	    !g->config || a->wanted->owner != g->ini->owner || a->wanted->roots != g->ini->roots)
		return -ENOTSUP;
	/* An error is told by the new generation that does not start because of it. */
	r = change(a, g, &next, &err);
	limits_done(&next);
	if (r == 0)
		log_info("%s: %s has changed: %s, in place", a->name, what, g->pending.text);
	return r;
}

bool limits_change(struct app *a)
{
	return try(a, "its ini") == 0;
}

/* What an earlier edit had wrong is mended. */
static void forget_mistake(struct app *a)
{
	free(TAKE_PTR(a->last_error));
	app_put_text(&a->reason, "%s", "");
	machine_explain(a);
}

bool limits_follow(struct app *a, const char *what)
{
	int r;

	/* What came back instead of the file is not what the file says. */
	if (a->rolled)
		return false;
	r = try(a, what);
	if (r == -EALREADY) {
		log_info("%s: %s was written anew and says the same", a->name, what);
		if (a->last_error) {
			forget_mistake(a);
			tell_change(a, EVENT_NONE, "");
		}
	}
	return r == 0 || r == -EALREADY;
}

int limits_scale(struct app *a, unsigned processes, const char *why, struct err *err)
{
	struct generation *g = a->serving;
	struct limits next = {.processes = processes};
	int r;

	if (!g)
		return err_set(err, -EAGAIN, "%s: is %s: nothing serves that could be scaled",
			       a->name, app_state_name(a->state));
	/* Its answer would be taken for too old, and what the file says for never asked. */
	if (g->serial != 0 && g->pending.loaded)
		return err_set(err, -EAGAIN, "%s: its front has not answered yet to %s", a->name,
			       g->pending.text);
	(void)snprintf(next.text, sizeof(next.text), "processes: %u -> %u, %s",
		       g->scaled ? g->scaled : g->loaded->config.processes, processes, why);
	r = ask(g, MSG_SCALE, processes, -1, &next);
	return r < 0 ? err_set(err, r, "%s: its front cannot be told: %s", a->name, strerror(-r))
		     : 0;
}

static void take(struct generation *g, struct limits *l)
{
	struct app *a = g->app;

	if (!l->loaded) {
		g->scaled = l->processes;
		if (g == a->serving)
			machine_scaled(a, l->processes);
		return;
	}
	if (g == a->serving)
		rollback_edited(a);
	/* As the front does: only another number of processes undoes the one that was commanded. */
	if (g->loaded->config.processes != l->loaded->config.processes)
		g->scaled = 0;
	if (g == a->serving)
		machine_took(a, l->loaded);
	loaded_unref(g->loaded);
	g->loaded = loaded_ref(l->loaded);
	ini_unref(g->ini);
	g->ini = ini_ref(l->ini);
	free(g->config);
	g->config = TAKE_PTR(l->config);
	g->config_n = l->config_n;
	if (g != a->serving)
		return;
	ini_unref(a->good);
	a->good = ini_ref(l->ini);
	if (a->good == a->wanted && !a->rolled)
		forget_mistake(a);
	app_show_face(a, l->loaded);
	tell_ini(a, clock_wall_ns());
}

static void refused(struct generation *g, const struct limits *l, const char *why_not)
{
	struct app *a = g->app;
	char why[512];

	(void)snprintf(why, sizeof(why), "%s: refused: %s", l->text, why_not);
	log_warning("%s: %s", a->name, why);
	tell_change(a, EVENT_REFUSED, why);
	/* What the file says has to come true all the same. */
	if (l->loaded && g == a->serving)
		app_event(a, LIFE_CHANGE, "its ini has changed, and not in place");
}

void limits_answered(struct generation *g, uint64_t serial, const char *why_not)
{
	struct app *a = g->app;
	struct limits l = g->pending;
	struct err err = {0};
	char text[400];

	if (serial == 0 || serial != g->serial)
		return;
	g->serial = 0;
	g->pending = (struct limits){0};
	if (!*why_not && l.loaded && g == a->serving)
		(void)machine_limit(g, l.loaded, &err);
	if (*why_not || err.text[0]) {
		refused(g, &l, *why_not ? why_not : err.text);
	} else {
		take(g, &l);
		(void)snprintf(text, sizeof(text), "limits changed: %s", l.text);
		log_info("%s: generation %" PRIu64 ": %s", a->name, g->number, text);
		tell_change(a, EVENT_LIMITS, text);
	}
	limits_done(&l);
}
