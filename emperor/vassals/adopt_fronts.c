/*
 * adopt_fronts - the fronts that an emperor before has left become generations of this one: one that serves goes on
 * serving, what only drains drains on, what only started is ended and started again.
 */
#include "emperor/vassals/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>

#include "emperor/vassals/saved.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/log.h"

#define ROLLED_BEFORE "rolled back before: an older version serves"

static void take_doors(struct app *a, const struct saved *s, const struct loaded *l)
{
	for (size_t i = 0; i < s->doors_n; i++) {
		const struct saved_door *d = &s->doors[i];
		int fd = adopt_take(a->v, s, KEPT_DOOR, d->number, d->socket);
		int name_fd = adopt_take(a->v, s, KEPT_DOOR_NAME, d->number, d->name);
		struct err err = {0};

		if (fd >= 0 &&
		    doors_restore(&a->doors, l, d->address, d->number, fd, name_fd, &err) < 0)
			log_warning("%s: %s", a->name, err.text);
		else if (fd < 0 && name_fd >= 0)
			(void)close(name_fd);
	}
	a->doors.numbers = MAX(a->doors.numbers, s->door_numbers);
}

/* 0 and *ret NULL: that process is gone. */
static int take_generation(struct app *a, const struct saved *s, const struct saved_generation *was,
			   struct loaded *l, struct ini *ini, struct generation **ret)
{
	struct generation_past past = {
		.number = was->number,
		.serving_ns = was->serving_ns,
		.serving_wall_ns = was->serving_wall_ns,
		.bank = (unsigned)was->bank,
		.part = (enum generation_part)was->part,
		.pid = (pid_t)was->pid,
		.is = {.start = was->start, .uid = (uid_t)was->uid},
		.link_fd = -1,
		.log_fd = -1,
	};
	struct err err = {0};
	int r;

	past.pidfd = exits_open(past.pid, &past.is);
	if (past.pidfd == -ESRCH)
		return 0;
	if (past.pidfd < 0)
		log_warning("%s: its front (pid %d) cannot be watched yet: %s", a->name,
			    (int)past.pid, strerror(-past.pidfd));
	past.log_fd = adopt_take(a->v, s, KEPT_LOG, was->number, was->log);
	if (was->speaks == MSG_VERSION)
		past.link_fd = adopt_take(a->v, s, KEPT_LINK, was->number, was->link);
	r = generation_adopt(a, l, ini, &past, ret, &err);
	if (r < 0) {
		log_error("%s: generation %" PRIu64 " cannot be taken over: %s", a->name,
			  was->number, err.text);
		if (past.pidfd >= 0)
			(void)close(past.pidfd);
		return r;
	}
	(*ret)->next = a->generations;
	a->generations = *ret;
	return 0;
}

static void place_serving(struct app *a, struct generation *g, bool has_doors)
{
	a->serving = g;
	if (g->link_fd >= 0) {
		generation_serve_on(g);
		return;
	}
	a->begun = true;
	if (has_doors) {
		log_warning("%s: its front was started by another build, which this emperor cannot "
			    "speak to: it is replaced",
			    a->name);
		return;
	}
	/* Its doors are in its own hands alone: no other can serve there before it has gone. */
	log_warning("%s: its front (pid %d) has outlived its emperor's keeper: ended, a new one "
		    "follows",
		    a->name, (int)g->pid);
	a->serving = NULL;
	a->begun_later = true;
	generation_retire(g);
}

static void place(struct app *a, struct generation *g, bool has_doors)
{
	switch (g->part) {
	case PART_SERVING:
		if (!a->serving)
			place_serving(a, g, has_doors);
		else
			generation_retire(g);
		break;
	case PART_CANDIDATE: /* it has never served: nobody waits inside */
		a->begun = true;
		g->part = PART_LEAVING;
		generation_end(g, 0);
		break;
	default:
		generation_retire(g);
	}
}

static void take_generations(struct app *a, const struct saved *s, struct loaded *l,
			     struct ini *ini, bool has_doors)
{
	for (size_t i = 0; i < s->generations_n; i++) {
		const struct saved_generation *was = &s->generations[i];
		struct generation *g = NULL;

		if (take_generation(a, s, was, l, ini, &g) < 0)
			continue;
		if (g)
			place(a, g, has_doors);
		else if (was->part == PART_SERVING) {
			a->begun = true;
			a->restarts++;
			log_error("%s: its front (pid %d) ended while there was no emperor",
				  a->name, (int)was->pid);
		}
	}
}

/* Nothing is known of these that would do to keep them: they drain by themselves. */
static void end_unknown(const struct saved *s)
{
	for (size_t i = 0; i < s->generations_n; i++) {
		const struct exits_identity is = {.start = s->generations[i].start,
						  .uid = (uid_t)s->generations[i].uid};
		const struct exits x = {
			.pid = (pid_t)s->generations[i].pid,
			.pidfd = exits_open((pid_t)s->generations[i].pid, &is),
		};

		if (x.pidfd == -ESRCH)
			continue;
		exits_signal(&x, SIGTERM);
		if (x.pidfd >= 0)
			(void)close(x.pidfd);
	}
}

void adopt_fronts(struct app *a, const struct saved *s, struct ini *ini)
{
	struct load_source source = {
		.file = a->file,
		.dir = a->dir,
		.bytes = ini->bytes,
		.n = ini->n,
		.owner = ini->owner,
		.roots = ini->roots,
	};
	_cleanup_(freep) char *config = NULL;
	size_t config_n = 0;
	struct loaded *l = NULL;
	struct err err = {0};

	if (s->good)
		a->good = ini_ref(ini);
	if (s->rolled)
		rollback_go_on(a, ini, s->state == APP_RUNNING ? s->reason : ROLLED_BEFORE);
	if (load_ini(&source, a->v->setup.rules, &l, &err) < 0) {
		if (s->generations_n > 0)
			log_warning("%s: cannot be taken over, starts anew: %s", a->name, err.text);
		end_unknown(s);
		a->begun |= s->generations_n > 0 && s->state != APP_STOPPING;
		return;
	}
	if (s->cut_from > 0 && s->processes > 0) {
		a->cut_from = (unsigned)s->cut_from;
		(void)machine_cut(a, l, (unsigned)s->processes, NULL);
	}
	/* Without memory for it a change of its limits is a new generation: no more than that. */
	(void)config_items_encode(&l->items, &config, &config_n, NULL);
	loaded_drop_items(l);
	take_doors(a, s, l);
	a->face = loaded_ref(l);
	app_put_text(&a->notes, "%s", l->notes);
	a->said_user = l->default_user;
	take_generations(a, s, l, ini, a->v->setup.legacy);
	if (a->serving) {
		a->serving->config = TAKE_PTR(config);
		a->serving->config_n = config_n;
		a->serving->passed = true;
		a->serving->scaled = (unsigned)s->scaled;
	}
	loaded_unref(l);
}
