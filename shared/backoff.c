/*
 * backoff - see backoff.h.
 */
#include "shared/backoff.h"

/* Wide enough that a hundred apps which failed together do not come back together. */
#define JITTER_PERCENT 20

static uint64_t longest_ns(const struct backoff *b)
{
	return b->max_ns ? b->max_ns : BACKOFF_MAX_NS;
}

static uint64_t wait_ns(unsigned failures, uint64_t longest)
{
	uint64_t wait = BACKOFF_FIRST_NS;

	for (unsigned i = 1; i < failures && wait < longest; i++)
		wait *= 2;
	return wait < longest ? wait : longest;
}

/* Spread over [-20 %, +20 %] of the wait, but never beyond the maximum that is promised. */
static uint64_t jittered_ns(uint64_t wait, uint64_t longest, uint32_t random)
{
	uint64_t width = wait * 2 * JITTER_PERCENT / 100;
	uint64_t spread = (width >> 16) * (random >> 16);
	uint64_t result = wait - wait * JITTER_PERCENT / 100 + spread;

	return result < longest ? result : longest;
}

uint64_t backoff_failed(struct backoff *b, uint64_t now_ns, uint32_t random)
{
	if (b->failures < UINT32_MAX)
		b->failures++;
	b->next_ns =
		now_ns + jittered_ns(wait_ns(b->failures, longest_ns(b)), longest_ns(b), random);
	return b->next_ns;
}

bool backoff_ran(struct backoff *b, uint64_t started_ns, uint64_t now_ns)
{
	if (now_ns < started_ns || now_ns - started_ns < BACKOFF_HEALTHY_NS)
		return false;
	backoff_reset(b);
	return true;
}

void backoff_reset(struct backoff *b)
{
	*b = (struct backoff){.max_ns = b->max_ns};
}
