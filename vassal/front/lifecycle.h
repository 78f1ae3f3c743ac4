/*
 * lifecycle - the front's own states: starting, serving, draining, gone. Each is entered once, in this order.
 */
#pragma once
#include "shared/msg.h"

struct front;

/* The pool's first workers wait. */
void lifecycle_ready(struct front *f, uint64_t import_us, unsigned workers);
/* The pool will never serve. */
void lifecycle_failed(struct front *f, enum fail_phase phase, const char *text);
/* Take connections. */
void lifecycle_serve(struct front *f);
/* Take no further ones, finish or hand over what is there, leave; grace_s 0: at once. heir_fd: taken over, or -1. */
void lifecycle_drain(struct front *f, unsigned grace_s, int heir_fd);
/* Now and then while it drains: idle connections. */
void lifecycle_tend(struct front *f);
/* At the end of each turn: has the last connection gone? */
void lifecycle_check(struct front *f);
/* The last process of the pool has gone. */
void lifecycle_stopped(struct front *f);
/* The last process beside the app has gone, after lifecycle_drain. */
void lifecycle_tasks_over(struct front *f);
