/*
 * collect - see collect.h. Everything it reads is untrusted: values come through board_read_* or are clamped here.
 */
#include "emperor/stats/collect.h"

#include <inttypes.h>
#include <stdio.h>

#include "shared/clock.h"

#define COUNT_MAX (1U << 24) /* connections, queue lengths: more is nonsense */

/* Event times are the app's word: one that is not of today is replaced by ours. */
#define EVENT_AGE_MAX_NS (86400 * NS_PER_S)

static uint32_t bank_state(const struct board_bank *bank)
{
	return atomic_load_explicit(&bank->state, memory_order_relaxed);
}

static bool bank_lives(const struct board_bank *bank)
{
	uint32_t state = bank_state(bank);

	return board_get(&bank->generation) != 0 && state != FRONT_NONE && state < FRONT_GONE;
}

static uint64_t read_count(const board_u32 *n)
{
	uint32_t value = atomic_load_explicit(n, memory_order_relaxed);

	return MIN(value, COUNT_MAX);
}

const struct board_bank *collect_bank(const struct app *a)
{
	const struct board_bank *used = NULL;
	const struct board_bank *bank = board_find_bank(a->board, a->generation);

	if (bank)
		return bank;
	for (unsigned i = 0; i < LIMIT_BANKS; i++) {
		bank = &a->board->bank[i];
		if (board_get(&bank->generation) == 0)
			continue;
		if (bank_state(bank) == FRONT_SERVING)
			return bank;
		used = bank;
	}
	return used;
}

static unsigned count_workers(const struct board_bank *bank)
{
	unsigned rows = board_worker_rows(bank);
	unsigned n = 0;

	for (unsigned i = 0; i < rows; i++)
		n += board_worker_lives(&bank->worker[i]);
	return n;
}

void collect_read_now(const struct scoreboard *b, struct collect_now *ret)
{
	*ret = (struct collect_now){0};
	for (unsigned i = 0; i < LIMIT_BANKS; i++) {
		const struct board_bank *bank = &b->bank[i];

		if (!bank_lives(bank))
			continue;
		ret->busy += read_count(&bank->busy);
		ret->queue += read_count(&bank->queue);
		ret->queue_size += read_count(&bank->queue_size);
		ret->connections += read_count(&bank->connections);
		ret->workers += count_workers(bank);
		board_add_memory(bank, &ret->memory);
	}
}

void collect_subtract(const struct board_totals *to, const struct board_totals *from,
		      struct board_totals *ret)
{
	/* A board_totals is nothing but uint64_t, in both lists and single fields. */
	_Static_assert(sizeof(*ret) % sizeof(uint64_t) == 0, "board_totals holds only uint64_t");

	for (size_t at = 0; at < sizeof(*ret); at += sizeof(uint64_t)) {
		uint64_t x;
		uint64_t y;

		memcpy(&x, (const char *)to + at, sizeof(x));
		memcpy(&y, (const char *)from + at, sizeof(y));
		x = x > y ? x - y : 0;
		memcpy((char *)ret + at, &x, sizeof(x));
	}
}

void collect_percentiles(const struct board_totals *t, uint64_t gauges[GAUGE_COUNT])
{
	static const struct {
		enum record_gauge app, queue;
		double p;
	} rows[] = {
		{GAUGE_P50, GAUGE_QUEUE_P50, 50},
		{GAUGE_P95, GAUGE_QUEUE_P95, 95},
		{GAUGE_P99, GAUGE_QUEUE_P99, 99},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		gauges[rows[i].app] = board_percentile_us(t->app_hist, rows[i].p);
		gauges[rows[i].queue] = board_percentile_us(t->queue_hist, rows[i].p);
	}
}

void collect_begin(struct app *a, uint64_t now_s)
{
	board_read_totals(a->board, &a->minute_base);
	a->window_base = a->minute_base;
	a->minute_base_s = now_s;
	a->window_base_s = now_s;
	a->events_at = 0;
	a->stuck_at = 0;
	a->events_left = COLLECT_EVENTS_PER_MINUTE;
	a->blames_at = 0;
	a->blame_stuck_at = 0;
	a->blames_left = COLLECT_BLAMES_PER_MINUTE;
}

static bool any_counter(const struct record_minute *m)
{
	for (size_t i = 0; i < record_counters_n(); i++)
		if (m->counters[i] > 0)
			return true;
	return false;
}

bool collect_minute(struct app *a, uint64_t start_s, uint64_t now_s, struct record_minute *ret)
{
	struct board_totals totals;
	struct board_totals delta;
	struct collect_now now;

	board_read_totals(a->board, &totals);
	collect_read_now(a->board, &now);
	board_trim(a->board);
	collect_subtract(&totals, &a->minute_base, &delta);

	memset(ret, 0, sizeof(*ret));
	(void)snprintf(ret->app, sizeof(ret->app), "%s", a->name);
	ret->start_s = (int64_t)start_s;
	for (size_t i = 0; i < record_counters_n(); i++)
		memcpy(&ret->counters[i], (const char *)&delta + board_fields[i].totals_offset,
		       sizeof(uint64_t));
	collect_percentiles(&delta, ret->gauges);
	ret->gauges[GAUGE_WORKERS] = now.workers;
	ret->gauges[GAUGE_BUSY] = now.busy;
	ret->gauges[GAUGE_RSS] = board_memory_of_all(&now.memory).rss;

	a->window_base = a->minute_base;
	a->window_base_s = a->minute_base_s;
	a->minute_base = totals;
	a->minute_base_s = now_s;
	a->events_left = COLLECT_EVENTS_PER_MINUTE;
	a->blames_left = COLLECT_BLAMES_PER_MINUTE;
	return any_counter(ret) || (now.workers > 0 && start_s / 60 % COLLECT_IDLE_MINUTES == 0);
}

static void tell_gap(struct app *a, const char *what, uint64_t *missed, uint64_t now_wall_ns,
		     collect_event_fn *fn, void *arg)
{
	struct record_event e = {
		.wall_ns = now_wall_ns, .generation = a->generation, .kind = EVENT_NOTE};

	(void)snprintf(e.app, sizeof(e.app), "%s", a->name);
	(void)snprintf(e.text, sizeof(e.text), "%" PRIu64 " %s before this were not recorded",
		       *missed, what);
	*missed = 0;
	a->events_left--;
	fn(arg, &e);
}

static void tell_event(struct app *a, const struct board_event *from, uint64_t now_wall_ns,
		       collect_event_fn *fn, void *arg)
{
	struct record_event e = {
		.wall_ns = from->wall_ns,
		.generation = from->generation,
		.kind = from->kind,
		.worker = from->worker,
	};

	if (a->events_left <= 1) { /* the last one is for telling the gap */
		a->events_missed++;
		return;
	}
	if (e.wall_ns > now_wall_ns || now_wall_ns - e.wall_ns > EVENT_AGE_MAX_NS)
		e.wall_ns = now_wall_ns;
	(void)snprintf(e.app, sizeof(e.app), "%s", a->name);
	(void)snprintf(e.text, sizeof(e.text), "%s", from->text);
	a->events_left--;
	fn(arg, &e);
}

void collect_events(struct app *a, uint64_t now_wall_ns, collect_event_fn *fn, void *arg)
{
	uint64_t last = atomic_load_explicit(&a->board->events, memory_order_acquire);
	struct board_event e;

	/* A board that runs faster than we read must not hold us: one ring's worth for each call. */
	for (unsigned i = 0; last != a->events_at && i < BOARD_EVENTS; i++) {
		bool wait = a->stuck_at != a->events_at + 1;

		if (!board_next_event(a->board, &a->events_at, wait, &a->events_missed, &e)) {
			if (atomic_load_explicit(&a->board->events, memory_order_relaxed) >
			    a->events_at)
				a->stuck_at = a->events_at + 1;
			break;
		}
		tell_event(a, &e, now_wall_ns, fn, arg);
	}
	if (a->events_missed > 0 && a->events_left > 0)
		tell_gap(a, "events", &a->events_missed, now_wall_ns, fn, arg);
}

static void tell_blame(struct app *a, struct record_blame *b, uint64_t now_wall_ns,
		       collect_blame_fn *fn, void *arg)
{
	if (a->blames_left == 0) {
		a->blames_missed++;
		return;
	}
	if (b->r.wall_ns > now_wall_ns || now_wall_ns - b->r.wall_ns > EVENT_AGE_MAX_NS)
		b->r.wall_ns = now_wall_ns;
	(void)snprintf(b->app, sizeof(b->app), "%s", a->name);
	a->blames_left--;
	fn(arg, b);
}

void collect_blames(struct app *a, uint64_t now_wall_ns, collect_blame_fn *fn,
		    collect_event_fn *gap, void *arg)
{
	uint64_t last = atomic_load_explicit(&a->board->blames, memory_order_acquire);
	struct record_blame b = {0};

	for (unsigned i = 0; last != a->blames_at && i < BOARD_BLAMES; i++) {
		bool wait = a->blame_stuck_at != a->blames_at + 1;

		if (!board_next_blame(a->board, &a->blames_at, wait, &a->blames_missed, &b.r)) {
			if (atomic_load_explicit(&a->board->blames, memory_order_relaxed) >
			    a->blames_at)
				a->blame_stuck_at = a->blames_at + 1;
			break;
		}
		tell_blame(a, &b, now_wall_ns, fn, arg);
	}
	if (a->blames_missed > 0 && a->events_left > 0)
		tell_gap(a, "blame records", &a->blames_missed, now_wall_ns, gap, arg);
}
