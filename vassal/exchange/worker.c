/*
 * worker - a worker's half of the exchange: the queue's tail, its lane's head. Each lane belongs to one thread.
 *
 * A worker may die between any two instructions here. Before the compare-and-swap on a slot's owner word it holds
 * nothing; after it the front can see that it does. The queue's tail is only a hint that anybody may move on.
 */
#include <errno.h>

#include "shared/clock.h"
#include "vassal/exchange/exchange.h"
#include "vassal/exchange/layout.h"

/* How often a sleeping worker makes sure that its front is still there (PDEATHSIG is the quick way). */
#define ORPHAN_CHECK_NS (1 * NS_PER_S)

static bool claim(struct exchange *x, unsigned lane, uint64_t cell, unsigned *ret_slot)
{
	unsigned slot = (cell >> 32) & 0xffff;
	uint64_t queued = owner_word((uint32_t)cell, 0, OWNER_QUEUED);

	if (slot >= x->shape.slots)
		return false;
	if (!atomic_compare_exchange_strong(&x->m->slots[slot].owner, &queued,
					    owner_word((uint32_t)cell, lane, OWNER_TAKEN)))
		return false;
	atomic_store_explicit(&x->m->slots[slot].taken_ns, clock_now_ns(), memory_order_release);
	x->turn[lane] = (uint8_t)cell;
	*ret_slot = slot;
	return true;
}

static enum exchange_taken answer_word(struct exchange *x, unsigned lane, uint32_t word)
{
	if (word == LANE_IS_CALLED &&
	    atomic_compare_exchange_strong(&x->m->lanes[lane].retire, &word, LANE_SERVES))
		return EXCHANGE_CALLED;
	return EXCHANGE_RETIRE;
}

void exchange_forget_lanes(struct exchange *x)
{
	for (unsigned i = 0; i < x->lanes; i++)
		x->pending[i] = UINT64_MAX;
}

enum exchange_taken exchange_take(struct exchange *x, unsigned lane, unsigned *ret_slot)
{
	uint32_t word = atomic_load_explicit(&x->m->lanes[lane].retire, memory_order_acquire);

	if (word != LANE_SERVES)
		return answer_word(x, lane, word);
	for (;;) {
		uint64_t tail = atomic_load_explicit(&x->m->queue_tail, memory_order_acquire);
		uint64_t head = atomic_load_explicit(&x->m->queue_head, memory_order_acquire);
		uint64_t cell;
		bool got;

		if (tail >= head)
			return EXCHANGE_NOTHING;
		cell = atomic_load_explicit(&x->m->cells[tail % LAYOUT_CELLS],
					    memory_order_acquire);
		got = cell >> 48 == (tail & 0xffff) && claim(x, lane, cell, ret_slot);
		(void)atomic_compare_exchange_strong(&x->m->queue_tail, &tail, tail + 1);
		if (got)
			return EXCHANGE_TAKEN;
	}
}

static bool something_to_do(struct exchange *x, unsigned lane)
{
	return atomic_load(&x->m->lanes[lane].retire) ||
	       atomic_load(&x->m->queue_tail) < atomic_load(&x->m->queue_head);
}

int exchange_wait(struct exchange *x, unsigned lane, uint64_t timeout_ns)
{
	struct lane *l = &x->m->lanes[lane];
	_Atomic uint64_t *mask = &x->m->idle_lanes[lane / 64];
	const uint64_t bit = 1ULL << (lane % 64);
	bool woken;
	int r = 0;

	atomic_store(&l->idle, 1);
	atomic_fetch_or(mask, bit);
	atomic_thread_fence(memory_order_seq_cst);
	if (!something_to_do(x, lane))
		r = futex_wait(&l->idle, 1, timeout_ns);
	woken = lane_gets_up(x, lane);
	/* a wake-up was spent on a lane that takes nothing any more: somebody else must have it */
	if (woken && atomic_load(&l->retire))
		exchange_wake_queued(x);
	else if (woken)
		lane_is_awake(x);
	return r == -EINTR ? -EINTR : 0;
}

static uint64_t *pending_head(struct exchange *x, unsigned lane)
{
	uint64_t *head = &x->pending[lane];

	if (*head == UINT64_MAX)
		*head = atomic_load_explicit(&x->m->lanes[lane].head, memory_order_relaxed);
	return head;
}

static size_t free_bytes(struct exchange *x, unsigned lane)
{
	uint64_t tail = atomic_load_explicit(&x->m->lanes[lane].tail, memory_order_acquire);

	return EXCHANGE_RING_BYTES - (size_t)(*pending_head(x, lane) - tail);
}

uint8_t *exchange_reply_room(struct exchange *x, unsigned lane, size_t want)
{
	uint64_t head = *pending_head(x, lane);

	if (free_bytes(x, lane) < frame_size(MIN(want, (size_t)EXCHANGE_FRAME_MAX)))
		return NULL;
	return x->rings[lane] + head % EXCHANGE_RING_BYTES + sizeof(struct ring_frame);
}

static void publish_lane(struct exchange *x, unsigned lane)
{
	const uint64_t one = 1;

	atomic_store(&x->m->lanes[lane].head, *pending_head(x, lane));
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&x->m->front_sleeps, memory_order_relaxed) &&
	    atomic_exchange(&x->m->front_sleeps, 0) == 1)
		(void)!write(x->event_fd, &one, sizeof(one));
}

void exchange_reply_commit(struct exchange *x, unsigned lane, unsigned slot, enum frame_kind kind,
			   size_t n, bool publish)
{
	uint64_t *head = pending_head(x, lane);
	struct ring_frame f = {.n = (uint32_t)n,
			       .kind = (uint8_t)kind,
			       .turn = x->turn[lane],
			       .slot = (uint16_t)slot};

	memcpy(x->rings[lane] + *head % EXCHANGE_RING_BYTES, &f, sizeof(f));
	*head += frame_size(n);
	if (publish)
		publish_lane(x, lane);
}

int exchange_reply_wait(struct exchange *x, unsigned lane, size_t want)
{
	struct lane *l = &x->m->lanes[lane];
	/* half of the ring at least: for each frame of a long answer two processes would take turns */
	uint32_t need = (uint32_t)MAX(frame_size(MIN(want, (size_t)EXCHANGE_FRAME_MAX)),
				      (size_t)EXCHANGE_RING_BYTES / 2);
	int r = 0;

	publish_lane(x, lane);
	atomic_store(&l->room_wait, need);
	atomic_thread_fence(memory_order_seq_cst);
	if (free_bytes(x, lane) < need)
		r = futex_wait(&l->room_wait, need, ORPHAN_CHECK_NS);
	atomic_store(&l->room_wait, 0);
	if (r == -ETIMEDOUT && getppid() != x->m->front_pid)
		return -EPIPE;
	return r == -EINTR ? -EINTR : 0;
}

bool exchange_client_gone(struct exchange *x, unsigned slot)
{
	return atomic_load_explicit(&x->m->slots[slot].gone, memory_order_relaxed) != 0;
}

bool exchange_condemned(const struct exchange *x, unsigned lane, unsigned slot)
{
	uint64_t word = atomic_load(&x->m->slots[slot].owner);

	/* the slot's own sequence: a signal that comes late finds another request, and leaves it alone */
	return owner_state(word) == OWNER_TAKEN && owner_lane(word) == lane &&
	       atomic_load(&x->m->lanes[lane].condemned) ==
		       request_word((uint32_t)(word >> 32), slot);
}

void exchange_interrupted(struct exchange *x, unsigned lane)
{
	atomic_store(&x->m->lanes[lane].interrupted, atomic_load(&x->m->lanes[lane].condemned));
}

void exchange_thread_is(struct exchange *x, unsigned lane, uint64_t thread)
{
	atomic_store_explicit(&x->m->lanes[lane].thread, thread, memory_order_relaxed);
}

void exchange_gil_wait(struct exchange *x, unsigned worker, uint64_t since_ns)
{
	atomic_store_explicit(&x->m->lanes[(size_t)worker * x->shape.threads].gil_wait_ns, since_ns,
			      memory_order_relaxed);
}
