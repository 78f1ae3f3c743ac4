/*
 * doors - see doors.h.
 *
 * The table of apps: who has which door, and whether it is up. What goes into a door is door_queue.c's, what comes out of
 * it door_back.c's.
 */
#include "emperor/gate/doors_inner.h"

#include <errno.h>
#include <stdio.h>

#include "shared/err.h"
#include "shared/fd.h"
#include "shared/limits.h"

/* The kernel doubles it: 680 short heads, 50 of 8 KB; 1 MB would let a dead app hoard. */
#define DOOR_SNDBUF (256 * 1024)

struct app *doors_app(const struct doors *d, uint32_t id)
{
	struct app *app = d->slots[id % APP_SLOTS];

	while (app && app->id != id)
		app = app->next;
	return app;
}

void doors_each(struct doors *d, void (*fn)(struct app *app, void *arg), void *arg)
{
	for (size_t i = 0; i < APP_SLOTS; i++)
		for (struct app *app = d->slots[i], *next; app; app = next) {
			next = app->next;
			fn(app, arg);
		}
}

static void compare_uid(struct app *app, void *arg)
{
	const struct app **first = arg;

	if (!*first)
		*first = app;
	if ((*first)->uid != app->uid)
		app->doors->one_uid = false;
}

static void update_one_uid(struct doors *d)
{
	const struct app *first = NULL;

	d->one_uid = true;
	doors_each(d, compare_uid, &first);
}

static void shut(struct app *app)
{
	if (app->gate_fd < 0)
		return;
	ev_io_stop(app->doors->loop, &app->hand_backs);
	ev_io_stop(app->doors->loop, &app->writable);
	(void)close(app->gate_fd);
	(void)close(app->front_fd);
}

static void open_door(struct app *app, int gate_fd, int front_fd)
{
	const int size = DOOR_SNDBUF;

	/* More than the system allows is cut to what it allows. */
	(void)setsockopt(gate_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	(void)fd_set_nonblock(gate_fd, true);
	(void)fd_set_nonblock(front_fd, true);
	app->gate_fd = gate_fd;
	app->front_fd = front_fd;
	app->broken = false;
	door_queue_open(app);
	door_back_open(app);
}

static struct app *add_app(struct doors *d, uint32_t id)
{
	struct app *app = d->apps_n < LIMIT_APPS ? calloc(1, sizeof(*app)) : NULL;

	if (!app)
		return NULL;
	app->doors = d;
	app->id = id;
	app->gate_fd = app->front_fd = -1;
	app->retry_after_s = RETRY_DEFAULT_S;
	TAILQ_INIT(&app->queue);
	app->next = d->slots[id % APP_SLOTS];
	d->slots[id % APP_SLOTS] = app;
	d->apps_n++;
	return app;
}

int doors_set_app(struct doors *d, uint32_t id, uint64_t uid, const char *name, int gate_fd,
		  int front_fd, struct err *err)
{
	struct app *app = doors_app(d, id);

	if (!app)
		app = add_app(d, id);
	if (!app) {
		(void)close(gate_fd);
		(void)close(front_fd);
		return err_set(err, -ENOSPC, "%s: no room for one more app", name);
	}
	/* Nobody takes from a door that was replaced because it was shut. */
	if (app->gate_fd >= 0 && (door_is_shut(app->gate_fd) || door_is_shut(app->front_fd)))
		door_drain(app, RETRY_CROWDED_S, false);
	door_take_all_back(app);
	shut(app);
	app->named = true;
	app->uid = uid;
	(void)snprintf(app->name, sizeof(app->name), "%s", name);
	open_door(app, gate_fd, front_fd);
	update_one_uid(d);
	door_flush(app);
	return 0;
}

static void free_app(struct app *app)
{
	struct doors *d = app->doors;
	struct app **at = &d->slots[app->id % APP_SLOTS];

	while (*at != app)
		at = &(*at)->next;
	*at = app->next;
	d->apps_n--;
	shut(app);
	free(app);
}

void doors_drop_app(struct doors *d, uint32_t id)
{
	struct app *app = doors_app(d, id);

	if (!app)
		return;
	app->down = true;
	door_take_all_back(app);
	door_drain(app, app->retry_after_s, true);
	door_refuse_queue(app, app->retry_after_s, true);
	free_app(app);
	update_one_uid(d);
}

static void forget_name(struct app *app, void *arg)
{
	(void)arg;
	app->named = false;
}

void doors_begin(struct doors *d)
{
	doors_each(d, forget_name, NULL);
}

static void drop_unnamed(struct app *app, void *arg)
{
	(void)arg;
	if (!app->named)
		doors_drop_app(app->doors, app->id);
}

void doors_end(struct doors *d)
{
	doors_each(d, drop_unnamed, NULL);
}

bool doors_set_state(struct doors *d, uint32_t id, bool down, unsigned retry_after_s)
{
	struct app *app = doors_app(d, id);

	if (!app)
		return false;
	app->down = down;
	app->retry_after_s = retry_after_s > 0 ? retry_after_s : RETRY_DEFAULT_S;
	if (down) {
		door_drain(app, app->retry_after_s, true);
		door_refuse_queue(app, app->retry_after_s, true);
	}
	return true;
}

int doors_new(struct doors **ret_doors, struct ev_loop *loop, const struct ports *ports,
	      const struct doors_handler *handler, struct err *err)
{
	struct doors *d = calloc(1, sizeof(*d));

	if (!d)
		return err_set(err, -ENOMEM, "out of memory");
	d->loop = loop;
	d->ports = ports;
	d->handler = *handler;
	d->one_uid = true;
	*ret_doors = d;
	return 0;
}

size_t doors_queued(const struct doors *d)
{
	return d->queued_n;
}

static void end_app(struct app *app, void *arg)
{
	(void)arg;
	door_refuse_queue(app, RETRY_DEFAULT_S, false);
}

void doors_end_all(struct doors *d)
{
	doors_each(d, end_app, NULL);
}

static void close_app(struct app *app, void *arg)
{
	(void)arg;
	door_refuse_queue(app, RETRY_DEFAULT_S, false);
	free_app(app);
}

void doors_free(struct doors *d)
{
	if (!d)
		return;
	doors_each(d, close_app, NULL);
	free(d);
}
