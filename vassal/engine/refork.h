/*
 * refork - a worker that has served for a while becomes the parent of the next mold, whose forks share what the app
 * has loaded since its import.
 */
#pragma once
#include <stdint.h>

#include "shared/limits.h"

struct crew_link;
struct engine;

#define REFORK_FDS 1024 /* a worker with a descriptor beyond is not one to fork */

struct refork { /* zeroed: knows of no descriptor */
	uint64_t ours[REFORK_FDS / 64];
	int wake_fd; /* of the worker; not for the mold */
};

/* What is open now was there before the first request. */
void refork_remember(struct refork *r);
/*
 * The front has called (exchange_worker_call). Holds the GIL, on the only thread, between two requests. Either the mold
 * is forked or the front is told why not; the worker serves on.
 */
void refork_answer(struct engine *e, struct refork *r, struct crew_link *link);
