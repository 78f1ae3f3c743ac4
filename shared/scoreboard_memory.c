/*
 * scoreboard_memory - see scoreboard.h. What an app's processes hold, by the word of its front: clamped, so that sums of all
 * rows stay far from overflow.
 */
#include "shared/scoreboard.h"

#define BYTES_MAX (1ULL << 50) /* no process has a petabyte */

bool board_worker_lives(const struct board_worker *w)
{
	uint32_t state = atomic_load_explicit(&w->state, memory_order_relaxed);

	return state != WORKER_NONE && state != WORKER_DEAD && state < WORKER_STATE_COUNT;
}

unsigned board_worker_rows(const struct board_bank *bank)
{
	uint32_t workers = atomic_load_explicit(&bank->workers, memory_order_relaxed);

	/* As configured, and as many again for replacements and for a number that was lowered in place. */
	workers = MIN(workers, (uint32_t)LIMIT_WORKERS);
	return MIN(2 * workers + 2, (unsigned)LIMIT_WORKERS);
}

static struct board_memory read_memory(const board_u64 *rss, const board_u64 *pss)
{
	uint64_t resident = board_get(rss);
	uint64_t share = board_get(pss);
	struct board_memory m = {.rss = MIN(resident, BYTES_MAX), .pss = MIN(share, BYTES_MAX)};

	m.held = m.pss > 0 ? m.pss : m.rss;
	return m;
}

static void add(struct board_memory *sum, struct board_memory m)
{
	sum->rss += m.rss;
	sum->pss += m.pss;
	sum->held += m.held;
}

uint64_t board_worker_held(const struct board_worker *w)
{
	return read_memory(&w->rss, &w->pss).held;
}

void board_add_memory(const struct board_bank *bank, struct board_app_memory *sum)
{
	unsigned rows = board_worker_rows(bank);

	add(&sum->front, read_memory(&bank->front.rss, &bank->front.pss));
	add(&sum->mold, read_memory(&bank->mold.rss, &bank->mold.pss));
	for (unsigned i = 0; i < rows; i++)
		if (board_worker_lives(&bank->worker[i]))
			add(&sum->workers, read_memory(&bank->worker[i].rss, &bank->worker[i].pss));
}

struct board_memory board_memory_of_all(const struct board_app_memory *m)
{
	struct board_memory all = {0};

	add(&all, m->front);
	add(&all, m->mold);
	add(&all, m->workers);
	return all;
}
