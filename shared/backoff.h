/*
 * backoff - how long to wait before the next try. Pure: time and randomness are arguments.
 * Doubles from BACKOFF_FIRST_NS to BACKOFF_MAX_NS with +-20 % jitter; forgotten after a healthy run.
 */
#pragma once
#include "shared/clock.h"
#include <stdbool.h>

#define BACKOFF_FIRST_NS \
	(500 * NS_PER_MS) /* a crash at import is retried twice a second at first */
#define BACKOFF_MAX_NS (60 * NS_PER_S)
#define BACKOFF_HEALTHY_NS \
	(10 * NS_PER_S) /* ran this long: the next failure starts from the beginning */

struct backoff { /* zeroed = no failure yet */
	unsigned failures;
	uint64_t next_ns; /* not before; 0 = at once */
	uint64_t
		max_ns; /* the longest wait; 0 = BACKOFF_MAX_NS; stays when failures are forgotten */
};

/* random: any 32 bits. Returns the time of the next try, also kept in b. */
uint64_t backoff_failed(struct backoff *b, uint64_t now_ns, uint32_t random);

/* A run ended that began at started_ns: true, and forgotten, if it was long enough to count as healthy. */
bool backoff_ran(struct backoff *b, uint64_t started_ns, uint64_t now_ns);

/* A change of the file, or a command: try at once. */
void backoff_reset(struct backoff *b);
