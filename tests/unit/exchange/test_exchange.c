/*
 * The exchange between a front and its workers, in one process: the rules of slots, queue, rings and burial.
 */
#include "tests/unit/exchange/shapes.h"

#include <sys/stat.h>

static void requests_come_in_the_order_they_were_submitted(void **state)
{
	struct exchange *x = make(8, 1, 1);
	unsigned a, b, got;

	(void)state;
	a = submit(x, "a");
	b = submit(x, "b");
	assert_int_equal(exchange_take(x, 0, &got), EXCHANGE_TAKEN);
	assert_int_equal(got, a);
	assert_int_equal(exchange_take(x, 0, &got), EXCHANGE_TAKEN);
	assert_int_equal(got, b);
	assert_int_equal(exchange_take(x, 0, &got), EXCHANGE_NOTHING);
	exchange_free(x);
}

static void a_taken_slot_says_who_holds_it_and_since_when(void **state)
{
	struct exchange *x = make(4, 2, 2);
	unsigned got;
	unsigned slot = submit(x, "a");

	(void)state;
	assert_int_equal(exchange_holder(x, slot), -1);
	assert_int_equal(exchange_taken_ns(x, slot), 0);
	assert_int_equal(exchange_take(x, 3, &got), EXCHANGE_TAKEN);
	assert_int_equal(exchange_holder(x, slot), 3);
	assert_true(exchange_taken_ns(x, slot) > 0);
	exchange_free(x);
}

static void unpublished_frames_are_not_seen(void **state)
{
	struct exchange *x = make(4, 1, 1);
	struct frame f;
	size_t at = 0;
	unsigned got;

	(void)state;
	(void)submit(x, "a");
	assert_int_equal(exchange_take(x, 0, &got), EXCHANGE_TAKEN);
	assert_non_null(exchange_reply_room(x, 0, 10));
	exchange_reply_commit(x, 0, got, FRAME_DATA, 10, false);
	assert_false(exchange_peek(x, 0, &at, &f));
	assert_non_null(exchange_reply_room(x, 0, 1));
	exchange_reply_commit(x, 0, got, FRAME_END, 1, true);
	assert_true(exchange_peek(x, 0, &at, &f));
	assert_int_equal(f.kind, FRAME_DATA);
	assert_int_equal(f.n, 10);
	assert_true(exchange_peek(x, 0, &at, &f));
	assert_int_equal(f.kind, FRAME_END);
	assert_false(exchange_peek(x, 0, &at, &f));
	exchange_free(x);
}

static void a_frame_across_the_rings_end_is_contiguous(void **state)
{
	struct exchange *x = make(4, 1, 1);
	unsigned slot;

	(void)state;
	(void)submit(x, "a");
	assert_int_equal(exchange_take(x, 0, &slot), EXCHANGE_TAKEN);
	for (unsigned round = 0; round < 40; round++) {
		size_t n = 20000 + round * 7;
		size_t at = 0;
		struct frame f;
		uint8_t *p = exchange_reply_room(x, 0, n);

		assert_non_null(p);
		memset(p, (int)('a' + round % 26), n);
		exchange_reply_commit(x, 0, slot, FRAME_DATA, n, true);
		assert_true(exchange_peek(x, 0, &at, &f));
		assert_int_equal(f.n, n);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(f.p[i], 'a' + round % 26);
		exchange_consume(x, 0, &f);
	}
	exchange_free(x);
}

static void a_full_ring_gives_no_room_until_it_is_consumed(void **state)
{
	struct exchange *x = make(4, 1, 1);
	struct frame f;
	size_t at = 0;
	unsigned slot;
	unsigned frames = 0;

	(void)state;
	(void)submit(x, "a");
	assert_int_equal(exchange_take(x, 0, &slot), EXCHANGE_TAKEN);
	while (exchange_reply_room(x, 0, 30000)) {
		exchange_reply_commit(x, 0, slot, FRAME_DATA, 30000, true);
		frames++;
	}
	assert_int_equal(frames, EXCHANGE_RING_BYTES / frame_size(30000));
	assert_true(exchange_peek(x, 0, &at, &f));
	exchange_consume(x, 0, &f);
	assert_non_null(exchange_reply_room(x, 0, 30000));
	exchange_free(x);
}

static void nonsense_in_a_ring_is_broken_and_never_followed(void **state)
{
	static const struct {
		uint32_t n;
		uint8_t kind;
		uint16_t slot;
		uint64_t head;
	} cases[] = {
		{4, 9, 0, 16},                      /* no such kind */
		{4, FRAME_DATA, 77, 16},            /* no such slot */
		{4, FRAME_DATA, 1, 16},             /* a slot of somebody else */
		{100000, FRAME_DATA, 0, 16},        /* longer than a frame may be */
		{64, FRAME_DATA, 0, 16},            /* longer than what is there */
		{4, FRAME_DATA, 0, 4},              /* less than a frame's own header */
		{4, FRAME_DATA, 0, 1ULL << 40},     /* more than the ring holds */
		{4, FRAME_DATA, 0, UINT64_MAX - 7}, /* behind the tail */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct exchange *x = make(4, 1, 1);
		struct ring_frame f = {
			.n = cases[i].n, .kind = cases[i].kind, .slot = cases[i].slot, .turn = 1};
		struct frame got;
		size_t at = 0;
		unsigned slot;

		(void)submit(x, "a");
		assert_int_equal(exchange_take(x, 0, &slot), EXCHANGE_TAKEN);
		memcpy(x->rings[0], &f, sizeof(f));
		atomic_store(&x->m->lanes[0].head, cases[i].head);
		assert_true(exchange_peek(x, 0, &at, &got));
		assert_int_equal(got.kind, FRAME_BROKEN);
		exchange_free(x);
	}
}

static void a_waiting_request_can_be_cancelled_and_a_taken_one_is_told(void **state)
{
	struct exchange *x = make(4, 1, 1);
	unsigned a, b, got;

	(void)state;
	a = submit(x, "a");
	b = submit(x, "b");
	assert_true(exchange_cancel(x, a));
	exchange_slot_put(x, a, 0);
	assert_int_equal(exchange_take(x, 0, &got), EXCHANGE_TAKEN);
	assert_int_equal(got, b);
	assert_false(exchange_abandon(x, b));
	assert_true(exchange_client_gone(x, b));
	exchange_free(x);
}

static void a_cancel_that_comes_too_late_changes_nothing(void **state)
{
	struct exchange *x = make(4, 1, 1);
	unsigned a = submit(x, "a");
	unsigned got;

	(void)state;
	assert_int_equal(exchange_take(x, 0, &got), EXCHANGE_TAKEN);
	assert_false(exchange_cancel(x, a));
	assert_false(exchange_client_gone(x, a));
	assert_int_equal(exchange_holder(x, a), 0);
	exchange_free(x);
}

static void endless_cancelling_never_fills_the_queue_and_keeps_the_order(void **state)
{
	struct exchange *x = make(8, 1, 1);
	unsigned first = submit(x, "first");
	unsigned second = submit(x, "second");
	unsigned got;

	(void)state;
	for (unsigned i = 0; i < 5 * LAYOUT_CELLS; i++) {
		unsigned s = submit(x, "gone");

		assert_true(exchange_cancel(x, s));
		exchange_slot_put(x, s, 0);
	}
	assert_int_equal(exchange_take(x, 0, &got), EXCHANGE_TAKEN);
	assert_int_equal(got, first);
	assert_int_equal(exchange_take(x, 0, &got), EXCHANGE_TAKEN);
	assert_int_equal(got, second);
	assert_int_equal(exchange_take(x, 0, &got), EXCHANGE_NOTHING);
	exchange_free(x);
}

static void slots_run_out_and_come_back_last_used_first(void **state)
{
	struct exchange *x = make(3, 1, 1);

	(void)state;
	assert_int_equal(exchange_slot_get(x), 0);
	assert_int_equal(exchange_slot_get(x), 1);
	assert_int_equal(exchange_slot_get(x), 2);
	assert_int_equal(exchange_slot_get(x), -1);
	exchange_slot_put(x, 1, EXCHANGE_SLOT_BYTES);
	assert_int_equal(exchange_slot_get(x), 1);
	exchange_free(x);
}

static void a_retired_worker_takes_nothing_more(void **state)
{
	struct exchange *x = make(4, 2, 1);
	unsigned got;

	(void)state;
	(void)submit(x, "a");
	exchange_worker_retire(x, 0);
	assert_int_equal(exchange_take(x, 0, &got), EXCHANGE_RETIRE);
	assert_int_equal(exchange_take(x, 1, &got), EXCHANGE_TAKEN);
	exchange_free(x);
}

static void a_called_worker_hears_it_once_and_goes_on_unless_it_is_retired(void **state)
{
	struct exchange *x = make(4, 2, 1);
	unsigned got;

	(void)state;
	(void)submit(x, "a");
	exchange_worker_call(x, 0);
	exchange_worker_call(x, 0);
	assert_int_equal(exchange_take(x, 1, &got), EXCHANGE_TAKEN);
	(void)submit(x, "b");
	assert_int_equal(exchange_take(x, 0, &got), EXCHANGE_CALLED);
	assert_int_equal(exchange_take(x, 0, &got), EXCHANGE_TAKEN);
	exchange_worker_call(x, 0);
	exchange_worker_retire(x, 0);
	assert_int_equal(exchange_take(x, 0, &got), EXCHANGE_RETIRE);
	exchange_worker_call(x, 0);
	assert_int_equal(exchange_take(x, 0, &got), EXCHANGE_RETIRE);
	exchange_free(x);
}

static void burying_a_worker_gives_back_what_it_held_and_nothing_else(void **state)
{
	struct exchange *x = make(8, 2, 2);
	struct buried b = {0};
	unsigned mine, other, got;

	(void)state;
	mine = submit(x, "mine");
	other = submit(x, "other");
	(void)submit(x, "waiting");
	assert_int_equal(exchange_take(x, 1, &got), EXCHANGE_TAKEN);
	assert_int_equal(exchange_take(x, 2, &got), EXCHANGE_TAKEN);
	exchange_bury(x, 0, remember, &b);
	assert_int_equal(b.n, 1);
	assert_int_equal(b.slots[0], mine);
	assert_int_equal(exchange_holder(x, other), 2);
	exchange_slot_put(x, mine, 0);
	exchange_free(x);
}

static void an_owner_word_that_cannot_be_true_is_a_lost_request_and_no_lane(void **state)
{
	static const uint64_t words[] = {
		0xffffULL << 16 | OWNER_TAKEN | 1ULL << 32, /* a lane that does not exist */
		4ULL << 16 | OWNER_TAKEN | 1ULL << 32,      /* the first one that does not */
		1ULL << 16 | OWNER_TAKEN | 9ULL << 32,      /* another request's */
		OWNER_FREE,
		1ULL << 32 | OWNER_FRONT,
		9ULL << 32 | OWNER_QUEUED,
		1ULL << 32 | 3ULL << 16 | OWNER_QUEUED,
		UINT64_MAX,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		struct exchange *x = make(4, 2, 2);
		struct buried b = {0};
		unsigned slot = submit(x, "a");
		unsigned held = submit(x, "held");
		unsigned got;

		assert_false(exchange_lost(x, slot));
		assert_int_equal(exchange_take(x, 0, &got), EXCHANGE_TAKEN);
		assert_int_equal(exchange_take(x, 3, &got), EXCHANGE_TAKEN);
		assert_false(exchange_lost(x, slot));
		atomic_store(&x->m->slots[slot].owner, words[i]);
		assert_int_equal(exchange_holder(x, slot), -1);
		assert_true(exchange_lost(x, slot));
		/* any burial gives it back, a cancel too: the client does not wait for ever */
		if (i % 2) {
			assert_true(exchange_cancel(x, slot));
		} else {
			exchange_bury(x, 0, remember, &b);
			assert_int_equal(b.n, 1);
			assert_int_equal(b.slots[0], slot);
		}
		assert_false(exchange_lost(x, slot));
		assert_int_equal(exchange_holder(x, held), 3);
		exchange_slot_put(x, slot, 0);
		exchange_free(x);
	}
}

static void frames_for_an_earlier_request_of_a_slot_are_broken(void **state)
{
	struct exchange *x = make(1, 1, 1);
	unsigned slot = submit(x, "a");
	struct frame f;
	size_t at = 0;
	unsigned got;

	(void)state;
	assert_int_equal(exchange_take(x, 0, &got), EXCHANGE_TAKEN);
	atomic_store(&x->m->slots[slot].owner, OWNER_FREE);
	assert_true(exchange_cancel(x, slot));
	exchange_slot_put(x, slot, 0);
	answer(x, 0, slot);
	assert_int_equal(submit(x, "b"), slot);
	assert_int_equal(exchange_take(x, 0, &got), EXCHANGE_TAKEN);
	assert_true(exchange_peek(x, 0, &at, &f));
	assert_int_equal(f.kind, FRAME_BROKEN);
	exchange_free(x);
}

static void a_scribbled_queue_position_is_put_right(void **state)
{
	static const struct {
		uint64_t head, tail;
	} cases[] = {
		{2, 1000},       /* behind the head: no worker would find anything */
		{2, UINT64_MAX}, /* the same, at the far end */
		{0, 0},          /* the head gone back */
		{UINT64_MAX, 0},
	};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		struct exchange *x = make(8, 1, 1);
		unsigned a = submit(x, "a");
		unsigned b = submit(x, "b");
		unsigned got;

		atomic_store(&x->m->queue_head, cases[i / 2].head);
		atomic_store(&x->m->queue_tail, cases[i / 2].tail);
		/* by the tick, or by the next request; that looks at no more than a distance */
		if (i % 2 || cases[i / 2].tail == UINT64_MAX)
			exchange_tend(x);
		else
			(void)submit(x, "c");
		assert_int_equal(exchange_take(x, 0, &got), EXCHANGE_TAKEN);
		assert_int_equal(got, a);
		assert_int_equal(exchange_take(x, 0, &got), EXCHANGE_TAKEN);
		assert_int_equal(got, b);
		exchange_free(x);
	}
}

static void an_exchange_of_another_size_is_refused(void **state)
{
	struct exchange *x = make(4, 1, 1);
	struct exchange *y = NULL;
	struct err err;

	(void)state;
	x->m->version++;
	assert_int_equal(exchange_attach(&y, exchange_memory_fd(x), exchange_event_fd(x), &err),
			 -EPROTO);
	x->m->version--;
	x->m->shape.slots++;
	assert_int_equal(exchange_attach(&y, exchange_memory_fd(x), exchange_event_fd(x), &err),
			 -EPROTO);
	assert_null(y);
	exchange_free(x);
}

static uint64_t resident_bytes(const struct exchange *x)
{
	struct stat st;

	assert_int_equal(fstat(exchange_memory_fd(x), &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

/* A crowd of large requests at once: a few slots stay ready for the next ones, the others hold no memory. */
static void large_requests_give_their_pages_back_but_for_a_few(void **state)
{
	const struct exchange_shape shape = {.slots = 64, .workers = 1, .threads = 1};
	const size_t large = 128UL * 1024;
	struct exchange *x;
	int slots[64];
	uint64_t empty;

	(void)state;
	assert_int_equal(exchange_create(&x, &shape, NULL), 0);
	empty = resident_bytes(x);
	for (int round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 64; i++) {
			slots[i] = exchange_slot_get(x);
			assert_true(slots[i] >= 0);
			memset(exchange_data(x, (unsigned)slots[i]), 'x', large);
		}
		assert_true(resident_bytes(x) - empty >= 64 * large);
		for (unsigned i = 0; i < 64; i++)
			exchange_slot_put(x, (unsigned)slots[i], large);
		assert_in_range(resident_bytes(x) - empty, 16 * large, 32 * large);
	}
	exchange_free(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_come_in_the_order_they_were_submitted),
		cmocka_unit_test(a_taken_slot_says_who_holds_it_and_since_when),
		cmocka_unit_test(unpublished_frames_are_not_seen),
		cmocka_unit_test(a_frame_across_the_rings_end_is_contiguous),
		cmocka_unit_test(a_full_ring_gives_no_room_until_it_is_consumed),
		cmocka_unit_test(nonsense_in_a_ring_is_broken_and_never_followed),
		cmocka_unit_test(a_waiting_request_can_be_cancelled_and_a_taken_one_is_told),
		cmocka_unit_test(a_cancel_that_comes_too_late_changes_nothing),
		cmocka_unit_test(an_owner_word_that_cannot_be_true_is_a_lost_request_and_no_lane),
		cmocka_unit_test(frames_for_an_earlier_request_of_a_slot_are_broken),
		cmocka_unit_test(a_scribbled_queue_position_is_put_right),
		cmocka_unit_test(endless_cancelling_never_fills_the_queue_and_keeps_the_order),
		cmocka_unit_test(slots_run_out_and_come_back_last_used_first),
		cmocka_unit_test(a_retired_worker_takes_nothing_more),
		cmocka_unit_test(a_called_worker_hears_it_once_and_goes_on_unless_it_is_retired),
		cmocka_unit_test(burying_a_worker_gives_back_what_it_held_and_nothing_else),
		cmocka_unit_test(an_exchange_of_another_size_is_refused),
		cmocka_unit_test(large_requests_give_their_pages_back_but_for_a_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
