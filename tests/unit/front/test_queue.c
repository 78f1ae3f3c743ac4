/* queue: who comes when, who is refused, who is forgotten. */
#include "rig.h"

#include "vassal/exchange/layout.h"
#include "vassal/front/overdue.h"

#define GET "GET /%u HTTP/1.1\r\nHost: a\r\n\r\n"

static struct conn *ask(struct front *f, unsigned n, int *ret_end)
{
	char text[64];

	(void)snprintf(text, sizeof(text), GET, n);
	return rig_ask(f, text, ret_end);
}

static void expect_line(struct front *f, unsigned slot, unsigned n)
{
	char line[32];

	(void)snprintf(line, sizeof(line), "GET /%u", n);
	assert_string_equal(exchange_request(f->exchange, slot)->line, line);
}

static void answer_it(struct front *f, unsigned slot)
{
	worker_head(f, slot, 200, 0, false);
	worker_end(f, slot, 0);
	rig_drain(f);
}

static void requests_beyond_the_slots_keep_their_order(void **state)
{
	struct front *f = rig_make(2, 10);
	int ends[8];

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(ask(f, i, &ends[i])->state, i < 2 ? CONN_WAIT : CONN_QUEUED);
	assert_int_equal(queue_length(f), 8);
	for (unsigned i = 0; i < 8; i++) {
		unsigned slot = worker_take(f);

		expect_line(f, slot, i);
		answer_it(f, slot);
		(void)close(ends[i]);
	}
	assert_int_equal(queue_length(f), 0);
	rig_free(f);
}

static void expect_503(int end)
{
	char got[2048];
	bool closed;

	(void)rig_read(end, got, sizeof(got), &closed);
	assert_memory_equal(got, "HTTP/1.1 503 ", 13);
	assert_non_null(strstr(got, "\r\nRetry-After: "));
	assert_false(closed);
	(void)close(end);
}

static void no_more_wait_than_queue_size_says(void **state)
{
	struct front *f = rig_make(2, 3);
	int ends[5];

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		(void)ask(f, i, &ends[i]);
	assert_int_equal(queue_length(f), 3);
	assert_int_equal(atomic_load(&f->count->rejected), 2);
	expect_503(ends[3]);
	expect_503(ends[4]);
	for (unsigned i = 0; i < 3; i++)
		(void)close(ends[i]);
	rig_free(f);
}

static void what_is_in_work_does_not_count_as_waiting(void **state)
{
	struct front *f = rig_make(4, 1);
	int ends[3];

	(void)state;
	(void)ask(f, 0, &ends[0]);
	(void)worker_take(f);
	assert_int_equal(ask(f, 1, &ends[1])->state, CONN_WAIT);
	(void)ask(f, 2, &ends[2]);
	expect_503(ends[2]);
	(void)close(ends[0]);
	(void)close(ends[1]);
	rig_free(f);
}

static void who_has_left_is_passed_by_wherever_he_waited(void **state)
{
	struct front *f = rig_make(2, 10);
	struct conn *c[5];
	int ends[5];

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		c[i] = ask(f, i, &ends[i]);
	conn_lost(c[1]); /* in a slot */
	conn_lost(c[3]); /* behind them */
	assert_int_equal(atomic_load(&f->count->client_gone), 2);
	for (unsigned i = 0; i < 5; i += 2) {
		unsigned slot = worker_take(f);

		expect_line(f, slot, i);
		answer_it(f, slot);
	}
	assert_int_equal(f->jobs_n, 0);
	for (unsigned i = 0; i < 5; i++)
		(void)close(ends[i]);
	rig_free(f);
}

static void who_leaves_while_a_worker_has_it_leaves_the_slot_to_the_worker(void **state)
{
	struct front *f = rig_make(2, 10);
	struct conn *c;
	unsigned slot;
	int end;

	(void)state;
	c = ask(f, 0, &end);
	slot = worker_take(f);
	assert_false(exchange_client_gone(f->exchange, slot));
	conn_lost(c);
	assert_true(exchange_client_gone(f->exchange, slot));
	assert_int_equal(f->jobs_n, 1);
	answer_it(f, slot);
	assert_int_equal(f->jobs_n, 0);
	(void)close(end);
	rig_free(f);
}

static void a_request_whose_slot_was_scribbled_on_is_502_and_the_slot_comes_back(void **state)
{
	struct front *f = rig_make(1, 10);
	char got[2048];
	unsigned slot;
	bool closed;
	int end;

	(void)state;
	(void)ask(f, 0, &end);
	slot = worker_take(f);
	overdue_check(f);
	assert_int_equal(f->jobs_n, 1);
	/* held by a lane that does not exist: nobody will answer it, nobody will be killed for it */
	atomic_store(&f->exchange->m->slots[slot].owner, 0xffffULL << 16 | OWNER_TAKEN);
	overdue_check(f);
	(void)rig_read(end, got, sizeof(got), &closed);
	assert_memory_equal(got, "HTTP/1.1 502 ", 13);
	assert_int_equal(f->jobs_n, 0);
	(void)close(end);
	(void)ask(f, 1, &end);
	expect_line(f, worker_take(f), 1);
	(void)close(end);
	rig_free(f);
}

static void waiting_too_long_is_503_in_a_slot_and_behind_and_being_in_work_is_not(void **state)
{
	struct front *f = rig_make(2, 10);
	struct conn *c[3];
	int ends[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		c[i] = ask(f, i, &ends[i]);
	(void)worker_take(f);
	queue_expire(c[2]);
	expect_503(ends[2]);
	queue_expire(c[1]);
	expect_503(ends[1]);
	queue_expire(c[0]);
	assert_int_equal(c[0]->state, CONN_WAIT);
	assert_false(exchange_client_gone(f->exchange, (unsigned)c[0]->slot));
	assert_int_equal(atomic_load(&f->count->rejected), 2);
	(void)close(ends[0]);
	rig_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_beyond_the_slots_keep_their_order),
		cmocka_unit_test(no_more_wait_than_queue_size_says),
		cmocka_unit_test(what_is_in_work_does_not_count_as_waiting),
		cmocka_unit_test(who_has_left_is_passed_by_wherever_he_waited),
		cmocka_unit_test(who_leaves_while_a_worker_has_it_leaves_the_slot_to_the_worker),
		cmocka_unit_test(
			a_request_whose_slot_was_scribbled_on_is_502_and_the_slot_comes_back),
		cmocka_unit_test(
			waiting_too_long_is_503_in_a_slot_and_behind_and_being_in_work_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
