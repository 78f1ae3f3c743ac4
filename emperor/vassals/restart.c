/*
 * restart - see restart.h.
 */
#include "emperor/vassals/restart.h"

#include "shared/limits.h"

bool restart_lost(struct restart *r, bool asked, uint64_t serving_ns, uint64_t now_ns)
{
	if (backoff_ran(&r->backoff, serving_ns, now_ns)) {
		restart_reset(r);
		return true;
	}
	if (asked && r->asked < LIMIT_RESTARTS_ASKED) {
		r->asked++;
		return true;
	}
	r->failures++;
	return r->failures == 1;
}

void restart_unready(struct restart *r)
{
	r->failures++;
	r->unready = true;
}

void restart_served(struct restart *r)
{
	r->unready = false;
}

uint64_t restart_wait(struct restart *r, uint64_t now_ns, uint32_t random)
{
	return backoff_failed(&r->backoff, now_ns, random);
}

bool restart_refuses(const struct restart *r)
{
	return r->failures > 0 && (r->unready || r->failures > LIMIT_RESTARTS_HELD);
}

void restart_reset(struct restart *r)
{
	backoff_reset(&r->backoff);
	*r = (struct restart){.backoff = r->backoff};
}
