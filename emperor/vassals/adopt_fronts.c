/*
 * adopt_fronts - the fronts that an emperor before has left become generations of this one.
 *
 * One that serves goes on serving, whatever became of its ini and whatever build it is of: it is known by what it was started
 * with. Where it cannot be spoken to, or counts where nobody here can read it, another one is started beside it and takes
 * its place as in any reload. What only drains, drains on; what only started is ended, and started again.
 */
#include "emperor/vassals/machine.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>

#include "emperor/vassals/saved.h"
#include "shared/err.h"
#include "shared/log.h"

struct legacy_facts {
	bool has_doors;  /* a keeper has kept them */
	bool same_board; /* its counters are those that its processes know */
};

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

/* What no generation has taken. Its front finds its link closed, and serves on; nobody else is told of it. */
static void close_past(const struct generation_past *past)
{
	const int fds[] = {past->pidfd, past->link_fd, past->log_fd};

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
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
	past.link_fd = adopt_take(a->v, s, KEPT_LINK, was->number, was->link);
	/* Nothing is said to it that it might take for something else: it finds its emperor gone, and serves on. */
	if (was->speaks != MSG_VERSION && past.link_fd >= 0)
		(void)close(TAKE_FD(past.link_fd));
	r = generation_adopt(a, l, ini, &past, ret, &err);
	if (r < 0) {
		log_error("%s: generation %" PRIu64 " cannot be taken over: %s", a->name,
			  was->number, err.text);
		close_past(&past);
		return r;
	}
	(*ret)->next = a->generations;
	a->generations = *ret;
	return 0;
}

static void place_serving(struct app *a, struct generation *g, const struct legacy_facts *facts)
{
	a->serving = g;
	if (g->link_fd >= 0) {
		generation_serve_on(g);
		if (facts->same_board)
			return;
		log_warning("%s: its front counts where this emperor cannot read it: it is "
			    "replaced",
			    a->name);
		a->begun = true;
		return;
	}
	a->begun = true;
	if (facts->has_doors) {
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

static void place(struct app *a, struct generation *g, const struct legacy_facts *facts)
{
	switch (g->part) {
	case PART_SERVING:
		if (!a->serving)
			place_serving(a, g, facts);
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
			     struct ini *ini, const struct legacy_facts *facts)
{
	for (size_t i = 0; i < s->generations_n; i++) {
		const struct saved_generation *was = &s->generations[i];
		struct generation *g = NULL;

		if (take_generation(a, s, was, l, ini, &g) < 0)
			continue;
		if (g)
			place(a, g, facts);
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
		int r = exits_signal_other((pid_t)s->generations[i].pid, &is, SIGTERM);

		/* Whoever has that number now may be somebody else: it hears of its end over its link, if at all. */
		if (r < 0 && r != -ESRCH)
			log_warning("%s: its front (pid %d) cannot be told to end: %s", s->name,
				    (int)s->generations[i].pid, strerror(-r));
	}
}

static const struct saved_generation *serving_of(const struct saved *s)
{
	for (size_t i = 0; i < s->generations_n; i++)
		if (s->generations[i].part == PART_SERVING)
			return &s->generations[i];
	return NULL;
}

/*
 * What serves is what it was started with, wherever links and includes lead by now and whatever this emperor would say to
 * its ini. NULL: nothing serves, or that was not written down in a way that can be read.
 */
static struct loaded *load_what_serves(const struct app *a, const struct saved *s,
				       const struct load_source *source)
{
	const struct saved_generation *g = serving_of(s);
	struct loaded *l = NULL;
	struct err err = {0};

	if (g && s->config.n > 0 &&
	    load_running(source, a->v->setup.rules, s->config, (uid_t)g->uid, &l, &err) < 0)
		log_warning(
			"%s: what its front was started with cannot be read, its ini counts: %s",
			a->name, err.text);
	return l;
}

/* As config_items.h has it; without memory for it a change of its limits is a new generation: no more than that. */
static void take_config(struct generation *g, const struct saved *s, struct loaded *l,
			bool as_saved)
{
	if (!as_saved) {
		(void)config_items_encode(&l->items, &g->config, &g->config_n, NULL);
		return;
	}
	g->config = malloc(s->config.n);
	if (!g->config)
		return;
	memcpy(g->config, s->config.p, s->config.n);
	g->config_n = s->config.n;
}

/* No less than a broken edit under this emperor: it is shown, and what runs goes on. */
static void show_unreadable(struct app *a, const char *text)
{
	log_error("%s: its ini cannot be taken any more, generation %" PRIu64 " keeps serving: %s",
		  a->name, a->serving->number, text);
	app_put_text(&a->last_error, "%s", text);
	app_put_text(&a->reason,
		     "its ini cannot be taken any more, what was started with it keeps "
		     "serving: %s",
		     text);
}

static void take_cut(struct app *a, const struct saved *s, struct loaded *l, bool as_saved)
{
	if (s->cut_from == 0 || s->processes == 0)
		return;
	if (!as_saved)
		(void)machine_cut(l, (unsigned)s->processes, NULL);
	l->wanted = (unsigned)s->cut_from;
	machine_took(a, l);
}

static void take_serving(struct app *a, const struct saved *s, struct loaded *l, bool as_saved)
{
	take_config(a->serving, s, l, as_saved);
	a->serving->scaled = (unsigned)s->scaled;
}

void adopt_fronts(struct app *a, const struct saved *s, struct ini *ini, bool same_board)
{
	const struct legacy_facts facts = {.has_doors = a->v->setup.legacy,
					   .same_board = same_board};
	const struct load_source source = {
		.file = a->file,
		.dir = a->dir,
		.bytes = ini->bytes,
		.n = ini->n,
		.owner = ini->owner,
		.roots = ini->roots,
	};
	struct loaded *fresh = NULL;
	struct loaded *l;
	struct err err = {0};
	bool readable = load_ini(&source, a->v->setup.rules, &fresh, &err) == 0;
	bool as_saved;

	l = load_what_serves(a, s, &source);
	as_saved = l != NULL;
	if (!l)
		l = loaded_ref(fresh);
	loaded_unref(fresh);
	if (!l) {
		if (s->generations_n > 0)
			log_warning("%s: cannot be taken over, starts anew: %s", a->name, err.text);
		end_unknown(s);
		a->begun |= s->generations_n > 0 && s->state != APP_STOPPING;
		return;
	}
	take_cut(a, s, l, as_saved);
	take_doors(a, s, l);
	a->face = loaded_ref(l);
	app_put_text(&a->notes, "%s", l->notes);
	a->said_user = l->default_user;
	take_generations(a, s, l, ini, &facts);
	if (a->serving)
		take_serving(a, s, l, as_saved);
	if (a->serving && !readable)
		show_unreadable(a, err.text);
	rollback_watch_on(a, s, same_board);
	loaded_drop_items(l);
	loaded_unref(l);
}
