/*
 * scoreboard_events - the ring of events; see scoreboard.h. The number is zero while an event is being written; the
 * reader copies first and judges the copy.
 */
#include "shared/scoreboard.h"

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

/* The event's bytes as they are just now, made harmless. */
static void copy_event(const struct board_event *e, uint64_t number, struct board_event *ret)
{
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

int board_read_event(const struct scoreboard *b, uint64_t number, struct board_event *ret)
{
	uint64_t last = atomic_load_explicit(&b->events, memory_order_acquire);
	const struct board_event *e;
	struct board_event copy;
	uint64_t there;

	if (number == 0)
		return -1;
	e = &b->event[(number - 1) % BOARD_EVENTS];
	there = atomic_load_explicit(&e->number, memory_order_acquire);
	if (there > number || (last > number && last - number >= BOARD_EVENTS))
		return -1;
	if (there < number)
		return 0;
	copy_event(e, number, &copy);
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&e->number, memory_order_relaxed) != number)
		return -1;
	memcpy(ret, &copy, sizeof(copy));
	return 1;
}

bool board_next_event(const struct scoreboard *b, uint64_t *at, bool wait, uint64_t *missed,
		      struct board_event *ret)
{
	uint64_t last = atomic_load_explicit(&b->events, memory_order_acquire);

	if (last <= *at)
		return false;
	if (last - *at > BOARD_EVENTS) {
		*missed += last - *at - BOARD_EVENTS;
		*at = last - BOARD_EVENTS;
	}
	/* At most BOARD_EVENTS turns: last is ours. */
	while (*at < last) {
		int r = board_read_event(b, *at + 1, ret);

		if (r == 0 && wait)
			return false;
		(*at)++;
		if (r == 1)
			return true;
		(*missed)++;
	}
	return false;
}
