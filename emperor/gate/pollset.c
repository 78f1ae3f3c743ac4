/*
 * pollset - see pollset.h.
 */
#include "emperor/gate/pollset.h"

#include <errno.h>

#include "shared/err.h"

static void on_ready(struct ev_loop *loop, ev_io *io, int revents)
{
	struct pollset *ps = container_of(io, struct pollset, io);

	(void)loop;
	(void)revents;
	ps->events_n = epoll_wait(ps->fd, ps->events, POLLSET_BATCH, 0);
	for (int i = 0; i < ps->events_n; i++) {
		struct poll_item *item = ps->events[i].data.ptr;

		if (item)
			item->fn(item, ps->events[i].events);
	}
	ps->events_n = 0;
}

int pollset_open(struct pollset *ps, struct ev_loop *loop, struct err *err)
{
	ps->fd = epoll_create1(EPOLL_CLOEXEC);
	if (ps->fd < 0)
		return err_set(err, -errno, "epoll: %s", strerror(errno));
	ps->loop = loop;
	ps->events_n = 0;
	ev_io_init(&ps->io, on_ready, ps->fd, EV_READ);
	ev_io_start(loop, &ps->io);
	return 0;
}

void pollset_done(struct pollset *ps)
{
	if (!ps->loop)
		return;
	ev_io_stop(ps->loop, &ps->io);
	(void)close(ps->fd);
	ps->loop = NULL;
}

int pollset_add(struct pollset *ps, struct poll_item *item, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data = {.ptr = item}};
	int op = item->added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (epoll_ctl(ps->fd, op, item->fd, &ev) < 0)
		return -errno;
	item->added = true;
	return 0;
}

void pollset_del(struct pollset *ps, struct poll_item *item)
{
	if (!item->added)
		return;
	(void)epoll_ctl(ps->fd, EPOLL_CTL_DEL, item->fd, NULL);
	item->added = false;
	/* An event of this turn may still be waiting for it. */
	for (int i = 0; i < ps->events_n; i++)
		if (ps->events[i].data.ptr == item)
			ps->events[i].data.ptr = NULL;
}
