/*
 * triggers - see triggers.h.
 *
 * A file of touch-reload asks at once. A directory of fs-reload is being deployed into, modules are being edited: those
 * ask when a look has found nothing new since the last one. What changes before this generation serves asks as soon as
 * it does: the app may have been imported before.
 *
 * While a look is under way the files are the thread's; modules that are told meanwhile wait until it is over.
 */
#include "vassal/front/triggers.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include "shared/fd.h"
#include "shared/log.h"
#include "shared/vassal_config.h"
#include "vassal/front/link.h"
#include "vassal/front/stamps.h"
#include "vassal/front/state.h"

#define LOOK_S   1.0
#define SETTLE_S 0.4 /* quiet for so long: whoever writes is done */

struct watched_file {
	const char *option, *path; /* borrowed from the configuration; path of a module: owned */
	struct stamp was, now;     /* now: the disk thread's while it looks */
	bool settles;
	bool known; /* was has been looked at */
};

struct list {
	struct watched_file *v; /* owned */
	size_t n, room;
};

struct triggers {
	struct front *front;
	struct diskjob job; /* first the loop's, then a thread's, then the loop's again */
	bool looking, with_modules, settling;
	char why[512]; /* what has changed and waits until no more does; "": nothing */
	ev_timer timer;
	unsigned looks; /* modules are looked at in every so manieth of them */
	struct list files;
	struct list modules; /* sorted by path; the paths are owned */
	struct list fresh;   /* likewise: told, and not looked at yet */
};

static void look_at(struct list *l)
{
	for (size_t i = 0; i < l->n; i++)
		l->v[i].now = stamp_take(l->v[i].path);
}

static void look(struct diskjob *job)
{
	struct triggers *t = container_of(job, struct triggers, job);

	look_at(&t->files);
	if (t->with_modules)
		look_at(&t->modules);
}

static void ask(struct triggers *t)
{
	struct front *f = t->front;

	logbook_say(&f->log, f->wall_ns, "%s: a new generation is asked for", t->why);
	link_say(f, MSG_WANT_RELOAD, 0, 0, t->why);
	t->why[0] = '\0';
}

/* True if it has changed since the last look. */
static bool compare(struct triggers *t, struct watched_file *w)
{
	if (!stamp_differs(&w->was, &w->now))
		return false;
	w->was = w->now;
	if (!t->why[0])
		(void)snprintf(t->why, sizeof(t->why), "%s %s has changed", w->option, w->path);
	return true;
}

static void compare_all(struct triggers *t, struct list *l, bool *at_once, bool *still)
{
	for (size_t i = 0; i < l->n; i++)
		if (compare(t, &l->v[i])) {
			*at_once |= !l->v[i].settles;
			*still |= l->v[i].settles;
		}
}

/* How those look that nobody has looked at before: with that later looks are compared. */
static void note_first(struct list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (!l->v[i].known) {
			l->v[i].was = l->v[i].now;
			l->v[i].known = true;
		}
}

static void look_again(struct triggers *t)
{
	struct ev_loop *loop = t->front->loop;

	t->settling = true;
	ev_timer_stop(loop, &t->timer);
	ev_timer_set(&t->timer, SETTLE_S, LOOK_S);
	ev_timer_start(loop, &t->timer);
}

static void take_fresh(struct triggers *t);

static void on_looked(struct diskjob *job)
{
	struct triggers *t = container_of(job, struct triggers, job);
	const struct front *f = t->front;
	bool at_once = false, still = false;

	t->looking = false;
	if (t->with_modules)
		note_first(&t->modules);
	/* without an emperor nobody can be asked; it may come back */
	if (f->phase == PHASE_SERVING && f->link_fd >= 0) {
		compare_all(t, &t->files, &at_once, &still);
		if (t->with_modules)
			compare_all(t, &t->modules, &at_once, &still);
		if (t->why[0] && (at_once || !still))
			ask(t);
		else if (t->why[0])
			look_again(t);
	}
	take_fresh(t);
}

static void begin_look(struct triggers *t)
{
	t->looking = diskpool_submit(&t->front->disk, &t->job);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct triggers *t = container_of(w, struct triggers, timer);
	unsigned every = MAX(t->front->config->py_autoreload_s, 1U);

	(void)revents;
	if (t->front->phase >= PHASE_DRAINING) {
		ev_timer_stop(loop, w);
		return;
	}
	if (t->looking) /* the disk is slow */
		return;
	t->with_modules = ++t->looks % every == 0 || t->settling;
	t->settling = false;
	begin_look(t);
}

static int add(struct list *l, const char *option, const char *path, bool settles)
{
	if (l->n == l->room) {
		size_t room = l->room ? l->room * 2 : 64;
		struct watched_file *v = reallocarray(l->v, room, sizeof(*v));

		if (!v)
			return -ENOMEM;
		l->v = v;
		l->room = room;
	}
	l->v[l->n++] = (struct watched_file){.option = option, .path = path, .settles = settles};
	return 0;
}

static int add_all(struct list *l, const char *option, const struct option_list *paths,
		   bool settles)
{
	int r = 0;

	for (size_t i = 0; i < paths->n && r == 0; i++)
		r = add(l, option, paths->v[i], settles);
	return r;
}

/* -- modules -------------------------------------------------------------------------------------------- */

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct watched_file *)a)->path,
		      ((const struct watched_file *)b)->path);
}

static void forget(struct list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free((void *)(uintptr_t)l->v[i].path);
	free(l->v);
	*l = (struct list){0};
}

static bool holds(const struct list *l, size_t sorted, const char *path)
{
	const struct watched_file key = {.path = path};

	return sorted > 0 && bsearch(&key, l->v, sorted, sizeof(key), by_path);
}

/* sorted: what stands in fresh from earlier news. */
static void note_module(struct triggers *t, const char *path, size_t sorted)
{
	char *copy;

	if (t->modules.n + t->fresh.n >= LIMIT_MODULES || holds(&t->modules, t->modules.n, path) ||
	    holds(&t->fresh, sorted, path))
		return;
	copy = strdup(path);
	if (copy && add(&t->fresh, "py-autoreload:", copy, true) < 0)
		free(copy);
}

/* One telling may name a file twice. */
static void drop_doubles(struct list *l)
{
	size_t n = 0;

	if (l->n > 1)
		qsort(l->v, l->n, sizeof(*l->v), by_path);
	for (size_t i = 0; i < l->n; i++)
		if (n > 0 && str_eq(l->v[n - 1].path, l->v[i].path))
			free((void *)(uintptr_t)l->v[i].path);
		else
			l->v[n++] = l->v[i];
	l->n = n;
}

/* Paths are the app's own words: bounded, ended, and only ever passed to stat(). */
static void read_news(struct triggers *t, int fd)
{
	size_t sorted = t->fresh.n;
	const void *data;
	size_t n;

	if (fd_map_sealed(fd, LIMIT_MODULES_BYTES, &data, &n, NULL) < 0)
		return;
	for (const char *p = data, *end = p + n; p < end;) {
		const char *nul = memchr(p, '\0', (size_t)(end - p));

		if (!nul)
			break;
		if (*p == '/')
			note_module(t, p, sorted);
		p = nul + 1;
	}
	(void)munmap((void *)(uintptr_t)data, n);
	drop_doubles(&t->fresh);
}

/* No look is under way. */
static void take_fresh(struct triggers *t)
{
	struct list fresh = t->fresh;
	size_t i = 0;

	if (fresh.n == 0)
		return;
	t->fresh = (struct list){0};
	while (i < fresh.n &&
	       add(&t->modules, fresh.v[i].option, fresh.v[i].path, fresh.v[i].settles) == 0)
		i++;
	for (; i < fresh.n; i++)
		free((void *)(uintptr_t)fresh.v[i].path);
	free(fresh.v);
	qsort(t->modules.v, t->modules.n, sizeof(*t->modules.v), by_path);
	/* how they look now: at once, for an edit may follow the import */
	t->with_modules = true;
	begin_look(t);
}

void triggers_modules(struct triggers *t, int fd)
{
	if (!t)
		return;
	read_news(t, fd);
	if (!t->looking)
		take_fresh(t);
}

/* -- life ----------------------------------------------------------------------------------------------- */

int triggers_start(struct front *f, struct triggers **ret)
{
	const struct vassal_config *g = f->config;
	struct triggers *t;
	int r;

	*ret = NULL;
	if (g->touch_reload.n == 0 && g->fs_reload.n == 0 && g->py_autoreload_s == 0)
		return 0;
	if (f->alone) {
		log_warning("touch-reload, fs-reload, py-autoreload: only an emperor can reload "
			    "an app");
		return 0;
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->front = f;
	t->job = (struct diskjob){.work = look, .done = on_looked};
	r = add_all(&t->files, "touch-reload =", &g->touch_reload, false);
	if (r == 0)
		r = add_all(&t->files, "fs-reload =", &g->fs_reload, true);
	if (r < 0) {
		triggers_free(t);
		return r;
	}
	/* now, before the app is imported */
	look_at(&t->files);
	note_first(&t->files);
	ev_timer_init(&t->timer, on_timer, LOOK_S, LOOK_S);
	ev_timer_start(f->loop, &t->timer);
	*ret = t;
	return 0;
}

void triggers_free(struct triggers *t)
{
	if (!t)
		return;
	ev_timer_stop(t->front->loop, &t->timer);
	if (t->looking) /* a thread is in it; the process ends anyway */
		return;
	forget(&t->modules);
	forget(&t->fresh);
	free(t->files.v);
	free(t);
}
