/*
 * adopt - what an emperor before has left: apps that run go on as they are, with their doors, scoreboards and links.
 *
 * A crash, an upgrade and a restart are this one path. Nothing here believes a process: what an app is stands in a file
 * that only an emperor can have written, which names each process by its pid, its start and its user, and each descriptor
 * by the kernel's number for it. What does not fit is not taken: then that app is ended gracefully and starts anew.
 *
 * What may not have been heard is said again, and does no harm the second time: a generation is written down as serving
 * before it is told so. What was only begun (a candidate, a start in back-off) is begun again, once its file has been seen:
 * of a folder that cannot be read only what runs is kept. An app of a folder that is none of ours any more is gone.
 */
#include "emperor/vassals/internal.h"

#include <errno.h>
#include <stdio.h>

#include "emperor/vassals/legacy.h"
#include "emperor/vassals/saved.h"
#include "emperor/vassals/statedir.h"
#include "shared/buf.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/log.h"
#include "shared/scoreboard.h"

#define ORPHAN_GRACE_S \
	30 /* a front of which nothing is known any more: its requests have that long */

/* Of the legacy, if it is what the file says. -1: none. */
int adopt_take(const struct vassals *v, const struct saved *s, enum kept_tag tag, uint64_t number,
	       uint64_t identity)
{
	_cleanup_(fd_closep) int fd = -1;
	char name[KEPT_NAME];

	if (identity == 0)
		return -1;
	persist_name(s->name, (char)tag, number, name);
	fd = legacy_take(v->setup.legacy, name, NULL);
	if (fd >= 0 && legacy_identify(fd) != identity) {
		log_warning("%s: \"%s\" is another descriptor than was written down: not taken",
			    s->name, name);
		return -1;
	}
	return TAKE_FD(fd);
}

/* Which of ours it stands in; NULL: none. */
static const char *find_dir(const struct vassals *v, const char *file)
{
	const struct vassals_setup *setup = &v->setup;

	for (size_t i = 0; i < setup->dirs_n; i++) {
		size_t n = strlen(setup->dirs[i]);

		if (strncmp(file, setup->dirs[i], n) == 0 && file[n] == '/' &&
		    !strchr(file + n + 1, '/'))
			return setup->dirs[i];
	}
	return NULL;
}

static const char *dir_of(const struct vassals *v, const char *file)
{
	const char *dir = find_dir(v, file);

	if (dir)
		return dir;
	return v->setup.dirs_n > 0 ? v->setup.dirs[0] : "/"; /* it is about to be found gone */
}

static struct ini *copy_ini(struct span bytes, uint64_t owner, uint64_t roots)
{
	struct ini *ini = calloc(1, sizeof(*ini));

	if (!ini)
		return NULL;
	*ini = (struct ini){.refs = 1,
			    .bytes = malloc(bytes.n + 1),
			    .n = bytes.n,
			    .owner = (uid_t)owner,
			    .roots = roots};
	if (!ini->bytes) {
		free(ini);
		return NULL;
	}
	if (bytes.n > 0)
		memcpy(ini->bytes, bytes.p, bytes.n);
	ini->bytes[bytes.n] = '\0';
	return ini;
}

/* What the file held, as far as it is known here; else the next look finds a change. */
static void take_wanted(struct app *a, const struct saved *s, struct ini *ini)
{
	struct span file = s->file_ini.n > 0 ? s->file_ini : s->ini;

	if (fingerprint_digest(file.p, file.n) != s->print.content)
		a->print.content = ~s->print.content;
	else if (s->file_ini.n > 0)
		a->wanted = copy_ini(file, s->file_owner, s->file_roots);
	else
		a->wanted = ini_ref(ini);
}

static void take_facts(struct app *a, const struct saved *s, struct ini *ini)
{
	a->numbers = s->numbers;
	a->last_bank = (unsigned)s->last_bank;
	a->restarts = (unsigned)s->restarts;
	a->since_wall_ns = s->since_wall_ns;
	a->print = s->print;
	a->gone = s->gone;
	a->begun = s->begun;
	a->rested = s->ended && s->begun;
	app_put_text(&a->reason, "%s", s->reason);
	if (s->id > 0) {
		a->id = (uint32_t)s->id;
		a->v->ids = MAX(a->v->ids, (uint32_t)MAX(s->ids, s->id));
	}
	take_wanted(a, s, ini);
}

/* True: its counters are those that its processes know. */
static bool take_board_and_gate(struct app *a, const struct saved *s)
{
	int board = adopt_take(a->v, s, KEPT_BOARD, 0, s->board);
	int gate_end = adopt_take(a->v, s, KEPT_GATE_END, 0, s->gate_end);
	int front_end = adopt_take(a->v, s, KEPT_FRONT_END, 0, s->front_end);
	struct err err = {0};
	int r = board >= 0 ? app_take_board(a, board, &err) : -ENOENT;

	if (board >= 0 && r < 0)
		log_warning("%s: its counters begin anew: %s", a->name, err.text);
	if (gate_end >= 0 && front_end >= 0) {
		doors_take_gate(&a->doors, gate_end, front_end);
		return r == 0;
	}
	if (gate_end >= 0)
		(void)close(gate_end);
	if (front_end >= 0)
		(void)close(front_end);
	return r == 0;
}

/* Its doors are there, and nobody has come through them since. */
static bool sleeps_on(const struct app *a, const struct saved *s)
{
	bool has_doors = a->face && a->v->setup.legacy;

	for (size_t i = 0; has_doors && i < a->face->config.listeners_n; i++)
		has_doors = doors_find(&a->doors, &a->face->config.listeners[i].address) >= 0;
	return has_doors && s->state == APP_SLEEPING;
}

static void settle(struct app *a, const struct saved *s)
{
	if (a->serving)
		a->state = APP_RUNNING;
	else if (sleeps_on(a, s))
		a->state = APP_SLEEPING;
	else if (a->generations)
		a->state = APP_STOPPING;
	else
		a->state = APP_STOPPED;
	a->begun |= s->state == APP_SLEEPING && a->state != APP_SLEEPING;
}

/* Stopped by command, or on its way to that; or its ini was gone. */
static bool is_resting(const struct saved *s)
{
	return s->gone || ((s->state == APP_STOPPED || s->state == APP_STOPPING) && !s->begun);
}

static int read_saved(const struct vassals *v, const char *name, struct buf *bytes,
		      struct saved *ret, struct err *err)
{
	int r = statedir_read(v->state_dir_fd, name, bytes, SAVED_BYTES, err);

	if (r < 0)
		return r;
	r = saved_decode(buf_span(bytes), ret, err);
	if (r < 0)
		return err_prefix(err, "state/%s.state", name), r;
	if (!str_eq(ret->name, name))
		return err_set(err, -EBADMSG, "state/%s.state: speaks of \"%s\"", name, ret->name);
	if (ret->later)
		log_info(
			"%s: is written down by a later build: what is known of that is taken over",
			name);
	/* The machine went down under its emperor: as if that one had been stopped. */
	if (!str_eq(ret->boot, persist_boot()) && !ret->ended)
		saved_end(ret, is_resting(ret));
	return 0;
}

/* In a form that only another build understands they say nothing here: then the inis count. */
static void drop_foreign_configs(struct saved *s)
{
	struct span *const configs[] = {&s->config, &s->old_config, &s->bad_config};

	for (size_t i = 0; i < ARRAY_SIZE(configs); i++) {
		struct config_items items = {0};
		struct err err = {0};

		if (configs[i]->n == 0)
			continue;
		if (config_items_decode(configs[i]->p, configs[i]->n, &items, &err) < 0) {
			log_warning("%s: its releases cannot be told: %s", s->name, err.text);
			*configs[i] = (struct span){0};
		}
		config_items_done(&items);
	}
}

/* What it was, what has served, and what to come back to. */
static void take_versions(struct app *a, const struct saved *s, struct ini *ini)
{
	struct ini *old =
		s->old_number > 0 ? copy_ini(s->old_ini, s->old_owner, s->old_roots) : NULL;

	if (s->good)
		a->good = ini_ref(ini);
	rollback_go_on(a, s, ini, old);
	ini_unref(old);
}

static int adopt(struct vassals *v, struct saved *s, struct err *err)
{
	struct ini *ini = copy_ini(s->ini, s->owner, s->roots);
	struct app *a;
	int r;

	if (!ini)
		return err_set(err, -ENOMEM, "%s: out of memory", s->name);
	r = app_new(&a, v, s->name, s->file, dir_of(v, s->file), err);
	if (r == 0) {
		drop_foreign_configs(s);
		take_facts(a, s, ini);
		take_versions(a, s, ini);
		/* One that was stopped with its emperor has no claims until it starts. */
		if (!a->rested) {
			adopt_fronts(a, s, ini, take_board_and_gate(a, s));
			includes_adopted(a);
			settle(a, s);
		}
		r = vassals_insert(v, a);
		if (r == 0 && a->state == APP_SLEEPING)
			sleep_go_on(a);
	}
	ini_unref(ini);
	return r < 0 && !err->code ? err_set(err, r, "%s: %s", s->name, strerror(-r)) : r;
}

struct names {
	char (*v)[LIMIT_NAME]; /* owned */
	size_t n;
};

static void add_name(void *arg, const char *name)
{
	struct names *names = arg;

	(void)snprintf(names->v[names->n++], LIMIT_NAME, "%s", name);
}

/* Whoever looks after these is not known: a front that nobody speaks to would serve for ever. */
static void end_orphan(void *arg, const struct stored *item)
{
	struct msg m = {.kind = MSG_STOP, .generation = item->a, .a = ORPHAN_GRACE_S};
	const char *blank = strrchr(item->name, ' ');

	(void)arg;
	if (blank && blank - item->name > 2 && blank[-1] == KEPT_LINK && blank[-2] == ' ')
		(void)msg_send(item->fd, &m, NULL, -1);
}

unsigned vassals_adopt(struct vassals *v)
{
	_cleanup_(freep) char(*room)[LIMIT_NAME] = calloc(LIMIT_APPS, LIMIT_NAME);
	_cleanup_(freep) struct saved *s = calloc(1, sizeof(*s));
	struct names names = {.v = room};
	struct err err = {0};
	unsigned running = 0;

	if (v->state_dir_fd < 0 || !room || !s)
		return 0;
	if (statedir_each(v->state_dir_fd, add_name, &names, &err) < 0)
		log_warning("%s", err.text);
	for (size_t i = 0; i < names.n; i++) {
		struct buf bytes = {0};

		err = (struct err){0};
		if (read_saved(v, names.v[i], &bytes, s, &err) < 0 || adopt(v, s, &err) < 0) {
			log_warning("%s: not taken over: %s", names.v[i], err.text);
			statedir_remove(v->state_dir_fd, names.v[i]);
		}
		buf_done(&bytes);
	}
	legacy_each(v->setup.legacy, end_orphan, NULL);
	for (size_t i = 0; i < v->n; i++)
		running += v->v[i]->serving != NULL;
	return running;
}

/* No look will ever find its file, be it there or not. */
static void end_foreign(struct app *a)
{
	a->gone = true;
	a->v->routes_changed = true;
	persist_mark(a);
	app_event(a, LIFE_STOP, "its folder is none of this emperor's");
}

static void go_on(struct app *a)
{
	a->begun = false;
	if (a->gone)
		return;
	if (a->rested)
		rollback_rested(a);
	if (a->rested)
		app_event(a, LIFE_START, "the emperor was stopped, and is back");
	else if (a->state == APP_RUNNING)
		app_event(a, LIFE_CHANGE, "goes on with what the emperor before had begun");
	else if (a->state == APP_STOPPED || a->state == APP_STOPPING)
		app_event(a, LIFE_START, "goes on with what the emperor before had begun");
}

/* Nothing of it runs, and nobody knows whether its file is still there. */
static void wait_for_file(struct app *a)
{
	if (a->v->resumed)
		return; /* which has been said */
	app_put_text(&a->reason, "its folder cannot be read: it starts when that can");
	log_warning("%s: not started: %s", a->name, a->reason);
	tell_change(a, EVENT_NONE, "");
}

void vassals_resume(struct vassals *v)
{
	for (size_t i = 0; i < v->n; i++) {
		struct app *a = v->v[i];

		/* What was to drain has ended meanwhile: nothing else would tell of it. */
		if (a->gone && a->state == APP_STOPPED && !a->dead)
			app_event(a, LIFE_STOP, "its ini is gone");
		else if (!a->gone && !a->seen && !find_dir(v, a->file))
			end_foreign(a);
		if (!a->begun || a->begun_later || a->dead)
			continue;
		if (a->seen || a->gone || a->serving)
			go_on(a);
		else
			wait_for_file(a);
	}
	v->resumed = true;
}
