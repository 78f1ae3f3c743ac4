/*
 * pollset - client connections that the gate waits for, in an epoll set of its own behind one ev_io of the loop.
 *
 * They do not live in libev's set because a connection may be passed to another process: its description then stays
 * open, and a set that it was not deleted from goes on reporting it. Delete an item before its descriptor is passed or
 * closed.
 */
#pragma once
#include "shared/base.h"
#include <ev.h>
#include <sys/epoll.h>

struct err;
struct poll_item;

#define POLLSET_BATCH \
	64 /* events of one loop turn: a flood of clients must not starve the link to the emperor */

/* May delete and free any item of the set, this one included. */
typedef void poll_item_fn(struct poll_item *item, uint32_t events);

struct poll_item { /* embedded; zeroed = in no set */
	poll_item_fn *fn;
	int fd; /* borrowed */
	bool added;
};

struct pollset {
	int fd;
	ev_io io;
	struct ev_loop *loop;
	struct epoll_event events[POLLSET_BATCH];
	int events_n; /* of the turn that is being worked on */
};

int pollset_open(struct pollset *ps, struct ev_loop *loop, struct err *err);
void pollset_done(struct pollset *ps);
/* Level-triggered. Changes the events of an item that is already there. 0 or -errno. */
int pollset_add(struct pollset *ps, struct poll_item *item, uint32_t events);
void pollset_del(struct pollset *ps, struct poll_item *item);
