/*
 * vassals - see vassals.h. The table itself: what the directories hold becomes events of apps.
 *
 * Nothing is freed while its own callback runs: the end of each loop turn starts who is due, collects the dead, and tells
 * the gate about routes once, however many changed.
 */
#include "emperor/vassals/machine.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "emperor/vassals/legacy.h"
#include "emperor/watch/reconcile.h"
#include "emperor/watch/scan.h"
#include "shared/err.h"
#include "shared/log.h"

#define STARTS_PER_CPU 2

/* -- the end of a turn ---------------------------------------------------------------------------------- */

void vassals_bury(struct vassals *v, struct generation *g)
{
	g->next = v->graveyard;
	v->graveyard = g;
}

/* A name may have become free: who was refused for it tries again. */
static void retry_refused(struct vassals *v)
{
	v->name_freed = false;
	for (size_t i = 0; i < v->n; i++)
		if (v->v[i]->conflict &&
		    (v->v[i]->state == APP_BACKOFF || v->v[i]->state == APP_RUNNING ||
		     v->v[i]->state == APP_SLEEPING))
			app_event(v->v[i], LIFE_CHANGE, "a name that it asked for may be free");
}

static void collect(struct vassals *v)
{
	size_t kept = 0;

	while (v->graveyard) {
		struct generation *g = v->graveyard;

		v->graveyard = g->next;
		generation_free(g);
	}
	for (size_t i = 0; i < v->n; i++) {
		if (v->v[i]->dead && !v->v[i]->generations) {
			app_free(v->v[i]);
			v->name_freed = true;
		} else {
			v->v[kept++] = v->v[i];
		}
	}
	v->n = kept;
	if (v->name_freed)
		retry_refused(v);
}

static void on_turn(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct vassals *v = container_of(w, struct vassals, turn);

	(void)loop;
	(void)revents;
	collect(v);
	vassals_pump(v);
	if (v->routes_changed)
		routes_publish(v);
	handover_end(v);
	if (v->routes_changed)
		routes_publish(v);
	persist_flush(v);
	if (v->shutting_down && v->n == 0 && v->done) {
		vassals_done_fn *done = TAKE_PTR(v->done);

		done(v->done_arg);
	}
}

/* -- reconcile ------------------------------------------------------------------------------------------ */

int vassals_insert(struct vassals *v, struct app *a)
{
	size_t at = v->n;

	if (v->n == v->room) {
		size_t room = v->room ? v->room * 2 : 16;
		struct app **p = reallocarray(v->v, room, sizeof(struct app *));

		if (!p)
			return -ENOMEM;
		v->v = p;
		v->room = room;
	}
	while (at > 0 && strcmp(v->v[at - 1]->name, a->name) > 0)
		at--;
	memmove(&v->v[at + 1], &v->v[at], (v->n - at) * sizeof(struct app *));
	v->v[at] = a;
	v->n++;
	return 0;
}

/* The file as it is now becomes what is wanted. */
static void take_file(struct app *a, struct scan_entry *e)
{
	struct ini *ini = NULL;
	char *file;

	a->print = e->print;
	a->gone = false;
	a->yields = false;
	persist_mark(a);
	a->dir = e->dir;
	if (!str_eq(a->file, e->path)) {
		file = strdup(e->path);
		if (file) {
			free(a->file);
			a->file = file;
		}
	}
	if (e->bytes)
		ini = calloc(1, sizeof(*ini));
	if (ini) {
		*ini = (struct ini){
			.refs = 1,
			.bytes = e->bytes,
			.n = e->n,
			.owner = e->owner,
			.roots = e->roots,
		};
		e->bytes = NULL;
	}
	ini_unref(a->wanted);
	a->wanted = ini;
	free(a->problem);
	a->problem = TAKE_PTR(e->problem);
}

static void add(struct vassals *v, struct scan_entry *e, bool comes)
{
	struct err err = {0};
	struct app *a;

	if (app_new(&a, v, e->name, e->path, e->dir, &err) < 0) {
		log_error("%s: cannot be taken in: %s", e->name, err.text);
		return;
	}
	if (vassals_insert(v, a) < 0) {
		log_error("%s: cannot be taken in: out of memory", e->name);
		app_free(a);
		return;
	}
	take_file(a, e);
	a->seen = true;
	a->comes = comes;
	app_event(a, LIFE_START, "new ini");
}

static const char *const change_texts[] = {
	[FINGERPRINT_SAME] = "",
	[FINGERPRINT_TOUCHED] = "its ini was touched",
	[FINGERPRINT_MOVED] = "its ini's link leads elsewhere",
	[FINGERPRINT_CONTENT] = "its ini has changed",
};

/* renames: inis have gone and others have come. */
static void act(struct vassals *v, struct scan *scan, const struct reconcile_action *action,
		struct app *const *known, bool renames)
{
	struct scan_entry *e = action->wanted == SIZE_MAX ? NULL : &scan->v[action->wanted];
	struct app *a = action->known == SIZE_MAX ? NULL : known[action->known];
	bool in_place, leaves;

	if (a && e)
		a->seen = true;
	switch (action->kind) {
	case RECONCILE_KEEP:
		break;
	case RECONCILE_START:
		assert(e);
		if (a) {
			leaves = a->yields;
			rollback_forget(a);
			take_file(a, e);
			v->routes_changed = true;
			app_event(a, leaves ? LIFE_CHANGE : LIFE_START, "its ini is back");
		} else {
			add(v, e, renames);
		}
		break;
	case RECONCILE_CHANGE:
	case RECONCILE_TOUCH:
		assert(a && e);
		/* another file stands for another release, even if it asks for other limits too */
		in_place =
			action->change == FINGERPRINT_CONTENT && a->print.target == e->print.target;
		rollback_forget(a);
		take_file(a, e);
		if (!in_place || !limits_change(a))
			app_event(a, LIFE_CHANGE, change_texts[action->change]);
		break;
	case RECONCILE_STOP:
		assert(a);
		if (renames) {
			handover_begin(a);
			break;
		}
		a->gone = true;
		app_event(a, LIFE_STOP, "its ini is gone");
		break;
	}
}

/* Which became which nobody asks: who comes takes what it finds. */
static bool has_renames(const struct reconcile_action *actions, size_t n)
{
	bool comes = false, goes = false;

	for (size_t i = 0; i < n; i++) {
		comes |= actions[i].kind == RECONCILE_START && actions[i].known == SIZE_MAX;
		goes |= actions[i].kind == RECONCILE_STOP;
	}
	return comes && goes;
}

static void say_complaint(struct vassals *v, const struct scan *scan)
{
	const char *was = v->complaint ? v->complaint : "";
	const char *now = scan->complaint ? scan->complaint : "";

	if (str_eq(was, now))
		return;
	if (*now)
		log_warning("%s", now);
	free(v->complaint);
	v->complaint = scan->complaint ? strdup(scan->complaint) : NULL;
}

void vassals_reconcile(struct vassals *v, struct scan *scan)
{
	size_t total = scan->n + v->n;
	_cleanup_(freep) struct reconcile_item *items = calloc(total + 1, sizeof(*items));
	_cleanup_(freep) struct reconcile_action *actions = calloc(total + 1, sizeof(*actions));
	_cleanup_(freep) struct app **known = calloc(v->n + 1, sizeof(struct app *));
	size_t known_n = 0;
	size_t n;
	bool renamed;

	if (v->shutting_down)
		return;
	if (!items || !actions || !known) {
		log_error("out of memory: the directories are looked at again later");
		return;
	}
	say_complaint(v, scan);
	for (size_t i = 0; i < scan->n; i++)
		items[i] =
			(struct reconcile_item){.name = scan->v[i].name, .print = scan->v[i].print};
	for (size_t i = 0; i < v->n; i++) {
		struct app *a = v->v[i];

		if (a->dead) /* forgotten in this very turn; the next look starts it anew */
			continue;
		known[known_n] = a;
		items[scan->n + known_n++] = (struct reconcile_item){a->name, a->print, a->gone};
	}
	n = reconcile(items, scan->n, items + scan->n, known_n, scan->incomplete, actions);
	renamed = has_renames(actions, n);
	for (size_t i = 0; i < n; i++)
		act(v, scan, &actions[i], known, renamed);
	/* a folder that could not be read may have been now */
	if (v->resumed)
		vassals_resume(v);
	includes_follow(v);
}

/* -- for main ------------------------------------------------------------------------------------------- */

static void on_pump(struct ev_loop *loop, ev_timer *timer, int revents)
{
	/* Only wakes the loop: the end of the turn looks at the queue. */
	(void)loop;
	(void)timer;
	(void)revents;
}

int vassals_new(struct vassals **ret_vassals, const struct vassals_setup *setup, struct err *err)
{
	struct vassals *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return err_set(err, -ENOMEM, "vassals: out of memory");
	v->setup = *setup;
	v->queue_last = &v->queue;
	v->epoch_fd = -1;
	v->epoch_ro_fd = -1;
	v->wake_fd = -1;
	v->state_dir_fd = -1;
	v->start_at_once = MAX(1U, setup->rules->cpus) * STARTS_PER_CPU;
	ev_prepare_init(&v->turn, on_turn);
	ev_prepare_start(setup->loop, &v->turn);
	ev_init(&v->pump, on_pump);
	r = routes_open(v, legacy_take(setup->legacy, VASSALS_KEPT_EPOCH, NULL), err);
	if (r == 0)
		r = sleep_open(v, err);
	machine_open(v);
	if (r == 0 && setup->run_dir)
		r = persist_open(v, setup->run_dir, err);
	if (r < 0) {
		vassals_free(v);
		return r;
	}
	*ret_vassals = v;
	return 0;
}

void vassals_free(struct vassals *v)
{
	if (!v)
		return;
	ev_prepare_stop(v->setup.loop, &v->turn);
	ev_timer_stop(v->setup.loop, &v->pump);
	for (size_t i = 0; i < v->n; i++)
		app_free(v->v[i]);
	v->n = 0;
	collect(v);
	machine_close(v);
	sleep_close(v);
	routes_close(v);
	if (v->state_dir_fd >= 0)
		(void)close(v->state_dir_fd);
	free(v->complaint);
	free(v->v);
	free(v);
}

static int by_name(const void *name, const void *app)
{
	return strcmp(name, (*(struct app *const *)app)->name);
}

const char *vassals_file_of(const struct vassals *v, const char *name)
{
	struct app *const *a =
		v->n > 0 ? bsearch(name, v->v, v->n, sizeof(struct app *), by_name) : NULL;

	return a && !(*a)->gone && !(*a)->dead ? (*a)->file : NULL;
}

void vassals_count(const struct vassals *v, unsigned ret_counts[APP_STATE_COUNT])
{
	memset(ret_counts, 0, APP_STATE_COUNT * sizeof(*ret_counts));
	for (size_t i = 0; i < v->n; i++)
		ret_counts[v->v[i]->state]++;
}

void vassals_tell_role(struct vassals *v, unsigned role)
{
	for (size_t i = 0; i < v->n; i++) {
		struct app *a = v->v[i];

		if (a->dead)
			continue;
		tell_app_to(a, (enum role_id)role);
	}
	if (role == ROLE_ID_GATE)
		routes_tell(v);
}

void vassals_shut_down(struct vassals *v, vassals_done_fn *fn, void *arg)
{
	v->shutting_down = true;
	v->done = fn;
	v->done_arg = arg;
	for (size_t i = 0; i < v->n; i++) {
		struct app *a = v->v[i];

		/* Whoever stopped it has not said otherwise. */
		a->rests = (a->state == APP_STOPPED || a->state == APP_STOPPING) && !a->gone &&
			   !a->begun;
		a->was_gone = a->gone;
		if (!a->gone && !a->dead)
			persist_end(a);
		a->gone = true;
		persist_mark(a);
		if (a->state != APP_STOPPING)
			app_event(a, LIFE_STOP, "the emperor stops");
		doors_shut(&a->doors);
	}
}

void vassals_kill_all(struct vassals *v)
{
	for (size_t i = 0; i < v->n; i++)
		for (const struct generation *g = v->v[i]->generations; g; g = g->next)
			generation_kill(g);
}
