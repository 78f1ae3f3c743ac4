/*
 * front - the front's half of the exchange: slots, the queue's head, the lanes' tails. One thread.
 *
 * Sleeping: each side says that it will sleep, then looks once more, then sleeps; the other side publishes, then
 * looks whether somebody sleeps. Both orders are sequentially consistent, so one of the two always notices.
 */
#include <errno.h>
#include <sys/mman.h>

#include "vassal/exchange/exchange.h"
#include "vassal/exchange/layout.h"

/*
 * A slot that was filled beyond this gives its further pages back: big requests are rare, memory is not. The slots that
 * were first to be so large keep them: the last freed is the next used, and to get them anew costs more than a request.
 */
#define KEEP_BYTES (16UL * 1024)
#define KEEP_WARM  16 /* at most 2.8 MiB, if all of them were filled to the brim */

int exchange_slot_get(struct exchange *x)
{
	unsigned slot;

	if (x->free_n == 0)
		return -1;
	slot = x->free_slots[--x->free_n];
	atomic_store_explicit(&x->m->slots[slot].owner,
			      owner_word(x->sequence[slot], 0, OWNER_FRONT), memory_order_relaxed);
	return (int)slot;
}

void exchange_slot_put(struct exchange *x, unsigned slot, size_t touched)
{
	if (touched > KEEP_BYTES && !x->warm[slot] && x->warm_n < KEEP_WARM) {
		x->warm[slot] = true;
		x->warm_n++;
	}
	if (touched > KEEP_BYTES && !x->warm[slot])
		(void)madvise(exchange_data(x, slot) + KEEP_BYTES, EXCHANGE_SLOT_BYTES - KEEP_BYTES,
			      MADV_REMOVE);
	atomic_store_explicit(&x->m->slots[slot].owner,
			      owner_word(x->sequence[slot], 0, OWNER_FREE), memory_order_release);
	x->submitted[slot] = false;
	x->free_slots[x->free_n++] = (uint16_t)slot;
}

/* The word of a submitted slot that a lane of ours has taken: it counts only if it can be true. */
static bool is_held(const struct exchange *x, unsigned slot, uint64_t word)
{
	return owner_state(word) == OWNER_TAKEN && owner_lane(word) < x->lanes &&
	       (uint32_t)(word >> 32) == x->sequence[slot];
}

int exchange_holder(const struct exchange *x, unsigned slot)
{
	uint64_t word = atomic_load_explicit(&x->m->slots[slot].owner, memory_order_acquire);

	return is_held(x, slot, word) ? (int)owner_lane(word) : -1;
}

bool exchange_lost(const struct exchange *x, unsigned slot)
{
	uint64_t word = atomic_load_explicit(&x->m->slots[slot].owner, memory_order_acquire);

	return x->submitted[slot] && !is_held(x, slot, word) &&
	       word != owner_word(x->sequence[slot], 0, OWNER_QUEUED);
}

static void take_back(struct exchange *x, unsigned slot)
{
	atomic_store(&x->m->slots[slot].owner, owner_word(x->sequence[slot], 0, OWNER_FRONT));
	x->submitted[slot] = false;
}

static void enqueue(struct exchange *x, unsigned slot)
{
	uint64_t head = x->queue_head++;

	atomic_store_explicit(&x->m->cells[head % LAYOUT_CELLS],
			      cell_word(head, slot, x->sequence[slot]), memory_order_release);
	atomic_store_explicit(&x->m->queue_head, head + 1, memory_order_release);
}

/*
 * Cancelled requests leave stale entries that only workers pass by; while all of them are busy, those could fill the
 * cells. One turn through the whole queue drops the stale ones and appends the others again, in their order.
 */
static void tidy_queue(struct exchange *x)
{
	/* exactly as many as there are now: one more would put the first behind the last */
	uint64_t entries = x->queue_head - atomic_load(&x->m->queue_tail);

	for (uint64_t i = 0; i < MIN(entries, (uint64_t)LAYOUT_CELLS); i++) {
		uint64_t tail = atomic_load(&x->m->queue_tail);
		uint64_t cell = atomic_load(&x->m->cells[tail % LAYOUT_CELLS]);
		unsigned slot = (cell >> 32) & 0xffff;
		uint64_t queued;

		if (tail >= x->queue_head)
			return;
		/* our own sequence numbers, not the cell's: a worker may have scribbled on that */
		if (slot >= x->shape.slots || (uint32_t)cell != x->sequence[slot]) {
			(void)atomic_compare_exchange_strong(&x->m->queue_tail, &tail, tail + 1);
			continue;
		}
		queued = owner_word((uint32_t)cell, 0, OWNER_QUEUED);
		if (atomic_compare_exchange_strong(
			    &x->m->slots[slot].owner, &queued,
			    owner_word(x->sequence[slot] + 1, 0, OWNER_QUEUED))) {
			x->sequence[slot]++;
			(void)atomic_compare_exchange_strong(&x->m->queue_tail, &tail, tail + 1);
			enqueue(x, slot);
		} else {
			(void)atomic_compare_exchange_strong(&x->m->queue_tail, &tail, tail + 1);
		}
	}
}

/*
 * The tail is a hint that workers move: one that scribbles may put it where it cannot be, before the oldest cell or
 * behind the head (and then no worker finds anything any more). It begins again at the oldest cell; what is stale
 * there is skipped. A worker that is just moving the wrong tail on can only fail.
 */
static void repair_queue(struct exchange *x)
{
	uint64_t tail = atomic_load(&x->m->queue_tail);

	if (tail <= x->queue_head && x->queue_head - tail <= LAYOUT_CELLS)
		return;
	atomic_store(&x->m->queue_tail,
		     x->queue_head - MIN(x->queue_head, (uint64_t)LAYOUT_CELLS - 1));
}

void exchange_submit(struct exchange *x, unsigned slot)
{
	struct slot *s = &x->m->slots[slot];

	/* a tail behind the head makes this huge too */
	if (x->queue_head - atomic_load_explicit(&x->m->queue_tail, memory_order_relaxed) >=
	    LAYOUT_CELLS - 1) {
		repair_queue(x);
		tidy_queue(x);
	}
	x->sequence[slot]++;
	x->submitted[slot] = true;
	atomic_store_explicit(&s->gone, 0, memory_order_relaxed);
	atomic_store_explicit(&s->taken_ns, 0, memory_order_relaxed);
	atomic_store_explicit(&s->owner, owner_word(x->sequence[slot], 0, OWNER_QUEUED),
			      memory_order_release);
	enqueue(x, slot);
	x->unwoken++;
}

void exchange_tend(struct exchange *x)
{
	if (atomic_load_explicit(&x->m->queue_head, memory_order_relaxed) != x->queue_head)
		atomic_store(&x->m->queue_head, x->queue_head);
	repair_queue(x);
	exchange_wake_queued(x);
}

void exchange_took(struct exchange *x, uint64_t app_ns)
{
	int64_t usual = (int64_t)MIN(x->usual_ns, USUAL_MOST_NS);
	int64_t took = (int64_t)MIN(app_ns, USUAL_MOST_NS);

	x->usual_ns = (uint64_t)(usual + (took - usual) / 16);
	atomic_store_explicit(&x->m->usual_ns, x->usual_ns, memory_order_relaxed);
}

bool exchange_cancel(struct exchange *x, unsigned slot)
{
	uint64_t word = owner_word(x->sequence[slot], 0, OWNER_QUEUED);

	/* after the compare, word is what stands there: nobody changes one that is neither of the two */
	if (!atomic_compare_exchange_strong(&x->m->slots[slot].owner, &word,
					    owner_word(x->sequence[slot], 0, OWNER_FRONT)) &&
	    is_held(x, slot, word))
		return false;
	take_back(x, slot);
	return true;
}

bool exchange_abandon(struct exchange *x, unsigned slot)
{
	if (exchange_cancel(x, slot))
		return true;
	atomic_store_explicit(&x->m->slots[slot].gone, 1, memory_order_release);
	return false;
}

bool exchange_condemn(struct exchange *x, unsigned slot)
{
	int lane = exchange_holder(x, slot);

	if (lane < 0)
		return false;
	atomic_store(&x->m->lanes[lane].condemned, request_word(x->sequence[slot], slot));
	return true;
}

uint64_t exchange_gil_waits_since(const struct exchange *x, unsigned worker)
{
	return atomic_load_explicit(&x->m->lanes[(size_t)worker * x->shape.threads].gil_wait_ns,
				    memory_order_relaxed);
}

uint64_t exchange_thread_of(const struct exchange *x, unsigned lane)
{
	return atomic_load_explicit(&x->m->lanes[lane].thread, memory_order_relaxed);
}

bool exchange_was_interrupted(const struct exchange *x, unsigned slot)
{
	int lane = exchange_holder(x, slot);

	return lane >= 0 &&
	       atomic_load(&x->m->lanes[lane].interrupted) == request_word(x->sequence[slot], slot);
}

unsigned exchange_queued(const struct exchange *x)
{
	uint64_t tail = atomic_load_explicit(&x->m->queue_tail, memory_order_relaxed);
	uint64_t head = atomic_load_explicit(&x->m->queue_head, memory_order_relaxed);

	return head > tail ? (unsigned)MIN(head - tail, (uint64_t)x->shape.slots) : 0;
}

static bool lane_has_frames(const struct exchange *x, unsigned lane)
{
	const struct lane *l = &x->m->lanes[lane];

	return atomic_load_explicit(&l->head, memory_order_acquire) !=
	       atomic_load_explicit(&l->tail, memory_order_relaxed);
}

void exchange_front_ignore(struct exchange *x, unsigned lane, bool ignore)
{
	uint64_t bit = 1ULL << (lane % 64);

	if (ignore)
		x->ignored[lane / 64] |= bit;
	else
		x->ignored[lane / 64] &= ~bit;
}

static bool is_ignored(const struct exchange *x, unsigned lane)
{
	return x->ignored[lane / 64] & 1ULL << (lane % 64);
}

bool exchange_front_sleep(struct exchange *x)
{
	exchange_wake(x);
	atomic_store(&x->m->front_sleeps, 1);
	atomic_thread_fence(memory_order_seq_cst);
	for (unsigned i = 0; i < x->lanes; i++) {
		if (lane_has_frames(x, i) && !is_ignored(x, i)) {
			atomic_store(&x->m->front_sleeps, 0);
			return true;
		}
	}
	return false;
}

void exchange_front_woken(struct exchange *x)
{
	uint64_t count;

	atomic_store(&x->m->front_sleeps, 0);
	(void)!read(x->event_fd, &count, sizeof(count));
}

/* What stands in the ring is the worker's word; nothing of it is used before it was checked here. */
static bool frame_is_sane(const struct exchange *x, unsigned lane, const struct ring_frame *f,
			  uint64_t available)
{
	return f->kind >= FRAME_HEAD && f->kind <= FRAME_DONE && f->n <= EXCHANGE_FRAME_MAX &&
	       frame_size(f->n) <= available && f->slot < x->shape.slots &&
	       f->turn == (uint8_t)x->sequence[f->slot] && exchange_holder(x, f->slot) == (int)lane;
}

bool exchange_peek(struct exchange *x, unsigned lane, size_t *at, struct frame *ret_frame)
{
	const struct lane *l = &x->m->lanes[lane];
	uint64_t head = atomic_load_explicit(&l->head, memory_order_acquire);
	uint64_t from = atomic_load_explicit(&l->tail, memory_order_relaxed) + *at;
	const uint8_t *p = x->rings[lane] + from % EXCHANGE_RING_BYTES;
	struct ring_frame f;

	if (head == from)
		return false;
	*ret_frame = (struct frame){.kind = FRAME_BROKEN, .next = *at};
	if (head - from > EXCHANGE_RING_BYTES || head - from < sizeof(f) || from % 8 != 0)
		return true;
	memcpy(&f, p, sizeof(f));
	if (!frame_is_sane(x, lane, &f, head - from))
		return true;
	*at += frame_size(f.n);
	*ret_frame = (struct frame){.kind = (enum frame_kind)f.kind,
				    .slot = f.slot,
				    .p = p + sizeof(f),
				    .n = f.n,
				    .next = *at};
	return true;
}

void exchange_consume(struct exchange *x, unsigned lane, const struct frame *upto)
{
	struct lane *l = &x->m->lanes[lane];
	uint64_t tail = atomic_load_explicit(&l->tail, memory_order_relaxed) + upto->next;
	uint32_t want;

	atomic_store(&l->tail, tail);
	want = atomic_load(&l->room_wait);
	if (want == 0 ||
	    EXCHANGE_RING_BYTES - (atomic_load_explicit(&l->head, memory_order_relaxed) - tail) <
		    want)
		return;
	atomic_store(&l->room_wait, 0);
	futex_wake(&l->room_wait);
}

void exchange_worker_begin(struct exchange *x, unsigned worker)
{
	for (unsigned t = 0; t < x->shape.threads; t++) {
		unsigned lane = worker * x->shape.threads + t;
		struct lane *l = &x->m->lanes[lane];

		lane_clear_idle(x, lane);
		exchange_front_ignore(x, lane, false);
		atomic_store(&l->retire, 0);
		atomic_store(&l->condemned, 0);
		atomic_store(&l->interrupted, 0);
		atomic_store(&l->gil_wait_ns, 0);
		atomic_store(&l->thread, 0);
		atomic_store(&l->room_wait, 0);
		atomic_store(&l->head, 0);
		atomic_store(&l->tail, 0);
	}
}

bool exchange_worker_holds(const struct exchange *x, unsigned worker)
{
	for (unsigned slot = 0; slot < x->shape.slots; slot++) {
		int lane = exchange_holder(x, slot);

		if (x->submitted[slot] && lane >= 0 && (unsigned)lane / x->shape.threads == worker)
			return true;
	}
	return false;
}

void exchange_bury(struct exchange *x, unsigned worker,
		   void (*fn)(void *arg, unsigned slot, unsigned lane), void *arg)
{
	unsigned first = worker * x->shape.threads;

	for (unsigned t = 0; t < x->shape.threads; t++)
		lane_clear_idle(x, first + t);
	wake_taken(x);
	for (unsigned slot = 0; slot < x->shape.slots; slot++) {
		int lane = exchange_holder(x, slot);

		if (!x->submitted[slot])
			continue;
		/* who spoilt the word of a lost one is not known: the dead is the likeliest */
		if (exchange_lost(x, slot))
			lane = (int)first;
		if (lane < (int)first || lane >= (int)(first + x->shape.threads))
			continue;
		take_back(x, slot);
		fn(arg, slot, (unsigned)lane);
	}
	exchange_wake_queued(x);
}
