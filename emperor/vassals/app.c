/*
 * app - one app from its birth to its death, and what others may know of it. What happens in between is actions.c.
 */
#include "emperor/vassals/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "shared/clock.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/log.h"
#include "shared/scoreboard.h"

struct ini *ini_ref(struct ini *ini)
{
	if (ini)
		ini->refs++;
	return ini;
}

void ini_unref(struct ini *ini)
{
	if (!ini || --ini->refs > 0)
		return;
	free(ini->bytes);
	free(ini);
}

void app_put_text(char **text, const char *fmt, ...)
{
	char *fresh;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&fresh, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	free(*text);
	*text = fresh;
}

static void on_retry(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct app *a = container_of(timer, struct app, retry);

	(void)loop;
	(void)revents;
	app_event(a, LIFE_RETRY, "trying again");
}

/* a->board_fd and board_ro_fd are put in place only when both are there. */
static int open_board(struct app *a, struct err *err)
{
	_cleanup_(fd_closep) int fd = -1;
	int ro_fd;
	struct scoreboard *board;
	char path[64];
	int r = board_create(&fd, &board, a->name, err);

	if (r < 0)
		return r;
	/* The emperor only keeps it alive; who wants to know maps it. */
	board_unmap(board);
	/* A memfd is born 0777: whoever is given it to read could reopen it for writing. */
	if (fchmod(fd, 0644) < 0)
		return err_set(err, -errno, "scoreboard: %s", strerror(errno));
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ro_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (ro_fd < 0)
		return err_set(err, -errno, "scoreboard: %s", strerror(errno));
	if (a->board_fd >= 0)
		(void)close(a->board_fd);
	if (a->board_ro_fd >= 0)
		(void)close(a->board_ro_fd);
	a->board_fd = TAKE_FD(fd);
	a->board_ro_fd = ro_fd;
	return 0;
}

int app_take_board(struct app *a, int board_fd, struct err *err)
{
	_cleanup_(fd_closep) int fd = board_fd;
	const struct scoreboard *board;
	char path[64];
	int r = board_map_readonly(fd, &board, err);
	int ro_fd;

	if (r < 0)
		return r;
	board_unmap(board);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ro_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (ro_fd < 0)
		return err_set(err, -errno, "scoreboard: %s", strerror(errno));
	(void)close(a->board_fd);
	(void)close(a->board_ro_fd);
	a->board_fd = TAKE_FD(fd);
	a->board_ro_fd = ro_fd;
	return 0;
}

static bool board_is_ours(const struct app *a)
{
	const struct scoreboard *board;

	if (board_map_readonly(a->board_ro_fd, &board, NULL) < 0)
		return false;
	board_unmap(board);
	return true;
}

int app_mend_board(struct app *a, struct err *err)
{
	int r;

	if (board_is_ours(a))
		return 0;
	r = open_board(a, err);
	if (r < 0)
		return r;
	log_warning("%s: its scoreboard was overwritten: it begins a new one", a->name);
	tell_app(a);
	tell_change(a, EVENT_NOTE, "its scoreboard was overwritten: it begins a new one");
	return 0;
}

void app_renew(struct app *a)
{
	struct err err = {0};
	int r = open_board(a, &err);

	if (r == 0)
		r = doors_renew_gate(&a->doors, &err);
	if (r < 0)
		log_warning("%s: keeps what its last processes held: %s", a->name, err.text);
	tell_app(a);
}

int app_new(struct app **ret, struct vassals *v, const char *name, const char *file,
	    const char *dir, struct err *err)
{
	struct app *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return err_set(err, -ENOMEM, "%s: out of memory", name);
	a->v = v;
	a->id = ++v->ids;
	a->dir = dir;
	a->state = APP_STOPPED;
	a->last_bank = LIMIT_BANKS - 1;
	a->since_wall_ns = clock_wall_ns();
	a->board_fd = -1;
	a->board_ro_fd = -1;
	doors_init(&a->doors);
	ev_init(&a->retry, on_retry);
	want_init(a);
	rollback_init(a);
	(void)snprintf(a->name, sizeof(a->name), "%s", name);
	a->file = strdup(file);
	r = a->file && includes_new(a) == 0 ? 0 : err_set(err, -ENOMEM, "%s: out of memory", name);
	/* Where descriptors are few, those that start come first: the others are opened when it is their turn. */
	if (r == 0 && room_is_wide())
		r = app_open(a, err);
	if (r < 0) {
		app_free(a);
		return r;
	}
	*ret = a;
	return 0;
}

int app_open(struct app *a, struct err *err)
{
	bool closed = a->board_fd < 0 || a->doors.gate_end < 0;
	unsigned wanted = closed ? ROOM_APP + ROOM_GENERATION : ROOM_GENERATION;
	int r = room_check(wanted + (a->serving ? 0 : ROOM_RELOADS), err);

	if (r == 0 && a->board_fd < 0)
		r = open_board(a, err);
	if (r == 0 && a->doors.gate_end < 0)
		r = doors_open_gate(&a->doors, err);
	if (r == 0 && closed)
		tell_app(a);
	return r;
}

void app_free(struct app *a)
{
	if (!a)
		return;
	persist_forget(a);
	ev_timer_stop(a->v->setup.loop, &a->retry);
	sleep_end(a);
	want_done(a);
	rollback_done(a);
	vassals_unqueue(a->v, a);
	while (a->generations) {
		struct generation *g = a->generations;

		a->generations = g->next;
		generation_kill(g);
		generation_free(g);
	}
	doors_done(&a->doors);
	if (a->board_fd >= 0)
		(void)close(a->board_fd);
	if (a->board_ro_fd >= 0)
		(void)close(a->board_ro_fd);
	loaded_unref(a->face);
	ini_unref(a->wanted);
	ini_unref(a->good);
	includes_done(a);
	free(a->file);
	free(a->problem);
	free(a->reason);
	free(a->last_error);
	free(a->notes);
	free(a->kept);
	free(a);
}

const struct generation *app_shown(const struct app *a)
{
	return a->serving ? a->serving : a->candidate;
}

void app_fill_info(const struct app *a, struct app_info *ret)
{
	const struct generation *g = app_shown(a);
	const struct loaded *l = a->serving ? a->serving->loaded : a->face;
	uint64_t now = clock_now_ns();
	bool waits = a->state == APP_BACKOFF;

	*ret = (struct app_info){
		.id = a->id,
		.name = a->name,
		.file = a->file,
		.state = a->state,
		.reason = a->reason ? a->reason : "",
		.last_error = a->last_error ? a->last_error : "",
		/* A reload that failed, or is under way, stopped nothing. */
		.since_wall_ns = a->state == APP_RUNNING && a->serving ? a->serving->serving_wall_ns
								       : a->since_wall_ns,
		.next_try_wall_ns =
			waits ? clock_wall_ns() + (a->restart.backoff.next_ns > now
							   ? a->restart.backoff.next_ns - now
							   : 0)
			      : 0,
		.generation = g ? g->number : a->numbers,
		.pid = g ? g->pid : 0,
		.uid = l ? l->uid : geteuid(),
		.gid = l ? l->gid : getegid(),
		.restarts = a->restarts,
		.failures = a->restart.failures,
		.newest = a->numbers,
		.scaled = a->serving ? a->serving->scaled : 0,
		.domains = l ? l->domains : "",
		.addresses = l ? l->addresses : "",
		.doors = &a->doors,
		.board_fd = a->board_ro_fd,
	};
	for (const struct generation *old = a->generations; old; old = old->next)
		ret->overlaps |= old->part == PART_LEAVING && old->serving_ns > 0 && !old->drains;
	for (const char *p = a->notes ? a->notes : ""; *p; p++)
		ret->warnings += *p == '\n';
	ret->warnings += g ? g->notes_n : 0;
}
