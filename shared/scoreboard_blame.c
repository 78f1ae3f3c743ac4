/*
 * scoreboard_blame - the ring of blame records; see scoreboard.h.
 */
#include "shared/scoreboard_inner.h"

/* No process has a petabyte, no request is a century old: more is nonsense, and sums of less stay sound. */
#define AMOUNT_MAX (1ULL << 50)

const char *board_blame_name(unsigned kind)
{
	static const char *const names[BLAME_KIND_COUNT] = {
		[BLAME_NONE] = "none",       [BLAME_SLOW] = "slow",
		[BLAME_TIMEOUT] = "timeout", [BLAME_INTERRUPTED] = "interrupted",
		[BLAME_KILLED] = "killed",   [BLAME_CRASHED] = "crashed",
		[BLAME_LIMIT] = "limit",     [BLAME_LOST] = "lost",
	};

	return kind < BLAME_KIND_COUNT ? names[kind] : "?";
}

/* Up to the end of the text: what lies behind it in the ring stays, and no page is touched for nothing. */
static void put_text(char *to, const char *from, size_t size)
{
	size_t n = strnlen(from, size - 1);

	memcpy(to, from, n);
	to[n] = '\0';
}

void board_blame_write(struct scoreboard *b, const struct board_blame *r)
{
	uint64_t number = atomic_fetch_add_explicit(&b->blames, 1, memory_order_relaxed) + 1;
	struct board_blame *to = &b->blame[(number - 1) % BOARD_BLAMES];

	/* A reader that sees the new bytes also sees that the old number is gone. */
	atomic_store_explicit(&to->number, 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	to->wall_ns = r->wall_ns;
	to->generation = r->generation;
	to->age_us = r->age_us;
	to->queue_us = r->queue_us;
	to->rss = r->rss;
	to->rss_growth = r->rss_growth;
	to->kind = r->kind;
	to->worker = r->worker;
	to->pid = r->pid;
	to->status = r->status;
	to->signal = r->signal;
	put_text(to->id, r->id, sizeof(to->id));
	put_text(to->request, r->request, sizeof(to->request));
	put_text(to->reason, r->reason, sizeof(to->reason));
	put_text(to->stacks, r->stacks, sizeof(to->stacks));
	put_text(to->log, r->log, sizeof(to->log));
	atomic_store_explicit(&to->number, number, memory_order_release);
}

static void clamp_numbers(struct board_blame *r)
{
	r->wall_ns = MIN(r->wall_ns, (uint64_t)INT64_MAX);
	r->generation = MIN(r->generation, (uint64_t)INT64_MAX);
	r->age_us = MIN(r->age_us, AMOUNT_MAX);
	r->queue_us = MIN(r->queue_us, AMOUNT_MAX);
	r->rss = MIN(r->rss, AMOUNT_MAX);
	r->rss_growth = MAX(MIN(r->rss_growth, (int64_t)AMOUNT_MAX), -(int64_t)AMOUNT_MAX);
	r->pid = MIN(r->pid, (uint32_t)INT32_MAX);
	r->status = r->status < 1000 ? r->status : 0;
	r->signal = r->signal < 128 ? r->signal : 0;
	if (r->kind == BLAME_NONE || r->kind >= BLAME_KIND_COUNT)
		r->kind = BLAME_KILLED;
	if (r->worker > LIMIT_WORKERS)
		r->worker = 0;
	r->reserved = 0;
}

static void end_text(char *text, size_t size)
{
	size_t n = strnlen(text, size - 1);

	/* also what lies behind it: a copy is passed on whole */
	memset(text + n, 0, size - n);
}

static void copy_blame(const void *record, uint64_t number, void *ret_record)
{
	struct board_blame *ret = ret_record;

	memcpy(ret, record, sizeof(*ret));
	atomic_store_explicit(&ret->number, number, memory_order_relaxed);
	clamp_numbers(ret);
	end_text(ret->id, sizeof(ret->id));
	end_text(ret->request, sizeof(ret->request));
	end_text(ret->reason, sizeof(ret->reason));
	end_text(ret->stacks, sizeof(ret->stacks));
	end_text(ret->log, sizeof(ret->log));
}

_Static_assert(offsetof(struct board_blame, number) == 0, "the ring looks for it there");

static struct board_ring ring_of(const struct scoreboard *b)
{
	return (struct board_ring){.last = &b->blames,
				   .records = (const uint8_t *)b->blame,
				   .n = BOARD_BLAMES,
				   .record_bytes = sizeof(b->blame[0]),
				   .copy = copy_blame};
}

int board_read_blame(const struct scoreboard *b, uint64_t number, struct board_blame *ret)
{
	const struct board_ring ring = ring_of(b);

	return board_ring_read(&ring, number, ret);
}

bool board_next_blame(const struct scoreboard *b, uint64_t *at, bool wait, uint64_t *missed,
		      struct board_blame *ret)
{
	const struct board_ring ring = ring_of(b);

	return board_ring_next(&ring, at, wait, missed, ret);
}
