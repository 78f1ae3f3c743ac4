/*
 * vassals - see vassals.h.
 *
 * Not everything starts at once: at most start_at_once (two per processor) imports run side by side, the rest wait in
 * order. Importing is processor time, so more at once only makes each of them later. A start that takes longer than
 * VASSALS_SLOT_S gives its place up, so that one app which hangs in its import delays nobody for long.
 *
 * Nothing is freed while its own callback runs: the end of each loop turn starts who is due, collects the dead, and tells
 * the gate about routes once, however many changed.
 */
#include "emperor/vassals/internal.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "emperor/watch/reconcile.h"
#include "emperor/watch/scan.h"
#include "shared/clock.h"
#include "shared/err.h"
#include "shared/log.h"

#define STARTS_PER_CPU 2

/* -- whose turn it is ----------------------------------------------------------------------------------- */

void vassals_queue_start(struct vassals *v, struct app *a)
{
	if (a->queued)
		return;
	a->queued = true;
	a->queue_next = NULL;
	*v->queue_last = a;
	v->queue_last = &a->queue_next;
}

void vassals_unqueue(struct vassals *v, struct app *a)
{
	struct app **at = &v->queue;

	if (!a->queued)
		return;
	while (*at && *at != a)
		at = &(*at)->queue_next;
	if (*at)
		*at = a->queue_next;
	if (v->queue_last == &a->queue_next)
		v->queue_last = at;
	a->queued = false;
}

static unsigned starting_now(const struct vassals *v)
{
	uint64_t now = clock_now_ns();
	unsigned n = 0;

	for (size_t i = 0; i < v->n; i++) {
		const struct generation *g = v->v[i]->candidate;

		if (g && now - g->spawned_ns < (uint64_t)(VASSALS_SLOT_S * 1e9))
			n++;
	}
	return n;
}

static bool has_bank(const struct app *a)
{
	unsigned n = 0;

	for (const struct generation *g = a->generations; g; g = g->next)
		n++;
	return n < LIMIT_BANKS;
}

/* An app whose four generations all live waits, and lets others pass. */
static struct app *next_due(const struct vassals *v)
{
	for (struct app *a = v->queue; a; a = a->queue_next)
		if (has_bank(a))
			return a;
	return NULL;
}

static void pump(struct vassals *v)
{
	struct app *a;

	/* Bounded by the queue's length: a launch that fails leaves it for a timer, never for the queue. */
	while (v->queue && starting_now(v) < v->start_at_once && (a = next_due(v)) != NULL) {
		vassals_unqueue(v, a);
		app_launch(a);
	}
	if (v->queue && !ev_is_active(&v->pump)) {
		ev_timer_set(&v->pump, VASSALS_SLOT_S / 4, 0);
		ev_timer_start(v->setup.loop, &v->pump);
	}
}

static void on_pump(struct ev_loop *loop, ev_timer *timer, int revents)
{
	/* Only wakes the loop: the end of the turn looks at the queue. */
	(void)loop;
	(void)timer;
	(void)revents;
}

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
		if (v->v[i]->conflict && v->v[i]->state == APP_BACKOFF)
			app_event(v->v[i], LIFE_START, "a name that it asked for may be free");
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
	pump(v);
	if (v->routes_changed)
		routes_publish(v);
	if (v->shutting_down && v->n == 0 && v->done) {
		vassals_done_fn *done = TAKE_PTR(v->done);

		done(v->done_arg);
	}
}

/* -- reconcile ------------------------------------------------------------------------------------------ */

static struct app *find(const struct vassals *v, const char *name)
{
	for (size_t i = 0; i < v->n; i++)
		if (str_eq(v->v[i]->name, name))
			return v->v[i];
	return NULL;
}

static int insert(struct vassals *v, struct app *a)
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
	if (ini)
		*ini = (struct ini){
			.refs = 1,
			.bytes = TAKE_PTR(e->bytes),
			.n = e->n,
			.owner = e->owner,
			.roots = e->roots,
		};
	ini_unref(a->wanted);
	a->wanted = ini;
	free(a->problem);
	a->problem = TAKE_PTR(e->problem);
}

static void add(struct vassals *v, struct scan_entry *e)
{
	struct err err = {0};
	struct app *a;

	if (app_new(&a, v, e->name, e->path, e->dir, &err) < 0) {
		log_error("%s: cannot be taken in: %s", e->name, err.text);
		return;
	}
	if (insert(v, a) < 0) {
		log_error("%s: cannot be taken in: out of memory", e->name);
		app_free(a);
		return;
	}
	take_file(a, e);
	app_event(a, LIFE_START, "new ini");
}

static const char *const change_texts[] = {
	[FINGERPRINT_SAME] = "",
	[FINGERPRINT_TOUCHED] = "its ini was touched",
	[FINGERPRINT_MOVED] = "its ini's link leads elsewhere",
	[FINGERPRINT_CONTENT] = "its ini has changed",
};

static void act(struct vassals *v, struct scan *scan, const struct reconcile_action *action,
		struct app *const *known)
{
	struct scan_entry *e = action->wanted == SIZE_MAX ? NULL : &scan->v[action->wanted];
	struct app *a = action->known == SIZE_MAX ? NULL : known[action->known];

	switch (action->kind) {
	case RECONCILE_KEEP:
		break;
	case RECONCILE_START:
		assert(e);
		if (a) {
			take_file(a, e);
			v->routes_changed = true;
			app_event(a, LIFE_START, "its ini is back");
		} else {
			add(v, e);
		}
		break;
	case RECONCILE_CHANGE:
	case RECONCILE_TOUCH:
		assert(a && e);
		take_file(a, e);
		app_event(a, LIFE_CHANGE, change_texts[action->change]);
		break;
	case RECONCILE_STOP:
		assert(a);
		a->gone = true;
		app_event(a, LIFE_STOP, "its ini is gone");
		break;
	}
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
	for (size_t i = 0; i < n; i++)
		act(v, scan, &actions[i], known);
}

/* -- for control and stats ------------------------------------------------------------------------------ */

void vassals_visit(struct vassals *v, vassals_visit_fn *fn, void *arg)
{
	for (size_t i = 0; i < v->n; i++) {
		struct app_info info;

		if (v->v[i]->dead)
			continue;
		app_fill_info(v->v[i], &info);
		fn(arg, &info);
	}
}

bool vassals_find(struct vassals *v, const char *name, struct app_info *ret_info)
{
	const struct app *a = find(v, name);

	if (!a || a->dead)
		return false;
	app_fill_info(a, ret_info);
	return true;
}

const char *vassals_notes(struct vassals *v, const char *name)
{
	const struct app *a = find(v, name);

	return a && a->notes ? a->notes : "";
}

static struct app *find_or_say(const struct vassals *v, const char *name, struct err *err)
{
	struct app *a = find(v, name);

	if (!a || a->dead)
		(void)err_set(err, -ENOENT, "%s: no such app", name);
	return a && !a->dead ? a : NULL;
}

static bool is_stopping(const struct app *a)
{
	return a->state == APP_STOPPED || a->state == APP_STOPPING;
}

int vassals_reload(struct vassals *v, const char *name, struct err *err)
{
	struct app *a;

	if (!name) {
		for (size_t i = 0; i < v->n; i++)
			if (!is_stopping(v->v[i]))
				app_event(v->v[i], LIFE_CHANGE, "reload of all was asked for");
		return 0;
	}
	a = find_or_say(v, name, err);
	if (!a)
		return -ENOENT;
	if (is_stopping(a))
		return err_set(err, -EALREADY, "%s: is %s; start it instead", name,
			       app_state_name(a->state));
	app_event(a, LIFE_CHANGE, "reload was asked for");
	return 0;
}

int vassals_stop(struct vassals *v, const char *name, struct err *err)
{
	struct app *a = find_or_say(v, name, err);

	if (!a)
		return -ENOENT;
	if (is_stopping(a))
		return err_set(err, -EALREADY, "%s: is %s already", name, app_state_name(a->state));
	app_event(a, LIFE_STOP, "stopped by command");
	return 0;
}

int vassals_start(struct vassals *v, const char *name, struct err *err)
{
	struct app *a = find_or_say(v, name, err);

	if (!a)
		return -ENOENT;
	if (a->gone)
		return err_set(err, -ENOENT, "%s: its ini is gone", name);
	if (!is_stopping(a) && a->state != APP_BACKOFF)
		return err_set(err, -EALREADY, "%s: is %s already", name, app_state_name(a->state));
	app_event(a, LIFE_START, "started by command");
	return 0;
}

static int reopen(const struct app *a, struct err *err)
{
	int first = 0;

	for (const struct generation *g = a->generations; g; g = g->next) {
		int r = generation_reopen(g, first < 0 ? NULL : err);

		if (r < 0 && first == 0)
			first = r;
	}
	return first;
}

int vassals_reopen_logs(struct vassals *v, const char *name, struct err *err)
{
	const struct app *a;

	if (name) {
		a = find_or_say(v, name, err);
		return a ? reopen(a, err) : -ENOENT;
	}
	for (size_t i = 0; i < v->n; i++) {
		struct err one = {0};

		if (reopen(v->v[i], &one) < 0)
			log_error("%s: %s", v->v[i]->name, one.text);
	}
	return 0;
}

int vassals_observe(struct vassals *v, vassals_observer_fn *fn, void *arg)
{
	if (v->observers_n == VASSALS_OBSERVERS)
		return -ENOSPC;
	v->observers[v->observers_n].fn = fn;
	v->observers[v->observers_n++].arg = arg;
	return 0;
}

/* -- for main ------------------------------------------------------------------------------------------- */

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
	v->start_at_once = MAX(1U, setup->rules->cpus) * STARTS_PER_CPU;
	ev_prepare_init(&v->turn, on_turn);
	ev_prepare_start(setup->loop, &v->turn);
	ev_init(&v->pump, on_pump);
	r = routes_open(v, err);
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
	routes_close(v);
	free(v->complaint);
	free(v->v);
	free(v);
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
		v->v[i]->gone = true;
		if (v->v[i]->state != APP_STOPPING)
			app_event(v->v[i], LIFE_STOP, "the emperor stops");
	}
}

void vassals_kill_all(struct vassals *v)
{
	for (size_t i = 0; i < v->n; i++)
		for (const struct generation *g = v->v[i]->generations; g; g = g->next)
			generation_kill(g);
}
