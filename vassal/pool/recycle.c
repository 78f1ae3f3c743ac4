/*
 * recycle - see recycle.h. Called at the worker's end: its slot of the policy still says all.
 */
#include "vassal/pool/recycle.h"

#include <inttypes.h>
#include <stdio.h>

#include "shared/clock.h"
#include "shared/scoreboard.h"
#include "vassal/pool/inner.h"

#define MIB (1024 * 1024UL)

static const struct memory_text {
	const char *what, *option;
} memory_texts[MEMORY_KINDS] = {
	[MEMORY_RSS] = {"rss", "reload-on-rss"},
	[MEMORY_PSS] = {"pss", "reload-on-pss"},
	[MEMORY_USS] = {"uss", "reload-on-uss"},
	[MEMORY_AS] = {"address space", "reload-on-as"},
	[MEMORY_EVIL_RSS] = {"rss", "evil-reload-on-rss"},
	[MEMORY_EVIL_AS] = {"address space", "evil-reload-on-as"},
};

static void describe_memory(const struct pool *pool, const struct policy_slot *s,
			    enum policy_memory kind, char *buf, size_t size)
{
	const struct memory_text *t = &memory_texts[kind];

	(void)snprintf(buf, size, "%s %" PRIu64 "M over %s %" PRIu64 "M for %u checks%s", t->what,
		       s->figure / MIB, t->option, pool->policy.config.memory_limit[kind] / MIB,
		       POLICY_OVER_CHECKS,
		       s->condemned != WHY_NONE ? ", in a request that does not end" : "");
}

void recycle_describe(const struct pool *pool, unsigned worker, enum policy_reason why, char *buf,
		      size_t size)
{
	const struct worker *w = &pool->worker[worker];
	const struct policy_slot *s = &pool->policy.slot[worker];

	if (why >= WHY_RSS && why <= WHY_EVIL_AS)
		describe_memory(pool, s, (enum policy_memory)(why - WHY_RSS), buf, size);
	else if (why == WHY_REQUESTS)
		(void)snprintf(buf, size, "max-requests %" PRIu64, pool->config.max_requests);
	else if (why == WHY_AGE)
		(void)snprintf(buf, size, "%llu s old, max-worker-lifetime %u s",
			       (clock_now_ns() - w->spawned_ns) / NS_PER_S,
			       pool->config.max_lifetime_s);
	else if (why == WHY_REFORK)
		(void)snprintf(buf, size, "refork: its successor shares more");
	else if (why == WHY_BUDGET)
		(void)snprintf(buf, size, "%" PRIu64 "M, memory-budget of the machine",
			       w->rss / MIB);
	else if (why == WHY_STUCK)
		(void)snprintf(buf, size, "a request goes on after its interrupt");
	else
		(void)snprintf(buf, size, "it had closed its channel to the front");
}

void recycle_tell(struct pool *pool, unsigned worker, enum policy_reason why)
{
	const struct worker *w = &pool->worker[worker];
	char text[POOL_WHY];

	recycle_describe(pool, worker, why, text, sizeof(text));
	pool_event(pool, EVENT_WORKER_RECYCLED, worker + 1,
		   "worker %u recycled after %" PRIu64 " request%s (%s)", worker + 1, w->served,
		   PLURAL(w->served), text);
}
