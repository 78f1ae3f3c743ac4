/*
 * start - since when a request has been waiting, by what a proxy wrote into X-Request-Start. Pure.
 *
 * The proxy's clock is another machine's. A start in the future, or more than LIMIT_START_AGE_S ago, says nothing. And
 * when LIMIT_START_STALE requests in a row were too old on arrival it is likelier that the clock is wrong than that
 * nobody comes through in time: none is dropped for it any more until one is plausible again.
 */
#pragma once
#include "shared/span.h"

struct start_clock {    /* zeroed: believed */
	unsigned stale; /* in a row */
};

/*
 * "t=1700000000.123", "1700000000.123", "1700000000123" (ms), "1700000000123456" (us): the unit by the number of digits.
 * False: none of these.
 */
bool start_parse(struct span value, uint64_t *ret_wall_ns);
/* How long it has been waiting already, to be counted as queue time; 0 when that is not known. */
uint64_t start_age(struct start_clock *s, uint64_t start_wall_ns, uint64_t now_wall_ns,
		   uint64_t timeout_ns);
/* Has the clock just come into doubt? To be said once. */
bool start_is_doubted(const struct start_clock *s);
