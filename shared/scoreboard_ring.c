/*
 * scoreboard_ring - how a ring of numbered records is read. Its writers may be killed half-way, and may be hostile.
 *
 * A writer takes a number, clears the one that stands in the slot, writes the record, and sets the new number. A reader
 * looks at the number, copies, makes the copy harmless, and looks again.
 */
#include "shared/scoreboard_inner.h"

static const board_u64 *number_in(const void *record)
{
	return record; /* the first member of every record */
}

int board_ring_read(const struct board_ring *ring, uint64_t number, void *ret)
{
	uint64_t last = atomic_load_explicit(ring->last, memory_order_acquire);
	const void *record;
	uint64_t there;

	if (number == 0)
		return -1;
	record = ring->records + ((number - 1) % ring->n) * ring->record_bytes;
	there = atomic_load_explicit(number_in(record), memory_order_acquire);
	if (there > number || (last > number && last - number >= ring->n))
		return -1;
	if (there < number)
		return 0;
	ring->copy(record, number, ret);
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(number_in(record), memory_order_relaxed) == number ? 1 : -1;
}

bool board_ring_next(const struct board_ring *ring, uint64_t *at, bool wait, uint64_t *missed,
		     void *ret)
{
	uint64_t last = atomic_load_explicit(ring->last, memory_order_acquire);

	if (last <= *at)
		return false;
	if (last - *at > ring->n) {
		*missed += last - *at - ring->n;
		*at = last - ring->n;
	}
	/* At most ring->n turns: last is ours. */
	while (*at < last) {
		int r = board_ring_read(ring, *at + 1, ret);

		if (r == 0 && wait)
			return false;
		(*at)++;
		if (r == 1)
			return true;
		(*missed)++;
	}
	return false;
}
