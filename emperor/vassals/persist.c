/*
 * persist - what the emperor after this one must know of an app. Facts go into its file in the run directory
 * (saved.h), descriptors to the keeper; a file names each descriptor by the kernel's number for it, so that the two can
 * be told to belong together.
 *
 * Both are said at the end of the turn in which something changed, once, however much it was; and before a generation is
 * told to serve, for after that nobody may take it for one that only starts.
 */
#include "emperor/vassals/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "emperor/vassals/legacy.h"
#include "emperor/vassals/saved.h"
#include "emperor/vassals/statedir.h"
#include "shared/buf.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/log.h"

#define BOOT_ID  "/proc/sys/kernel/random/boot_id"
#define KEPT_MAX (3 + 2 * DOORS_MAX + 2 * (size_t)LIMIT_BANKS)

struct kept {
	uint64_t number, identity;
	char tag;
	int fd; /* borrowed; only while a list is made */
};

const char *persist_boot(void)
{
	static char boot[64]; /* of the machine: it cannot change while we live */
	_cleanup_(fd_closep) int fd = -1;
	ssize_t n;

	if (boot[0])
		return boot;
	fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, boot, sizeof(boot) - 1);
	boot[MAX(n, 0)] = '\0';
	boot[strcspn(boot, "\n")] = '\0';
	return boot;
}

int persist_open(struct vassals *v, const char *run_dir, struct err *err)
{
	return statedir_open(run_dir, &v->state_dir_fd, err);
}

void persist_name(const char *app, char tag, uint64_t number, char buf[KEPT_NAME])
{
	(void)snprintf(buf, KEPT_NAME, "%s %c %llu", app, tag, (unsigned long long)number);
}

/* -- descriptors ---------------------------------------------------------------------------------------- */

static void list_one(struct kept *list, size_t *n, enum kept_tag tag, uint64_t number, int fd)
{
	if (fd >= 0)
		list[(*n)++] = (struct kept){.number = number,
					     .identity = legacy_identify(fd),
					     .tag = (char)tag,
					     .fd = fd};
}

static size_t list_all(const struct app *a, struct kept list[KEPT_MAX])
{
	size_t n = 0;

	list_one(list, &n, KEPT_BOARD, 0, a->board_fd);
	list_one(list, &n, KEPT_GATE_END, 0, a->doors.gate_end);
	list_one(list, &n, KEPT_FRONT_END, 0, a->doors.front_end);
	for (size_t i = 0; i < a->doors.n; i++) {
		const struct door *d = &a->doors.v[i];

		list_one(list, &n, KEPT_DOOR, d->number, d->fd);
		list_one(list, &n, KEPT_DOOR_NAME, d->number, d->name_fd);
	}
	for (const struct generation *g = a->generations; g && n + 2 <= KEPT_MAX; g = g->next) {
		list_one(list, &n, KEPT_LINK, g->number, g->link_fd);
		list_one(list, &n, KEPT_LOG, g->number, g->log.fd);
	}
	return n;
}

static bool is_in(const struct kept *list, size_t n, const struct kept *what, bool as_it_is)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].tag == what->tag && list[i].number == what->number)
			return !as_it_is || list[i].identity == what->identity;
	return false;
}

static void say(const struct app *a, enum role_kind kind, const struct kept *what)
{
	struct role_msg m = {.kind = (uint16_t)kind, .a = what->number};
	char name[KEPT_NAME];

	persist_name(a->name, what->tag, what->number, name);
	roles_tell(a->v->setup.roles, ROLE_ID_KEEPER, &m, name, &what->fd,
		   kind == KEEPER_KEEP ? 1 : 0);
}

/* The keeper hears what has changed since it heard last. */
static void keep(struct app *a, const struct kept *list, size_t n)
{
	struct kept *copy;

	for (size_t i = 0; i < n; i++)
		if (!is_in(a->kept, a->kept_n, &list[i], true))
			say(a, KEEPER_KEEP, &list[i]);
	for (size_t i = 0; i < a->kept_n; i++)
		if (!is_in(list, n, &a->kept[i], false))
			say(a, KEEPER_DROP, &a->kept[i]);
	copy = reallocarray(a->kept, MAX(n, (size_t)1), sizeof(*copy));
	if (!copy)
		return; /* what is kept is said again the next time */
	memcpy(copy, list, n * sizeof(*copy));
	a->kept = copy;
	a->kept_n = n;
}

/* -- facts ---------------------------------------------------------------------------------------------- */

static uint64_t identity_of(const struct kept *list, size_t n, enum kept_tag tag, uint64_t number)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].tag == (char)tag && list[i].number == number)
			return list[i].identity;
	return 0;
}

/* In the middle of a swap the old one takes itself for serving still. */
static enum generation_part part_of(const struct generation *g)
{
	if (g == g->app->serving)
		return PART_SERVING;
	return g == g->app->candidate ? PART_CANDIDATE : PART_LEAVING;
}

static void describe_generation(struct saved_generation *s, struct generation *g,
				const struct kept *list, size_t n)
{
	*s = (struct saved_generation){
		.number = g->number,
		.bank = g->bank,
		.part = (uint64_t)part_of(g),
		.pid = (uint64_t)g->pid,
		.uid = g->is.uid,
		.start = g->is.start,
		.link = identity_of(list, n, KEPT_LINK, g->number),
		.log = identity_of(list, n, KEPT_LOG, g->number),
		.serving_ns = g->serving_ns,
		.serving_wall_ns = g->serving_wall_ns,
		.speaks = MSG_VERSION,
	};
}

static void describe_doors(struct saved *s, const struct app *a, const struct kept *list, size_t n)
{
	for (size_t i = 0; i < a->doors.n && s->doors_n < SAVED_DOORS; i++) {
		const struct door *d = &a->doors.v[i];
		struct saved_door *to = &s->doors[s->doors_n++];

		to->number = d->number;
		to->socket = identity_of(list, n, KEPT_DOOR, d->number);
		to->name = identity_of(list, n, KEPT_DOOR_NAME, d->number);
		address_format(&d->address, to->address);
	}
}

/*
 * A shut-down is no wish of anybody about one app: what is begun here is what the next emperor begins with, and so is what
 * ran, if this emperor is killed before its end.
 */
static bool is_begun(const struct app *a)
{
	const struct generation *g = a->serving;

	/* Nobody else would hear what its front answers. */
	if (g && g->serial != 0 && g->pending.loaded)
		return true;
	if (a->v->shutting_down)
		return !a->was_gone && !a->rests;
	return a->candidate || a->begun || a->queued || a->state == APP_STARTING ||
	       a->state == APP_BACKOFF || a->state == APP_REPLACING;
}

static void describe(struct saved *s, const struct app *a, const struct kept *list, size_t n)
{
	const struct ini *ini = a->good ? a->good : a->wanted;
	const struct ini *other = a->wanted != ini ? a->wanted : NULL;

	*s = (struct saved){
		.id = a->id,
		.ids = a->v->ids,
		.state = (uint64_t)a->state,
		/* The next emperor finds out that an ini is gone which has not been acted on. */
		.gone = (a->v->shutting_down ? a->was_gone : a->gone) && !a->yields,
		.begun = is_begun(a),
		.scaled = a->serving ? a->serving->scaled : 0,
		.cut_from = a->serving ? a->cut_from : 0,
		.processes =
			a->serving && a->cut_from > 0 ? a->serving->loaded->config.processes : 0,
		.good = a->good != NULL,
		.since_wall_ns = a->since_wall_ns,
		.restarts = a->restarts,
		.numbers = a->numbers,
		.served = a->serving ? a->serving->number : 0,
		.last_bank = a->last_bank,
		.board = identity_of(list, n, KEPT_BOARD, 0),
		.gate_end = identity_of(list, n, KEPT_GATE_END, 0),
		.front_end = identity_of(list, n, KEPT_FRONT_END, 0),
		.door_numbers = a->doors.numbers,
		.print = a->print,
	};
	(void)snprintf(s->name, sizeof(s->name), "%s", a->name);
	(void)snprintf(s->file, sizeof(s->file), "%s", a->file);
	(void)snprintf(s->boot, sizeof(s->boot), "%s", persist_boot());
	(void)snprintf(s->reason, sizeof(s->reason), "%s", a->reason ? a->reason : "");
	for (struct generation *g = a->generations; g && s->generations_n < LIMIT_BANKS;
	     g = g->next)
		if (g->pid > 0)
			describe_generation(&s->generations[s->generations_n++], g, list, n);
	describe_doors(s, a, list, n);
	if (a->serving && a->serving->config)
		s->config = span_of(a->serving->config, a->serving->config_n);
	rollback_describe(a, s);
	if (ini) {
		s->owner = ini->owner;
		s->roots = ini->roots;
		s->ini = span_of(ini->bytes, ini->n);
	}
	if (other) {
		s->file_owner = other->owner;
		s->file_roots = other->roots;
		s->file_ini = span_of(other->bytes, other->n);
	}
}

/* A full disk is said once, and once that it is over. */
static void say_written(struct vassals *v, int r, const struct err *err)
{
	if (r < 0 && !v->said_unsaved)
		log_error("%s: an emperor that took over now would start that app anew", err->text);
	else if (r == 0 && v->said_unsaved)
		log_info("state is written down again");
	v->said_unsaved = r < 0;
}

static void write_down(struct app *a, const struct kept *list, size_t n)
{
	struct err err = {0};
	struct buf out = {0};
	struct saved s;
	int r;

	describe(&s, a, list, n);
	r = saved_encode(&s, &out);
	if (r < 0)
		(void)err_set(&err, r, "%s: state: %s", a->name, strerror(-r));
	else
		r = statedir_write(a->v->state_dir_fd, a->name, buf_span(&out), &err);
	buf_done(&out);
	/* An old file would be worse than none. */
	if (r < 0)
		statedir_remove(a->v->state_dir_fd, a->name);
	say_written(a->v, r, &err);
}

/* -- when ----------------------------------------------------------------------------------------------- */

void persist_mark(const struct app *a)
{
	((struct app *)(uintptr_t)a)->unsaved = true;
	a->v->unsaved = true;
}

void persist_now(struct app *a)
{
	struct kept list[KEPT_MAX];
	size_t n;

	a->unsaved = false;
	if (a->v->state_dir_fd < 0 || a->dead)
		return;
	n = list_all(a, list);
	if (a->v->setup.roles)
		keep(a, list, n);
	write_down(a, list, n);
}

void persist_flush(struct vassals *v)
{
	if (!v->unsaved)
		return;
	v->unsaved = false;
	for (size_t i = 0; i < v->n; i++)
		if (v->v[i]->unsaved)
			persist_now(v->v[i]);
}

/*
 * What the emperor after one that was stopped must know: nothing runs, but what was decided is decided.
 * Its id stays: if this emperor is killed before its end, others are adopted with theirs.
 */
static void describe_end(struct saved *s, const struct app *a)
{
	describe(s, a, NULL, 0);
	saved_end(s, a->rests);
}

void persist_end(struct app *a)
{
	struct saved s;

	if (a->v->state_dir_fd < 0)
		return;
	buf_done(&a->last_words);
	describe_end(&s, a);
	/* Without memory for it the next emperor starts it as it would any. */
	if (saved_encode(&s, &a->last_words) < 0)
		buf_done(&a->last_words);
}

static void write_last_words(const struct app *a)
{
	struct err err = {0};

	if (statedir_write(a->v->state_dir_fd, a->name, buf_span(&a->last_words), &err) == 0)
		return;
	log_error("%s: %s: the next emperor does not know what was decided", a->name, err.text);
	statedir_remove(a->v->state_dir_fd, a->name);
}

void persist_forget(struct app *a)
{
	if (a->v->state_dir_fd < 0)
		return;
	if (a->last_words.n > 0)
		write_last_words(a);
	else
		statedir_remove(a->v->state_dir_fd, a->name);
	buf_done(&a->last_words);
	for (size_t i = 0; i < a->kept_n && a->v->setup.roles; i++)
		say(a, KEEPER_DROP, &a->kept[i]);
}

void vassals_keep_all(struct vassals *v)
{
	struct role_msg m = {.kind = KEEPER_KEEP};

	roles_tell(v->setup.roles, ROLE_ID_KEEPER, &m, VASSALS_KEPT_EPOCH, &v->epoch_fd, 1);
	for (size_t i = 0; i < v->n; i++) {
		v->v[i]->kept_n = 0;
		if (!v->v[i]->dead)
			persist_now(v->v[i]);
	}
}
