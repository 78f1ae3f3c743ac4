/*
 * loop - one turn: events of our epoll set, requests to the exchange, answers from it, over and over until there is
 * nothing left, then back to libev (link, signals, timers, the pool) and to sleep.
 */
#pragma once

struct err;
struct front;

int loop_init(struct front *f, struct err *err);
/* Something changed outside a turn (a disk job, a worker's end): have a turn soon. */
void loop_kick(struct front *f);
