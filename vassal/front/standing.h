/*
 * standing - the queue of an app that gets more requests than it can answer: see order.h for the rule, queue.h for the
 * queue. Requests that the exchange had for the workers are taken back and parked, slot and all; one by one the newest
 * goes out when a worker has ended one.
 */
#pragma once
#include "shared/base.h"

struct front;

/* From the tick: does it stand, does it no longer? */
void standing_check(struct front *f);
/* May another request go to the workers? Only asked while the newest is next. */
bool standing_has_room(const struct front *f);
/* Those that wait: kept, parked, and (a gauge) in the exchange. */
unsigned standing_length(const struct front *f);
/* The newest parked slot, or -1; and the oldest. */
int standing_newest(const struct front *f);
int standing_oldest(const struct front *f);
/* It is taken out of the lot. Harmless for one that is not in it. */
void standing_unpark(struct front *f, unsigned slot);
