/*
 * probation - see probation.h.
 */
#include "emperor/vassals/probation.h"

#include <inttypes.h>
#include <stdio.h>

/* Products of two of these fit 64 bits with room for the margin. */
#define COUNT_MAX (1ULL << 28)

static uint64_t gone_up(uint64_t then, uint64_t now)
{
	return now > then ? now - then : 0;
}

struct probation_count probation_since(const struct probation_count *then,
				       const struct probation_count *now)
{
	struct probation_count c = {
		.requests = gone_up(then->requests, now->requests),
		.errors = gone_up(then->errors, now->errors),
	};

	/* An answer that never came is an error and no request. */
	c.requests = MAX(c.requests, c.errors);
	return c;
}

/* Keeps the ratio, within what can be multiplied. */
static struct probation_count shrink(struct probation_count c)
{
	while (c.requests > COUNT_MAX || c.errors > COUNT_MAX) {
		c.requests /= 2;
		c.errors /= 2;
	}
	return c;
}

/* now's rate > old's rate + 1 / PROBATION_MARGIN, without a division. */
static bool is_worse(struct probation_count old, struct probation_count now)
{
	old = shrink(old);
	now = shrink(now);
	if (old.requests < PROBATION_REQUESTS)
		old = (struct probation_count){.requests = 1};
	return now.errors * old.requests * PROBATION_MARGIN >
	       now.requests * (old.errors * PROBATION_MARGIN + old.requests);
}

enum probation_verdict probation_judge(const struct probation_count *old,
				       const struct probation_count *now, uint64_t age_ns,
				       uint64_t span_ns)
{
	if (now->requests >= PROBATION_REQUESTS && now->errors >= PROBATION_ERRORS &&
	    is_worse(*old, *now))
		return PROBATION_FAILED;
	return age_ns >= span_ns ? PROBATION_PASSED : PROBATION_WAIT;
}

bool probation_goes_on(uint64_t age_ns, uint64_t span_ns)
{
	return age_ns / 2 < span_ns;
}

const char *probation_text(const struct probation_count *old, const struct probation_count *now,
			   char *buf, size_t size)
{
	(void)snprintf(buf, size,
		       "%" PRIu64 " of its first %" PRIu64 " request%s failed; of %" PRIu64
		       " before, %" PRIu64 " did",
		       now->errors, now->requests, PLURAL(now->requests), old->requests,
		       old->errors);
	return buf;
}
