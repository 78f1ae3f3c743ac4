/*
 * plan - what the files of some directories would change, app by app, before anything does: parsed with the emperor's own
 * defaults and users, and compared with what runs. See vassals.h.
 */
#include "emperor/vassals/internal.h"

#include <errno.h>
#include <stdio.h>

#include "emperor/watch/scan.h"
#include "shared/config_diff.h"
#include "shared/err.h"

#define TEXT_MAX 1024

struct plan {
	const struct vassals *v;
	bool staged;
	plan_fn *fn;
	void *arg;
	char text[TEXT_MAX];
};

static const char *const names[PLAN_KIND_COUNT] = {
	[PLAN_NOTHING] = "nothing", [PLAN_START] = "start",   [PLAN_STOP] = "stop",
	[PLAN_RELOAD] = "reload",   [PLAN_LIMITS] = "limits", [PLAN_REFUSED] = "refused",
};

const char *plan_kind_name(enum plan_kind kind)
{
	return (unsigned)kind < PLAN_KIND_COUNT ? names[kind] : "?";
}

static enum plan_kind say(struct plan *p, enum plan_kind kind, const char *text)
{
	(void)snprintf(p->text, sizeof(p->text), "%s", text);
	return kind;
}

static int load(const struct plan *p, const struct app *a, const struct scan_entry *e,
		struct loaded **ret, struct err *err)
{
	/* In its place, so that what it says of its own path comes out as it will. */
	const struct load_source source = {
		.file = a && p->staged ? a->file : e->path,
		.dir = a && p->staged ? a->dir : e->dir,
		.bytes = e->bytes,
		.n = e->n,
		.owner = e->owner,
		.roots = e->roots,
	};
	const struct app nobody = {.file = e->path};
	struct loaded *l;
	int r = load_ini(&source, p->v->setup.rules, &l, err);

	if (r < 0)
		return r;
	r = routes_check(p->v, a ? a : &nobody, l, err);
	if (r < 0) {
		loaded_unref(l);
		return r;
	}
	*ret = l;
	return 0;
}

/* Against what serves: the items that it was started with. */
static enum plan_kind compare(struct plan *p, const struct generation *g, const struct loaded *l,
			      bool touched)
{
	struct config_items was = {0};
	struct config_diff d = {0};
	enum plan_kind kind = PLAN_RELOAD;

	if (!g->config || config_items_decode(g->config, g->config_n, &was, NULL) < 0 ||
	    config_diff(&was, &l->items, &d, NULL) < 0)
		kind = say(p, touched ? PLAN_RELOAD : PLAN_NOTHING,
			   touched ? "its ini has changed" : "");
	else if (d.n > 0)
		(void)config_diff_text(&d, p->text, sizeof(p->text));
	else
		kind = say(p, touched ? PLAN_RELOAD : PLAN_NOTHING,
			   touched ? "its ini was touched" : "");
	if (d.n > 0 && d.live)
		kind = PLAN_LIMITS;
	/* The emperor has seen this file: a link in a path leads elsewhere since, or it was rolled back. */
	if (d.n > 0 && !p->staged && !touched) {
		char changes[TEXT_MAX];

		memcpy(changes, p->text, sizeof(changes));
		(void)snprintf(p->text, sizeof(p->text), "until it is reloaded; then %.960s",
			       changes);
		kind = PLAN_NOTHING;
	}
	config_diff_done(&d);
	config_items_done(&was);
	return kind;
}

static bool same_bytes(const struct app *a, const struct scan_entry *e)
{
	return a->wanted && a->wanted->n == e->n && memcmp(a->wanted->bytes, e->bytes, e->n) == 0;
}

static enum plan_kind judge_known(struct plan *p, const struct app *a, const struct scan_entry *e,
				  const struct loaded *l)
{
	bool touched = !p->staged && fingerprint_compare(&a->print, &e->print) != FINGERPRINT_SAME;

	if (a->gone)
		return say(p, PLAN_START, "its ini is back");
	if (a->state == APP_STOPPED || a->state == APP_STOPPING)
		return say(p, PLAN_NOTHING, "it stays stopped until a command starts it");
	if (a->serving)
		return compare(p, a->serving, l, touched);
	if (same_bytes(a, e) && !touched)
		return say(p, PLAN_NOTHING, app_state_name(a->state));
	return say(p, a->state == APP_SLEEPING ? PLAN_NOTHING : PLAN_START,
		   a->state == APP_SLEEPING ? "it sleeps, and starts anew when it is woken"
					    : "its ini has changed");
}

static enum plan_kind judge_new(struct plan *p, const struct loaded *l)
{
	(void)snprintf(p->text, sizeof(p->text), "%s%s%s, uid %u", l->domains,
		       *l->domains && *l->addresses ? ", " : "", l->addresses, (unsigned)l->uid);
	return PLAN_START;
}

static void plan_entry(struct plan *p, const struct app *a, const struct scan_entry *e)
{
	struct err err = {0};
	struct loaded *l = NULL;
	enum plan_kind kind;

	if (e->problem) {
		(void)snprintf(p->text, sizeof(p->text), "%s: %s", e->path, e->problem);
		kind = PLAN_REFUSED;
	} else if (!e->bytes || load(p, a, e, &l, &err) < 0) {
		kind = say(p, PLAN_REFUSED, err.text[0] ? err.text : "out of memory");
	} else {
		kind = a ? judge_known(p, a, e, l) : judge_new(p, l);
	}
	loaded_unref(l);
	p->fn(p->arg, e->name, e->path, kind, p->text);
}

static void plan_missing(struct plan *p, const struct app *a, bool incomplete)
{
	enum plan_kind kind = incomplete || a->gone ? PLAN_NOTHING : PLAN_STOP;

	p->fn(p->arg, a->name, a->file, kind,
	      kind == PLAN_STOP ? "there is no ini of this name" : "");
}

static void plan_all(struct plan *p, const struct scan *scan)
{
	size_t i = 0;

	/* both are sorted by name */
	for (size_t k = 0; k < p->v->n; k++) {
		const struct app *a = p->v->v[k];

		if (a->dead)
			continue;
		while (i < scan->n && strcmp(scan->v[i].name, a->name) < 0)
			plan_entry(p, NULL, &scan->v[i++]);
		if (i < scan->n && str_eq(scan->v[i].name, a->name))
			plan_entry(p, a, &scan->v[i++]);
		else
			plan_missing(p, a, scan->incomplete);
	}
	while (i < scan->n)
		plan_entry(p, NULL, &scan->v[i++]);
}

static const char *file_of(void *arg, const char *name)
{
	return vassals_file_of(arg, name);
}

int vassals_plan(struct vassals *v, const struct plan_dirs *dirs, plan_fn *fn, void *arg,
		 struct err *err)
{
	const struct scan_rules rules = {
		.only_root = geteuid() == 0,
		.tyrant = dirs->tyrant,
		.known = dirs->staged ? NULL : file_of,
		.known_arg = v,
	};
	struct plan p = {.v = v, .staged = dirs->staged, .fn = fn, .arg = arg};
	struct scan scan = {0};
	int r = scan_run(&scan, dirs->dirs, dirs->n, &rules, err);

	if (r == 0 && dirs->staged && scan.incomplete)
		r = err_set(err, -EIO, "%s", scan.complaint ? scan.complaint : "cannot be read");
	if (r == 0)
		plan_all(&p, &scan);
	scan_done(&scan);
	return r;
}
