/*
 * scoreboard_read - counters, tasks and lanes of a board, read.
 *
 * The memory is an app's, which can write it at any moment, also between two of our instructions. So: each value is
 * loaded once into a local and judged there; indexes come from our own arithmetic, never from the board alone; strings are
 * copied whole and terminated in the copy; every retry is counted. Counters are clamped so that sums fit a signed 64-bit
 * integer, which is what JSON readers and sqlite hold.
 */
#include "shared/scoreboard_inner.h"

/* LIMIT_BANKS of them, summed, still fit an int64_t. */
#define COUNTER_MAX (UINT64_MAX >> 4)

uint64_t board_bucket_floor_us(unsigned b)
{
	unsigned top;

	if (b == 0)
		return 0;
	b = MIN(b, BOARD_BUCKETS);
	top = (b + 1) / 2;
	return (1ULL << top) + ((b + 1) & 1) * (1ULL << (top - 1));
}

uint64_t board_percentile_us(const uint64_t hist[BOARD_BUCKETS], double p)
{
	double total = 0;
	double below = 0;
	double rank;

	/* Doubles: hostile counts may add up to more than 64 bits, and a percentile needs no more digits. */
	for (unsigned b = 0; b < BOARD_BUCKETS; b++)
		total += (double)hist[b];
	if (total <= 0)
		return 0;
	rank = total * (p >= 0 ? MIN(p, 100.0) : 0.0) / 100.0;
	for (unsigned b = 0; b < BOARD_BUCKETS; b++) {
		double count = (double)hist[b];
		double low = (double)board_bucket_floor_us(b);
		double high = (double)board_bucket_floor_us(b + 1);

		if (count > 0 && below + count >= rank) {
			/* The last bucket has no upper end: its floor is all that is known. */
			if (b == BOARD_BUCKETS - 1)
				return board_bucket_floor_us(b);
			return (uint64_t)(low + (high - low) * (rank - below) / count);
		}
		below += count;
	}
	return board_bucket_floor_us(BOARD_BUCKETS - 1);
}

static uint64_t read_counter(const board_u64 *c)
{
	uint64_t n = board_get(c);

	return MIN(n, COUNTER_MAX);
}

static void add_hist(uint64_t to[BOARD_BUCKETS], const board_u64 from[BOARD_BUCKETS])
{
	for (unsigned b = 0; b < BOARD_BUCKETS; b++)
		to[b] += read_counter(&from[b]);
}

static void add_counters(struct board_totals *t, const struct board_counters *c)
{
	t->connections += read_counter(&c->connections);
	t->requests += read_counter(&c->requests);
	for (size_t i = 0; i < ARRAY_SIZE(t->responses); i++)
		t->responses[i] += read_counter(&c->responses[i]);
	t->bad_requests += read_counter(&c->bad_requests);
	t->rejected += read_counter(&c->rejected);
	t->timeouts += read_counter(&c->timeouts);
	t->interrupts += read_counter(&c->interrupts);
	t->read_timeouts += read_counter(&c->read_timeouts);
	t->write_timeouts += read_counter(&c->write_timeouts);
	t->queue_timeouts += read_counter(&c->queue_timeouts);
	t->crowded += read_counter(&c->crowded);
	t->idle_timeouts += read_counter(&c->idle_timeouts);
	t->fused += read_counter(&c->fused);
	t->worker_deaths += read_counter(&c->worker_deaths);
	t->exceptions += read_counter(&c->exceptions);
	t->client_gone += read_counter(&c->client_gone);
	t->static_requests += read_counter(&c->static_requests);
	t->handed_back += read_counter(&c->handed_back);
	t->bytes_in += read_counter(&c->bytes_in);
	t->bytes_out += read_counter(&c->bytes_out);
	t->queue_us += read_counter(&c->queue_us);
	t->app_us += read_counter(&c->app_us);
	t->spawned += read_counter(&c->spawned);
	t->recycled += read_counter(&c->recycled);
	t->killed += read_counter(&c->killed);
	t->crashed += read_counter(&c->crashed);
	t->log_dropped += read_counter(&c->log_dropped);
	add_hist(t->queue_hist, c->queue_hist);
	add_hist(t->app_hist, c->app_hist);
}

void board_read_totals(const struct scoreboard *b, struct board_totals *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < LIMIT_BANKS; i++) {
		/* A bank that was never used is a hole in the memory file; reading more of it would fill it. */
		if (board_get(&b->bank[i].generation) != 0)
			add_counters(ret, &b->bank[i].counters);
	}
}

const struct board_bank *board_find_bank(const struct scoreboard *b, uint64_t generation)
{
	if (generation == 0)
		return NULL;
	for (unsigned i = 0; i < LIMIT_BANKS; i++)
		if (board_get(&b->bank[i].generation) == generation)
			return &b->bank[i];
	return NULL;
}

static uint32_t below(const board_u32 *field, uint32_t limit)
{
	uint32_t n = atomic_load_explicit(field, memory_order_relaxed);

	return n < limit ? n : 0;
}

/* Never summed: all that an int64_t holds, which is to the year 2262. */
static uint64_t read_time(const board_u64 *c)
{
	return MIN(board_get(c), (uint64_t)INT64_MAX);
}

bool board_read_task(const struct board_bank *bank, unsigned i, struct board_task_now *ret)
{
	const struct board_task *t;
	unsigned n = atomic_load_explicit(&bank->tasks, memory_order_acquire);

	if (i >= MIN(n, (unsigned)LIMIT_TASKS))
		return false;
	t = &bank->task[i];
	*ret = (struct board_task_now){
		.kind = below(&t->kind, BOARD_TASK_CRON + 1),
		.state = below(&t->state, TASK_STATE_COUNT),
		.pid = below(&t->pid, INT32_MAX),
		.running = below(&t->running, LIMIT_TASK_RUNS + 1),
		.has_ended = below(&t->has_ended, 2),
		.last_status = (int)below(&t->last_status, 0x10000),
		.starts = read_counter(&t->starts),
		.failures = read_counter(&t->failures),
		.started_wall_ns = read_time(&t->started_wall_ns),
		.ended_wall_ns = read_time(&t->ended_wall_ns),
		.next_wall_ns = read_time(&t->next_wall_ns),
	};
	memcpy(ret->name, t->name, sizeof(ret->name));
	ret->name[sizeof(ret->name) - 1] = '\0';
	return true;
}

bool board_read_lane(const struct board_lane *lane, char line[BOARD_LINE],
		     char id[LIMIT_REQUEST_ID], uint64_t *ret_started_ns)
{
	char line_copy[BOARD_LINE];
	char id_copy[LIMIT_REQUEST_ID];

	for (unsigned i = 0; i < READ_TRIES; i++) {
		uint32_t before = atomic_load_explicit(&lane->sequence, memory_order_acquire);
		uint64_t started_ns;

		if (atomic_load_explicit(&lane->busy, memory_order_relaxed) == 0)
			return false;
		memcpy(line_copy, lane->line, sizeof(line_copy));
		memcpy(id_copy, lane->request_id, sizeof(id_copy));
		started_ns = board_get(&lane->started_ns);
		atomic_thread_fence(memory_order_acquire);
		if ((before & 1) ||
		    atomic_load_explicit(&lane->sequence, memory_order_relaxed) != before)
			continue;
		line_copy[sizeof(line_copy) - 1] = '\0';
		id_copy[sizeof(id_copy) - 1] = '\0';
		memcpy(line, line_copy, sizeof(line_copy));
		memcpy(id, id_copy, sizeof(id_copy));
		*ret_started_ns = started_ns;
		return true;
	}
	return false;
}
