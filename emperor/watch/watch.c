/*
 * watch - see watch.h.
 *
 * The rescan must not fall into the gap of an editor that moves the old file away before it writes the new one: it first
 * empties inotify, whose queue is filled within the system calls themselves, and leaves the word to the settling burst
 * if there was anything.
 */
#include "emperor/watch/watch.h"

#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <sys/inotify.h>

#include "emperor/watch/scan.h"
#include "shared/err.h"

#define EVENTS                                                                              \
	(IN_CREATE | IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB | IN_MOVED_FROM | IN_MOVED_TO | \
	 IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

struct watch {
	struct ev_loop *loop;
	const char *const *dirs; /* borrowed */
	size_t dirs_n;
	watch_fn *fn;
	void *arg;
	int fd; /* owned: inotify */
	ev_io io;
	ev_timer settle, rescan;
	bool bursting;
	ev_tstamp first; /* of the burst */
};

/* Idempotent for a directory that is watched already; one that was replaced gets its own watch. */
static void add_dirs(const struct watch *w)
{
	for (size_t i = 0; i < w->dirs_n; i++)
		(void)inotify_add_watch(w->fd, w->dirs[i], EVENTS);
}

static bool concerns_us(const struct inotify_event *e)
{
	if (e->mask & (IN_Q_OVERFLOW | IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED))
		return true;
	return e->len > 0 && scan_takes_name(e->name);
}

/* Reads all there is. True if any of it is about an ini. */
static bool drain(const struct watch *w)
{
	char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	bool ours = false;
	ssize_t n;

	while ((n = read(w->fd, buf, sizeof(buf))) > 0) {
		for (char *p = buf; p < buf + n;) {
			const struct inotify_event *e = (const void *)p;

			ours |= concerns_us(e);
			p += sizeof(*e) + e->len;
		}
	}
	return ours;
}

static void burst(struct watch *w)
{
	ev_tstamp now = ev_now(w->loop);
	ev_tstamp wait = WATCH_SETTLE_S;

	if (!w->bursting) {
		w->bursting = true;
		w->first = now;
	}
	if (now + wait > w->first + WATCH_BURST_S)
		wait = w->first + WATCH_BURST_S - now;
	ev_timer_stop(w->loop, &w->settle);
	ev_timer_set(&w->settle, wait > 0 ? wait : 0, 0);
	ev_timer_start(w->loop, &w->settle);
}

static void on_inotify(struct ev_loop *loop, ev_io *io, int revents)
{
	struct watch *w = container_of(io, struct watch, io);

	(void)loop;
	(void)revents;
	if (drain(w))
		burst(w);
}

static void look_again(struct watch *w)
{
	w->bursting = false;
	ev_timer_stop(w->loop, &w->settle);
	ev_timer_again(w->loop, &w->rescan);
	add_dirs(w);
	w->fn(w->arg);
}

static void on_settled(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct watch *w = container_of(timer, struct watch, settle);

	(void)loop;
	(void)revents;
	look_again(w);
}

static void on_rescan(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct watch *w = container_of(timer, struct watch, rescan);

	(void)loop;
	(void)revents;
	if (w->bursting)
		return;
	if (drain(w))
		burst(w);
	else
		look_again(w);
}

int watch_start(struct watch **ret_watch, struct ev_loop *loop, const char *const *dirs,
		size_t dirs_n, double rescan_s, watch_fn *fn, void *arg, struct err *err)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return err_set(err, -ENOMEM, "watch: out of memory");
	*w = (struct watch){.loop = loop, .dirs = dirs, .dirs_n = dirs_n, .fn = fn, .arg = arg};
	w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->fd < 0) {
		int r = err_set(err, -errno,
				"inotify: %s (fs.inotify.max_user_instances may be too low)",
				strerror(errno));

		free(w);
		return r;
	}
	add_dirs(w);
	ev_io_init(&w->io, on_inotify, w->fd, EV_READ);
	ev_init(&w->settle, on_settled);
	ev_init(&w->rescan, on_rescan);
	w->rescan.repeat = rescan_s;
	ev_io_start(loop, &w->io);
	ev_timer_again(loop, &w->rescan);
	*ret_watch = w;
	return 0;
}

bool watch_look_now(struct watch *w)
{
	if (drain(w))
		burst(w);
	if (!w->bursting)
		look_again(w);
	return !w->bursting;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	ev_io_stop(w->loop, &w->io);
	ev_timer_stop(w->loop, &w->settle);
	ev_timer_stop(w->loop, &w->rescan);
	(void)close(w->fd);
	free(w);
}
