/*
 * probation - is a new generation worse than the one it replaced? Pure: counts and a clock go in, a verdict comes out.
 *
 * A rate of few requests says nothing, and one error decides nothing: a verdict against it needs PROBATION_REQUESTS and
 * PROBATION_ERRORS, and a rate that is clearly above the old one's. The old one's own rate counts with what it ever
 * served; one that served too little is taken to have been good.
 */
#pragma once
#include "shared/base.h"

#define PROBATION_REQUESTS 20 /* a page with its API calls; fewer are one client's */
#define PROBATION_ERRORS   5
#define PROBATION_MARGIN \
	20 /* one in so many more requests fails than before: noise of a healthy app stays below */

struct probation_count {
	uint64_t requests, errors;
};

enum probation_verdict { PROBATION_WAIT, PROBATION_PASSED, PROBATION_FAILED };

/* What a generation did between two looks; counters that ran backwards (the app can write them) count as nothing. */
struct probation_count probation_since(const struct probation_count *then,
				       const struct probation_count *now);
enum probation_verdict probation_judge(const struct probation_count *old,
				       const struct probation_count *now, uint64_t age_ns,
				       uint64_t span_ns);
/*
 * Nobody has looked for a while: may it still be judged? Once more than half of what is counted happened after its end,
 * the figures are no longer those of a probation.
 */
bool probation_goes_on(uint64_t age_ns, uint64_t span_ns);
/* "12 of 60 requests failed; of 8124 before, 3 did" */
const char *probation_text(const struct probation_count *old, const struct probation_count *now,
			   char *buf, size_t size);
