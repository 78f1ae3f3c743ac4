/*
 * scoreboard_events - the ring of events; see scoreboard.h.
 */
#include "shared/scoreboard_inner.h"

#include <stdarg.h>
#include <stdio.h>

void board_event(struct scoreboard *b, uint64_t wall_ns, uint64_t generation,
		 enum board_event_kind kind, unsigned worker, const char *fmt, ...)
{
	uint64_t number = atomic_fetch_add_explicit(&b->events, 1, memory_order_relaxed) + 1;
	struct board_event *e = &b->event[(number - 1) % BOARD_EVENTS];
	char text[BOARD_EVENT_TEXT];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);

	/* A reader that sees the new bytes also sees that the old number is gone. */
	atomic_store_explicit(&e->number, 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	e->wall_ns = wall_ns;
	e->generation = generation;
	e->kind = kind;
	e->worker = worker;
	memcpy(e->text, text, strlen(text) + 1);
	atomic_store_explicit(&e->number, number, memory_order_release);
}

static void copy_event(const void *record, uint64_t number, void *ret_record)
{
	const struct board_event *e = record;
	struct board_event *ret = ret_record;

	memset(ret, 0, sizeof(*ret));
	atomic_store_explicit(&ret->number, number, memory_order_relaxed);
	ret->wall_ns = *(const volatile uint64_t *)&e->wall_ns;
	ret->generation = *(const volatile uint64_t *)&e->generation;
	ret->kind = *(const volatile uint32_t *)&e->kind;
	ret->worker = *(const volatile uint32_t *)&e->worker;
	memcpy(ret->text, e->text, sizeof(ret->text));
	ret->wall_ns = MIN(ret->wall_ns, (uint64_t)INT64_MAX);
	ret->generation = MIN(ret->generation, (uint64_t)INT64_MAX);
	if (ret->kind == EVENT_NONE || ret->kind >= EVENT_KIND_COUNT)
		ret->kind = EVENT_NOTE;
	if (ret->worker > LIMIT_WORKERS)
		ret->worker = 0;
	ret->text[sizeof(ret->text) - 1] = '\0';
}

_Static_assert(offsetof(struct board_event, number) == 0, "the ring looks for it there");

static struct board_ring ring_of(const struct scoreboard *b)
{
	return (struct board_ring){.last = &b->events,
				   .records = (const uint8_t *)b->event,
				   .n = BOARD_EVENTS,
				   .record_bytes = sizeof(b->event[0]),
				   .copy = copy_event};
}

int board_read_event(const struct scoreboard *b, uint64_t number, struct board_event *ret)
{
	const struct board_ring ring = ring_of(b);

	return board_ring_read(&ring, number, ret);
}

bool board_next_event(const struct scoreboard *b, uint64_t *at, bool wait, uint64_t *missed,
		      struct board_event *ret)
{
	const struct board_ring ring = ring_of(b);

	return board_ring_next(&ring, at, wait, missed, ret);
}
