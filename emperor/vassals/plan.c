/*
 * plan - what the files of some directories would change, app by app, before anything does: parsed with the emperor's own
 * defaults and users, and compared with what runs. See vassals.h.
 *
 * All files are read before any is judged: a name or an address is free if whoever has it gives it up in the same change, and bytes that
 * are gone under one name and new under another are a rename.
 */
#include "emperor/vassals/machine.h"

#include <errno.h>
#include <stdio.h>

#include "emperor/watch/scan.h"
#include "shared/config_diff.h"
#include "shared/err.h"
#include "shared/scoreboard.h"

#define TEXT_MAX 1024
/* Names and addresses that go from hand to hand: a longer chain in one change takes the emperor some turns too. */
#define HANDS_MAX 8

struct row {                        /* one name */
	const struct app *app;      /* NULL: there is none */
	const struct scan_entry *e; /* NULL: there is no file */
	struct loaded *l;           /* a reference; NULL: cannot be taken, or there is no file */
	const struct row *renamed;  /* the other end */
	bool holds;    /* names and addresses in l (NULL: none), and no longer those of now */
	char *problem; /* owned */
};

struct plan {
	const struct vassals *v;
	bool staged;
	plan_fn *fn;
	void *arg;
	struct row *rows; /* owned; by name */
	size_t n;
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

static const char *name_of(const struct row *r)
{
	return r->app ? r->app->name : r->e->name;
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

	return load_ini(&source, p->v->setup.rules, ret, err);
}

/* As it would be started: with fewer processes where max-workers leaves no more. */
static int grant(const struct app *a, struct loaded *l)
{
	unsigned granted = machine_room(a, l->config.processes);
	char text[16];

	if (granted >= l->config.processes)
		return 0;
	l->config.processes = granted;
	(void)snprintf(text, sizeof(text), "%u", granted);
	return config_items_add(&l->items, "processes", text, "max-workers", 0, true, NULL);
}

/* Of a generation that runs; as many as there can be if it has not said. */
static unsigned room_of(const struct generation *g)
{
	const struct scoreboard *b;
	unsigned room = 0;

	if (board_map_readonly(g->app->board_ro_fd, &b, NULL) < 0)
		return LIMIT_WORKERS;
	if (board_get(&b->bank[g->bank].generation) == g->number)
		room = atomic_load_explicit(&b->bank[g->bank].room, memory_order_relaxed);
	board_unmap(b);
	return room > 0 ? room : LIMIT_WORKERS;
}

static enum plan_kind judge_live(struct plan *p, const struct generation *g, const struct loaded *l)
{
	unsigned room = room_of(g);
	size_t n = strlen(p->text);

	if (!machine_limit_is_live(g, l)) {
		(void)snprintf(p->text + n, sizeof(p->text) - n,
			       " (the generation that runs is in no cgroup)");
		return PLAN_RELOAD;
	}
	if (l->config.processes <= room)
		return PLAN_LIMITS;
	(void)snprintf(p->text + n, sizeof(p->text) - n,
		       " (the generation that runs has room for %u)", room);
	return PLAN_RELOAD;
}

/* What a command has set is in no ini, and ends with the generation or with another number in the ini. */
static void tell_scaled(struct plan *p, enum plan_kind kind, const struct generation *g,
			const struct loaded *l)
{
	bool ends = kind == PLAN_RELOAD ||
		    (kind == PLAN_LIMITS && g->loaded->config.processes != l->config.processes);
	size_t n = strlen(p->text);

	if (g->scaled == 0)
		return;
	(void)snprintf(p->text + n, sizeof(p->text) - n, "%s%u process%s by command%s",
		       n > 0 ? "; " : "", g->scaled, g->scaled == 1 ? "" : "es",
		       ends ? ", until then" : " stay in force");
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
		kind = judge_live(p, g, l);
	/* The emperor has seen these files: a link in a path leads elsewhere since, or it was rolled back. */
	if (d.n > 0 && !p->staged && !touched && !includes_differ(g->app)) {
		char changes[TEXT_MAX];

		memcpy(changes, p->text, sizeof(changes));
		(void)snprintf(p->text, sizeof(p->text), "until it is reloaded; then %.960s",
			       changes);
		kind = PLAN_NOTHING;
	}
	tell_scaled(p, kind, g, l);
	config_diff_done(&d);
	config_items_done(&was);
	return kind;
}

static bool same_bytes(const struct app *a, const struct scan_entry *e)
{
	return a && e && a->wanted && a->wanted->n == e->n &&
	       memcmp(a->wanted->bytes, e->bytes, e->n) == 0;
}

static enum plan_kind judge_known(struct plan *p, const struct app *a, const struct scan_entry *e,
				  const struct loaded *l)
{
	bool touched = !p->staged && fingerprint_compare(&a->print, &e->print) != FINGERPRINT_SAME;
	bool same;

	if (a->gone)
		return say(p, PLAN_START, "its ini is back");
	if (a->state == APP_STOPPED || a->state == APP_STOPPING)
		return say(p, PLAN_NOTHING, "it stays stopped until a command starts it");
	if (a->serving)
		return compare(p, a->serving, l, touched);
	same = same_bytes(a, e) && !touched;
	if (same && !includes_differ(a))
		return say(p, PLAN_NOTHING, app_state_name(a->state));
	if (a->state == APP_SLEEPING)
		return say(p, PLAN_NOTHING, "it sleeps, and starts anew when it is woken");
	return say(p, PLAN_START,
		   same ? "a file that its ini reads has changed" : "its ini has changed");
}

static enum plan_kind judge_new(struct plan *p, const struct row *r)
{
	const struct loaded *l = r->l;
	char from[LIMIT_NAME + 64] = "";

	if (r->renamed)
		(void)snprintf(from, sizeof(from),
			       "renamed from %s: that app stops, and this one starts anew; ",
			       name_of(r->renamed));
	(void)snprintf(p->text, sizeof(p->text), "%s%s%s%s%suid %u", from, l->domains,
		       *l->domains && *l->addresses ? ", " : "", l->addresses,
		       *l->domains || *l->addresses ? ", " : "", (unsigned)l->uid);
	return PLAN_START;
}

static enum plan_kind judge_missing(struct plan *p, const struct row *r)
{
	if (!r->holds)
		return say(p, PLAN_NOTHING, "");
	if (!r->renamed)
		return say(p, PLAN_STOP, "there is no ini of this name");
	(void)snprintf(p->text, sizeof(p->text),
		       "its ini is renamed to %s: this app stops, and %s starts",
		       name_of(r->renamed), name_of(r->renamed));
	return PLAN_STOP;
}

static enum plan_kind judge(struct plan *p, const struct row *r)
{
	if (!r->e)
		return judge_missing(p, r);
	if (!r->holds)
		return say(p, PLAN_REFUSED, r->problem ? r->problem : "out of memory");
	return r->app ? judge_known(p, r->app, r->e, r->l) : judge_new(p, r);
}

/* -- all of them ---------------------------------------------------------------------------------------- */

static void add_row(struct plan *p, const struct app *a, const struct scan_entry *e,
		    bool incomplete)
{
	struct row *r = &p->rows[p->n++];
	struct err err = {0};

	*r = (struct row){.app = a, .e = e};
	if (!e) {
		r->holds = !incomplete && a && !a->gone;
		return;
	}
	if (e->problem)
		(void)err_set(&err, -EINVAL, "%s: %s", e->path, e->problem);
	else if (e->bytes && load(p, a, e, &r->l, &err) == 0 && a && a->serving &&
		 grant(a, r->l) < 0)
		loaded_unref(TAKE_PTR(r->l));
	if (!r->l && err.text[0])
		r->problem = strdup(err.text);
}

static void add_rows(struct plan *p, const struct scan *scan)
{
	size_t i = 0;

	/* both are sorted by name */
	for (size_t k = 0; k < p->v->n; k++) {
		const struct app *a = p->v->v[k];
		bool has = false;

		if (a->dead)
			continue;
		while (i < scan->n && strcmp(scan->v[i].name, a->name) < 0)
			add_row(p, NULL, &scan->v[i++], false);
		has = i < scan->n && str_eq(scan->v[i].name, a->name);
		add_row(p, a, has ? &scan->v[i++] : NULL, scan->incomplete);
	}
	while (i < scan->n)
		add_row(p, NULL, &scan->v[i++], false);
}

static bool same_file(const struct row *gone, const struct row *fresh)
{
	return !fresh->app && fresh->l && !fresh->renamed && same_bytes(gone->app, fresh->e);
}

/* Of several with the same bytes the first goes with the first. */
static void find_renames(struct plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct row *gone = &p->rows[i];

		if (gone->e || !gone->holds)
			continue;
		for (size_t k = 0; k < p->n && !gone->renamed; k++) {
			if (!same_file(gone, &p->rows[k]))
				continue;
			gone->renamed = &p->rows[k];
			p->rows[k].renamed = gone;
		}
	}
}

struct asker {
	const struct plan *p;
	const struct row *row;
};

static const char *holder_then(void *arg, const struct domain_config *d)
{
	const struct asker *asker = arg;

	for (size_t i = 0; i < asker->p->n; i++) {
		const struct row *r = &asker->p->rows[i];

		if (r != asker->row &&
		    (r->holds ? routes_claims(r->l, d) : r->app && routes_app_claims(r->app, d)))
			return name_of(r);
	}
	return NULL;
}

static bool listens_then(void *arg, const struct address *a, char who[ADDRESSES_WHO])
{
	const struct asker *asker = arg;

	for (size_t i = 0; i < asker->p->n; i++) {
		const struct row *r = &asker->p->rows[i];

		if (r == asker->row ||
		    !(r->holds ? addresses_wants(r->l, a)
			       : r->app && !r->app->gone && addresses_app_has(r->app, a)))
			continue;
		addresses_say_app(name_of(r), who);
		return true;
	}
	if (asker->row->app && addresses_keep_own(asker->row->app, a, who))
		return true;
	return addresses_are_shared(asker->p->v, a, who);
}

/* True: it has its names and addresses now. */
static bool take_names(const struct plan *p, struct row *r)
{
	const char *file = r->app ? r->app->file : r->e->path;
	struct asker asker = {p, r};
	struct err err = {0};

	if (!r->l || r->holds)
		return false;
	free(TAKE_PTR(r->problem));
	if (routes_check_by(r->l, file, holder_then, &asker, &err) < 0 ||
	    addresses_check_by(r->l, file, listens_then, &asker, &err) < 0) {
		r->problem = strdup(err.text);
		return false;
	}
	r->holds = true;
	return true;
}

/* As the emperor does it: whoever is refused for a name tries again when one becomes free. */
static void give_names(struct plan *p)
{
	bool any = true;

	for (unsigned turn = 0; any && turn < HANDS_MAX; turn++) {
		any = false;
		for (size_t i = 0; i < p->n; i++)
			any |= take_names(p, &p->rows[i]);
	}
}

static void plan_all(struct plan *p, const struct scan *scan)
{
	add_rows(p, scan);
	find_renames(p);
	give_names(p);
	for (size_t i = 0; i < p->n; i++) {
		const struct row *r = &p->rows[i];
		enum plan_kind kind = judge(p, r);

		p->fn(p->arg, name_of(r), r->e ? r->e->path : r->app->file, kind, p->text);
	}
}

static void plan_done(struct plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		loaded_unref(p->rows[i].l);
		free(p->rows[i].problem);
	}
	free(p->rows);
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
	if (r == 0) {
		p.rows = calloc(scan.n + v->n + 1, sizeof(*p.rows));
		r = p.rows ? 0 : err_set(err, -ENOMEM, "out of memory");
	}
	if (r == 0)
		plan_all(&p, &scan);
	plan_done(&p);
	scan_done(&scan);
	return r;
}
