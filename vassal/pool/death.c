/*
 * death - how a worker ended: counted, told, and whether it was to be expected. Asked once for each that has gone, while
 * its number still is what it was.
 */
#include "vassal/pool/inner.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "shared/scoreboard.h"
#include "vassal/exchange/crew.h"
#include "vassal/pool/recycle.h"

static struct policy_slot *slot_of(const struct worker *w)
{
	return &w->pool->policy.slot[w->number];
}

static void count_recycled(const struct worker *w, enum policy_reason why)
{
	if (why == WHY_STOP)
		return;
	if (why == WHY_SURPLUS && w->pool->policy.target == 0)
		return; /* the nap was told */
	if (why == WHY_SURPLUS) {
		pool_event(w->pool, EVENT_NOTE, w->number + 1,
			   "worker %u has left, idle: %u process%s wanted", w->number + 1,
			   w->pool->policy.target, w->pool->policy.target == 1 ? " is" : "es are");
		return;
	}
	board_add(&w->pool->setup.bank->counters.recycled, 1);
	recycle_tell(w->pool, w->number, why);
}

static void count_crash(struct worker *w, int status)
{
	struct pool *pool = w->pool;
	bool before_ready = slot_of(w)->state == SLOT_STARTING;
	const char *hint = "";

	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		hint = "; not by us: the kernel, short of memory, or an operator";
	board_add(&pool->setup.bank->counters.crashed, 1);
	if (!pool->over)
		pool_event(pool, EVENT_WORKER_CRASHED, w->number + 1,
			   "worker %u died%s: %s%s (after %" PRIu64 " request%s)", w->number + 1,
			   before_ready ? " before it was ready" : "", w->why, hint, w->served,
			   PLURAL(w->served));
	if (!pool->served)
		(void)snprintf(pool->last_death, sizeof(pool->last_death),
			       "worker %u %s before it was ready", w->number + 1, w->why);
}

/* Sorts the death into one of: killed by us, recycled, left, crashed. Says whether it was to be
 * expected. */
bool death_classify(struct worker *w, int status)
{
	const struct policy_slot *s = slot_of(w);
	bool clean = WIFEXITED(status) && WEXITSTATUS(status) == CREW_EXIT_OK;

	if (s->state == SLOT_KILLING) {
		if (s->why == WHY_TOLD || s->why == WHY_STOP)
			return true;
		board_add(&w->pool->setup.bank->counters.killed, 1);
		pool_event(w->pool, EVENT_WORKER_KILLED, w->number + 1, "worker %u killed: %s",
			   w->number + 1, w->why);
		return false;
	}
	if (w->left) {
		pool_event(w->pool, EVENT_NOTE, w->number + 1, "worker %u left of its own will: %s",
			   w->number + 1, w->why);
		return WIFEXITED(status);
	}
	exits_describe(status, w->why, sizeof(w->why));
	if (s->state == SLOT_RETIRING && clean) {
		count_recycled(w, s->why);
		return true;
	}
	count_crash(w, status);
	return false;
}
