/*
 * answer - takes the workers' frames off their lanes and puts them on the wire.
 */
#pragma once
#include "shared/base.h"

struct conn;
struct front;

/* All lanes, once around. True if anything was consumed. A lane that waits for a slow client keeps nobody awake. */
bool answer_drain(struct front *f);
/* What a worker left before it died. */
void answer_drain_worker(struct front *f, unsigned worker);
/*
 * The client has every byte of it, and knows: only the worker is not done, with a close() or what it logs. Whoever leaves
 * now has been answered.
 */
bool answer_is_whole(const struct conn *c);
