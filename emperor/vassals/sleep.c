/*
 * sleep - apps without processes. Their doors stay open here, in one epoll set; a connection that comes stays where it is
 * (in the backlog, or in the gate's door) and wakes its app. From then on the doors are the new front's: the set no longer
 * has them, so what waits there is told once.
 *
 * An epoll set of our own, for libev would keep descriptors registered that others hold too (see the design of the gate).
 * Changing the ini of an app that sleeps starts nothing, unless the ini no longer lets it sleep: bytes are checked, names
 * and doors follow, a mistake is shown and the old bytes stay in force.
 */
#include "emperor/vassals/internal.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "shared/clock.h"
#include "shared/err.h"
#include "shared/log.h"
#include "shared/scoreboard.h"

#define EVENTS_PER_TURN 64 /* apps woken at once; starts are queued anyway */
#define FROM_THE_GATE   LIMIT_LISTENERS

static struct app *find(const struct vassals *v, uint32_t id)
{
	for (size_t i = 0; i < v->n; i++)
		if (v->v[i]->id == id)
			return v->v[i];
	return NULL;
}

static void wake(struct app *a, uint32_t door)
{
	char why[160] = "woken by a connection from a shared port";

	if (door < FROM_THE_GATE && a->face && door < a->face->config.listeners_n)
		(void)snprintf(why, sizeof(why), "woken by a connection at %s",
			       a->face->config.listeners[door].text);
	a->awake = true;
	a->woken_ns = clock_now_ns();
	app_event(a, LIFE_WAKE, why);
}

static void on_doors(struct ev_loop *loop, ev_io *io, int revents)
{
	struct vassals *v = container_of(io, struct vassals, wake_io);
	struct epoll_event events[EVENTS_PER_TURN];
	int n = epoll_wait(v->wake_fd, events, EVENTS_PER_TURN, 0);

	(void)loop;
	(void)revents;
	for (int i = 0; i < n; i++) {
		struct app *a = find(v, (uint32_t)(events[i].data.u64 >> 32));

		/* several of its doors may have been told of at once */
		if (a && a->watched)
			wake(a, (uint32_t)events[i].data.u64);
	}
}

int sleep_open(struct vassals *v, struct err *err)
{
	v->wake_fd = epoll_create1(EPOLL_CLOEXEC);
	if (v->wake_fd < 0)
		return err_set(err, -errno, "epoll_create: %s", strerror(errno));
	ev_io_init(&v->wake_io, on_doors, v->wake_fd, EV_READ);
	ev_io_start(v->setup.loop, &v->wake_io);
	return 0;
}

void sleep_close(struct vassals *v)
{
	if (v->wake_fd < 0)
		return;
	ev_io_stop(v->setup.loop, &v->wake_io);
	(void)close(TAKE_FD(v->wake_fd));
}

/* fn for each door at which a connection may come; 0 or the first error. */
static int for_doors(struct app *a, int (*fn)(const struct app *a, int fd, uint32_t door))
{
	const struct loaded *l = a->face;
	int first = fn(a, a->doors.front_end, FROM_THE_GATE);

	for (uint32_t i = 0; l && i < l->config.listeners_n; i++) {
		int fd = doors_find(&a->doors, &l->config.listeners[i].address);
		int r = fd >= 0 ? fn(a, fd, i) : 0;

		first = first < 0 ? first : r;
	}
	return first;
}

static int add(const struct app *a, int fd, uint32_t door)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = (uint64_t)a->id << 32 | door};

	/* the same address may stand in the ini twice */
	if (epoll_ctl(a->v->wake_fd, EPOLL_CTL_ADD, fd, &ev) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

static int del(const struct app *a, int fd, uint32_t door)
{
	(void)door;
	(void)epoll_ctl(a->v->wake_fd, EPOLL_CTL_DEL, fd, NULL);
	return 0;
}

static void watch(struct app *a)
{
	char why[160];
	int r;

	a->watched = true;
	r = for_doors(a, add);
	if (r == 0)
		return;
	(void)snprintf(why, sizeof(why), "it cannot sleep, its doors cannot be watched: %s",
		       strerror(-r));
	log_error("%s: %s", a->name, why);
	a->awake = true;
	app_event(a, LIFE_WAKE, why);
}

static void unwatch(struct app *a)
{
	if (a->watched)
		(void)for_doors(a, del);
	a->watched = false;
}

bool sleep_may(const struct loaded *l)
{
	return l->config.on_demand || l->config.sleep_after_s > 0;
}

bool sleep_begins_asleep(const struct app *a, const struct loaded *l)
{
	return l->config.on_demand && !a->awake && !a->serving;
}

void sleep_begin(struct app *a, const char *why)
{
	/* It has served until nobody asked any more, or was never asked: whatever failed before is over. */
	restart_reset(&a->restart);
	a->awake = false;
	app_prune_doors(a);
	log_info("%s: asleep: %s", a->name, why);
	tell_stats_door(a);
	tell_change(a, EVENT_ASLEEP, why);
	watch(a);
}

void sleep_go_on(struct app *a)
{
	watch(a);
}

void sleep_end(struct app *a)
{
	unwatch(a);
}

static void keep_old(struct app *a, const char *text)
{
	log_error("%s: its ini cannot be taken, it stays asleep as it is: %s", a->name, text);
	app_put_text(&a->last_error, "%s", text);
	/* Woken, it is what it was: a broken edit must not turn a sleep into an outage. */
	a->use_good = a->good && a->good != a->wanted;
	app_put_text(&a->reason, "asleep; its ini as it is now cannot be taken");
	tell_change(a, EVENT_FAILED, text);
	watch(a);
}

static void take_new(struct app *a, struct loaded *l, const char *why)
{
	struct err err = {0};
	char text[160];

	free(TAKE_PTR(a->last_error));
	app_show_face(a, l);
	if (doors_adjust(&a->doors, l, &err) < 0)
		log_warning("%s: %s", a->name, err.text);
	app_prune_doors(a);
	tell_stats_door(a);
	(void)snprintf(text, sizeof(text), "%s: it stays asleep", why);
	app_put_text(&a->reason, "%s", text);
	log_info("%s: %s", a->name, text);
	tell_change(a, EVENT_NOTE, text);
	watch(a);
}

void sleep_check_ini(struct app *a, const char *why)
{
	struct loaded *l = NULL;
	struct door_set set;
	struct err err = {0};
	int r;

	unwatch(a);
	a->conflict = false;
	r = app_load(a, a->wanted, &l, &err);
	if (r == 0 && !sleep_may(l)) {
		loaded_unref(l);
		a->awake = true;
		app_event(a, LIFE_START, "its ini no longer lets it sleep");
		return;
	}
	if (r == 0)
		r = app_open_doors(a, l, &set, &err);
	if (r == 0) {
		loaded_drop_items(l);
		take_new(a, l, why);
	} else {
		keep_old(a, err.text);
	}
	loaded_unref(l);
}
