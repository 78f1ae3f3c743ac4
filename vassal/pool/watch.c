/*
 * watch - the pool's slow turn: measures workers, the mold and this process itself, and notices what no
 * event tells. Once a second while something is served or memory has a limit, every ten (pool.c)
 * otherwise, not at all in a nap: a hundred idle apps must not wake a hundred fronts a second.
 */
#include <inttypes.h>

#include "shared/scoreboard.h"
#include "shared/vassal_config.h"
#include "vassal/pool/inner.h"
#include "vassal/pool/measure.h"

#define PSS_EVERY_NS (10 * NS_PER_S) /* for people who look at a table; costs 20 times an RSS */
#define PSS_LIMIT_NS (NS_PER_S / 2)  /* where it has a limit: each in turn, one a second */
/* And is let at most this part of one core: large processes are walked less often. */
#define PSS_SHARE       500
#define PSS_SHARE_LIMIT 50
#define LINGERS_NS      (10 * NS_PER_S)
/* An exit that comes with the end of a channel takes no longer. */
#define CHANNEL_NS (2 * NS_PER_S)
#define MIB        (1024 * 1024UL)

static void on_too_large(struct pool *pool, const struct worker *w)
{
	const struct policy_slot *s = &pool->policy.slot[w->number];

	if (pool->said_too_large || s->over[MEMORY_RSS] < POLICY_OVER_CHECKS || s->served > 0)
		return;
	pool->said_too_large = true;
	pool_event(pool, EVENT_NOTE, w->number + 1,
		   "reload-on-rss is %" PRIu64
		   " MiB, but a worker that has served nothing already has %" PRIu64
		   " MiB: each would be recycled after its first requests",
		   pool->config.reload_on_rss_bytes / MIB, w->rss / MIB);
}

/* When the oldest request that this worker holds came to it, by its own word; 0: it holds none. */
static uint64_t busy_since_ns(const struct pool *pool, unsigned number)
{
	unsigned threads = pool->setup.config->threads;
	uint64_t since_ns = 0;

	for (unsigned t = 0; t < threads; t++) {
		const struct board_lane *lane = &pool->setup.bank->lane[number * threads + t];
		uint64_t started_ns = board_get(&lane->started_ns);

		if (atomic_load_explicit(&lane->busy, memory_order_relaxed) &&
		    (since_ns == 0 || started_ns < since_ns))
			since_ns = started_ns;
	}
	return since_ns;
}

/* What a request has cost is told from the last measurement before it, which may be many measurements ago. */
static void remember_before(struct worker *w, uint64_t since_ns, uint64_t rss, uint64_t now_ns)
{
	if (since_ns == 0) {
		w->rss_before = rss;
		w->rss_before_ns = now_ns;
	} else if (w->rss_ns && w->rss_ns <= since_ns) {
		w->rss_before = w->rss;
		w->rss_before_ns = w->rss_ns;
	}
	w->rss_ns = now_ns;
}

/* It may have taken a request before we hear that it is ready: then it began as others of its mold did. */
void watch_begin(struct worker *w)
{
	struct pool *pool = w->pool;
	uint64_t rss, vsz;

	if (!measure_memory(w->pid, &rss, &vsz))
		return;
	w->rss = rss;
	w->rss_ns = clock_now_ns();
	if (busy_since_ns(pool, w->number) == 0)
		pool->fresh_rss = rss;
	w->rss_before = pool->fresh_rss;
	w->rss_before_ns = w->spawned_ns;
}

/* One that leaves may do so for ever in its last request. */
static bool is_measured(const struct pool *pool, const struct worker *w)
{
	enum slot_state state = pool->policy.slot[w->number].state;

	return state == SLOT_READY || state == SLOT_RETIRING;
}

static void measure_worker(struct pool *pool, struct worker *w)
{
	struct board_worker *row = &pool->setup.bank->worker[w->number];
	uint64_t rss, vsz;

	if (!measure_memory(w->pid, &rss, &vsz))
		return;
	remember_before(w, busy_since_ns(pool, w->number), rss, clock_now_ns());
	w->rss = rss;
	board_set(&row->rss, rss);
	board_set(&row->vsz, vsz);
	if (!is_measured(pool, w))
		return;
	(void)policy_measured(&pool->policy, w->number, MEMORY_RSS, rss);
	(void)policy_measured(&pool->policy, w->number, MEMORY_EVIL_RSS, rss);
	(void)policy_measured(&pool->policy, w->number, MEMORY_AS, vsz);
	(void)policy_measured(&pool->policy, w->number, MEMORY_EVIL_AS, vsz);
	on_too_large(pool, w);
}

static void measure_resident(struct board_process *row, pid_t pid)
{
	uint64_t rss, vsz;

	if (pid > 0 && measure_memory(pid, &rss, &vsz))
		board_set(&row->rss, rss);
}

static void measure_share(struct board_process *row, pid_t pid, uint64_t *last_ns, uint64_t now_ns)
{
	uint64_t pss, uss;

	if (pid > 0 && measure_pss(pid, &pss, &uss))
		board_set(&row->pss, pss);
	*last_ns = now_ns;
}

static void measure_house(struct pool *pool)
{
	measure_resident(&pool->setup.bank->front, getpid());
	measure_resident(&pool->setup.bank->mold, pool->mold.pid);
}

void watch_house(struct pool *pool)
{
	uint64_t now_ns = clock_now_ns();

	measure_house(pool);
	measure_share(&pool->setup.bank->front, getpid(), &pool->front_pss_ns, now_ns);
	measure_share(&pool->setup.bank->mold, pool->mold.pid, &pool->mold_pss_ns, now_ns);
}

static bool is_due(uint64_t last_ns, uint64_t every_ns, uint64_t now_ns)
{
	return last_ns == 0 || now_ns - last_ns >= every_ns;
}

/* Of one worker, or behind them of the mold or this process; false: it is not its turn. */
static bool measure_pss_of(struct pool *pool, unsigned n, uint64_t every_ns, uint64_t now_ns)
{
	unsigned capacity = pool->policy.config.capacity;
	struct worker *w = &pool->worker[n];
	uint64_t pss, uss;

	if (n == capacity) {
		if (!is_due(pool->front_pss_ns, PSS_EVERY_NS, now_ns))
			return false;
		measure_share(&pool->setup.bank->front, getpid(), &pool->front_pss_ns, now_ns);
		return true;
	}
	if (n > capacity) {
		if (pool->mold.pid <= 0 || !is_due(pool->mold_pss_ns, PSS_EVERY_NS, now_ns))
			return false;
		measure_share(&pool->setup.bank->mold, pool->mold.pid, &pool->mold_pss_ns, now_ns);
		return true;
	}
	if (w->pid <= 0 || !is_due(w->pss_ns, every_ns, now_ns))
		return false;
	/* a new one shares pages that were the mold's alone */
	if (w->pss_ns == 0)
		pool->mold_pss_ns = 0;
	if (measure_pss(w->pid, &pss, &uss)) {
		board_set(&pool->setup.bank->worker[w->number].pss, pss);
		if (is_measured(pool, w)) {
			(void)policy_measured(&pool->policy, w->number, MEMORY_PSS, pss);
			(void)policy_measured(&pool->policy, w->number, MEMORY_USS, uss);
		}
	}
	w->pss_ns = now_ns;
	return true;
}

/* At most one process a tick, in turn. */
static void measure_next_pss(struct pool *pool, uint64_t now_ns)
{
	const uint64_t *limit = pool->policy.config.memory_limit;
	bool limited = limit[MEMORY_PSS] || limit[MEMORY_USS];
	unsigned turns = pool->policy.config.capacity + 2;

	if (now_ns < pool->pss_not_before_ns)
		return;
	for (unsigned i = 0; i < turns; i++) {
		if (!measure_pss_of(pool, pool->pss_next++ % turns,
				    limited ? PSS_LIMIT_NS : PSS_EVERY_NS, now_ns))
			continue;
		pool->pss_not_before_ns = now_ns + (clock_now_ns() - now_ns) *
							   (limited ? PSS_SHARE_LIMIT : PSS_SHARE);
		return;
	}
}

static void look_after(struct pool *pool, struct worker *w, uint64_t now_ns)
{
	if (w->kill_ns && !w->lingers && now_ns - w->kill_ns > LINGERS_NS) {
		w->lingers = true;
		pool_event(pool, EVENT_NOTE, w->number + 1,
			   "worker %u (pid %d) was killed and has not gone: it hangs in the kernel "
			   "(disk, NFS?)",
			   w->number + 1, (int)w->pid);
	}
	/* An app that closes every descriptor it finds (a daemon's habit) can get no large body any
	 * more. */
	if (w->eof_ns && now_ns - w->eof_ns > CHANNEL_NS)
		policy_due(&pool->policy, w->number, WHY_CHANNEL);
}

void watch_look(struct pool *pool, unsigned number, uint64_t since_ns, struct pool_look *ret)
{
	const struct worker *w = &pool->worker[number];
	uint64_t rss = w->rss;
	uint64_t vsz;

	*ret = (struct pool_look){.pid = w->pid};
	if (w->rss_ns && w->rss_ns <= since_ns)
		ret->rss_before = w->rss;
	else if (w->rss_before_ns && w->rss_before_ns <= since_ns)
		ret->rss_before = w->rss_before;
	if (w->pid > 0)
		(void)measure_memory(w->pid, &rss, &vsz);
	ret->rss = rss;
}

bool watch_tick(struct pool *pool, uint64_t now_ns)
{
	bool any = false;

	for (unsigned i = 0; i < pool->policy.config.capacity; i++) {
		struct worker *w = &pool->worker[i];

		any |= pool->policy.slot[i].state != SLOT_EMPTY;
		if (w->pid <= 0)
			continue;
		measure_worker(pool, w);
		look_after(pool, w, now_ns);
	}
	/* without workers nothing changes any more: what was shared with them is the mold's alone */
	if (!any) {
		watch_house(pool);
		return false;
	}
	measure_house(pool);
	measure_next_pss(pool, clock_now_ns());
	return true;
}
