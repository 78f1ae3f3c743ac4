/*
 * pressure - tells the pool that requests wait, so that it can have more workers.
 */
#pragma once
#include <stdint.h>

struct front;

/* At the end of a turn. Costs nothing while the pool has all the workers that it may have. */
void pressure_tell(struct front *f);
/* Requests that no worker has taken, and since when the oldest of them waits. */
unsigned pressure_look(const struct front *f, uint64_t *ret_oldest_ns);
