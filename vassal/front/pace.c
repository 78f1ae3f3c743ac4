/*
 * pace - see pace.h.
 */
#include "vassal/front/pace.h"

#include "shared/clock.h"

bool pace_is_slow(const struct pace *p, uint64_t grace_ns, uint64_t rate, uint64_t now_ns)
{
	uint64_t elapsed_ns = now_ns - MIN(now_ns, p->begun_ns);

	if (rate == 0 || elapsed_ns <= grace_ns)
		return false;
	/* in bytes and not in ns: those of a long body would overflow */
	return p->bytes < (elapsed_ns - grace_ns) / NS_PER_MS * rate / 1000;
}

void pace_excuse(struct pace *p, uint64_t ns)
{
	p->begun_ns += ns;
}
