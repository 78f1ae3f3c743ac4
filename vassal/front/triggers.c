/*
 * triggers - see triggers.h.
 *
 * A file of touch-reload asks at once. A directory of fs-reload is being deployed into: it asks when a look has found
 * nothing new since the last one. What changes before this generation serves asks as soon as it does: the app may have
 * been imported before.
 */
#include "vassal/front/triggers.h"

#include <errno.h>
#include <stdio.h>

#include "shared/log.h"
#include "shared/vassal_config.h"
#include "vassal/front/link.h"
#include "vassal/front/stamps.h"
#include "vassal/front/state.h"

#define LOOK_S 1.0

struct watched_file {
	const char *option, *path; /* borrowed from the configuration */
	struct stamp was, now;     /* now: the disk thread's while it looks */
	bool settles;
};

struct triggers {
	struct front *front;
	struct diskjob job; /* first the loop's, then a thread's, then the loop's again */
	bool looking, looked;
	char why[512]; /* what has changed and waits until no more does; "": nothing */
	ev_timer timer;
	size_t n;
	struct watched_file file[];
};

static void look(struct diskjob *job)
{
	struct triggers *t = container_of(job, struct triggers, job);

	for (size_t i = 0; i < t->n; i++)
		t->file[i].now = stamp_take(t->file[i].path);
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
		(void)snprintf(t->why, sizeof(t->why), "%s = %s has changed", w->option, w->path);
	return true;
}

static void on_looked(struct diskjob *job)
{
	struct triggers *t = container_of(job, struct triggers, job);
	const struct front *f = t->front;
	bool at_once = false, still = false;

	t->looking = false;
	if (!t->looked) {
		for (size_t i = 0; i < t->n; i++)
			t->file[i].was = t->file[i].now;
		t->looked = true;
		return;
	}
	/* without an emperor nobody can be asked; it may come back */
	if (f->phase != PHASE_SERVING || f->link_fd < 0)
		return;
	for (size_t i = 0; i < t->n; i++)
		if (compare(t, &t->file[i])) {
			at_once |= !t->file[i].settles;
			still |= t->file[i].settles;
		}
	if (t->why[0] && (at_once || !still))
		ask(t);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct triggers *t = container_of(w, struct triggers, timer);

	(void)revents;
	if (t->front->phase >= PHASE_DRAINING) {
		ev_timer_stop(loop, w);
		return;
	}
	if (t->looking) /* the disk is slow */
		return;
	t->looking = diskpool_submit(&t->front->disk, &t->job);
}

static void add(struct triggers *t, const char *option, const struct option_list *list,
		bool settles)
{
	for (size_t i = 0; i < list->n; i++)
		t->file[t->n++] = (struct watched_file){
			.option = option, .path = list->v[i], .settles = settles};
}

int triggers_start(struct front *f, struct triggers **ret)
{
	const struct vassal_config *g = f->config;
	size_t n = g->touch_reload.n + g->fs_reload.n;
	struct triggers *t;

	*ret = NULL;
	if (n == 0)
		return 0;
	if (f->alone) {
		log_warning("touch-reload, fs-reload: only an emperor can reload an app");
		return 0;
	}
	t = calloc(1, sizeof(*t) + n * sizeof(t->file[0]));
	if (!t)
		return -ENOMEM;
	t->front = f;
	t->job = (struct diskjob){.work = look, .done = on_looked};
	add(t, "touch-reload", &g->touch_reload, false);
	add(t, "fs-reload", &g->fs_reload, true);
	/* now, before the app is imported */
	look(&t->job);
	on_looked(&t->job);
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
	if (!t->looking) /* else a thread is in it; the process ends anyway */
		free(t);
}
