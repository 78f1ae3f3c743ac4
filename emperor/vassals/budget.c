/*
 * budget - see budget.h.
 */
#include "emperor/vassals/budget.h"

#include "shared/clock.h"

static bool since(uint64_t then_ns, uint64_t now_ns, unsigned seconds)
{
	return then_ns == 0 || now_ns - then_ns >= seconds * NS_PER_S;
}

static uint64_t sum(const struct budget_app *apps, size_t n)
{
	uint64_t total = 0;

	for (size_t i = 0; i < n; i++)
		total += apps[i].memory;
	return total;
}

/* From above the limit down to nine tenths of it: without that gap it would act for ever around one figure. */
static bool is_over(const struct budget *b, uint64_t total, uint64_t limit, uint64_t now_ns)
{
	bool stalls = b->stalled_ns > 0 && !since(b->stalled_ns, now_ns, BUDGET_STALL_S);

	if (limit == 0)
		return stalls;
	return stalls || total > (b->over ? limit - limit / 10 : limit);
}

static bool find_sleeper(const struct budget_app *apps, size_t n, uint64_t now_ns, size_t *ret)
{
	const struct budget_app *best = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct budget_app *a = &apps[i];

		if (!a->may_sleep || a->idle_ns < BUDGET_IDLE_S * NS_PER_S ||
		    !since(a->asked_ns, now_ns, BUDGET_ASK_S) ||
		    (best && a->idle_ns <= best->idle_ns))
			continue;
		best = a;
		*ret = i;
	}
	return best != NULL;
}

static bool find_fat(const struct budget_app *apps, size_t n, uint64_t now_ns, size_t *ret)
{
	const struct budget_app *best = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct budget_app *a = &apps[i];

		if (a->fat == 0 || !since(a->renewed_ns, now_ns, BUDGET_WORKER_S) ||
		    (best && a->fat <= best->fat))
			continue;
		best = a;
		*ret = i;
	}
	return best != NULL;
}

struct budget_action budget_decide(struct budget *b, const struct budget_app *apps, size_t n,
				   uint64_t limit, uint64_t now_ns)
{
	struct budget_action action = {.total = sum(apps, n)};
	bool was = b->over;

	b->over = is_over(b, action.total, limit, now_ns);
	if (!b->over || !since(b->acted_ns, now_ns, BUDGET_STEP_S))
		return action;
	if (find_sleeper(apps, n, now_ns, &action.app)) {
		action.kind = BUDGET_SLEEP;
	} else if (find_fat(apps, n, now_ns, &action.app)) {
		action.kind = BUDGET_RENEW;
		action.worker = apps[action.app].fat_worker;
	} else {
		action.kind = was ? BUDGET_REST : BUDGET_HELPLESS;
		return action;
	}
	b->acted_ns = now_ns;
	return action;
}

void budget_stalled(struct budget *b, uint64_t now_ns)
{
	b->stalled_ns = now_ns;
}

unsigned budget_grant(unsigned most, unsigned used, unsigned wanted)
{
	unsigned left = most > used ? most - used : 0;

	if (most == 0)
		return wanted;
	return MAX(1U, MIN(wanted, left));
}
