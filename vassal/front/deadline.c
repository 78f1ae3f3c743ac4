/*
 * deadline - see deadline.h. The hardest measure that is due comes first: after a front that stood still for a while
 * nothing is said that the next line makes untrue.
 */
#include "vassal/front/deadline.h"

static bool is_due(uint64_t limit_ns, uint64_t age_ns)
{
	return limit_ns > 0 && age_ns >= limit_ns;
}

enum deadline_action deadline_next(const struct deadline_limits *l, const struct deadline_state *s,
				   uint64_t age_ns)
{
	if (is_due(l->harakiri_ns, age_ns))
		return DEADLINE_HARAKIRI;
	if (s->interrupted) {
		uint64_t since_ns = age_ns - MIN(age_ns, s->interrupted_ns);

		if (since_ns >= l->grace_ns)
			return DEADLINE_UNMOVED;
		return !s->renewed && is_due(l->renew_ns, since_ns) ? DEADLINE_RENEW
								    : DEADLINE_WAIT;
	}
	if (is_due(l->interrupt_ns, age_ns))
		return DEADLINE_INTERRUPT;
	return !s->slow_said && is_due(l->slow_ns, age_ns) ? DEADLINE_SAY : DEADLINE_WAIT;
}
