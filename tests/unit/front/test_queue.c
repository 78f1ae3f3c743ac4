/* queue: who comes when, who is refused, who is forgotten. */
#include "rig.h"

#include "shared/clock.h"
#include "vassal/exchange/layout.h"
#include "vassal/front/overdue.h"
#include "vassal/front/standing.h"

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

static void nothing_said_of_the_request_before_is_said_of_the_next(void **state)
{
	struct front *f = rig_make(1, 4);
	struct job *job = &f->jobs[0];
	int ends[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		(void)ask(f, i, &ends[i]);
		assert_false(job->slow_said || job->killed || job->looked || job->interrupted ||
			     job->renewed || job->had > 0);
		job->slow_said = job->killed = job->looked = job->renewed = true;
		job->interrupted = true;
		job->had = 200;
		answer_it(f, worker_take(f));
		(void)close(ends[i]);
	}
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
	assert_int_equal(f->rare_notes.v[RARE_QUEUE_FULL].unsaid, 1); /* of two */
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

/* The answer to the one finds its client gone, before epoll has told: it leaves once, and the others stay. */
static void who_is_refused_and_has_left_takes_nobody_along(void **state)
{
	struct front *f = rig_make(1, 10);
	struct conn *c[4];
	int ends[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		c[i] = ask(f, i, &ends[i]);
	assert_int_equal(f->queued_n, 3);
	(void)close(ends[2]);
	queue_expire(c[2]);
	assert_int_equal(c[2]->state, CONN_DEAD);
	assert_int_equal(f->queued_n, 2);
	assert_ptr_equal(f->queue_first, c[1]);
	assert_ptr_equal(f->queue_last, c[3]);
	(void)close(ends[1]);
	(void)close(ends[3]);
	queue_refuse_all(f);
	assert_int_equal(f->queued_n, 0);
	assert_null(f->queue_first);
	(void)close(ends[0]);
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

/* Eight requests: the first is in work, three fill the other slots, four wait behind; then time passes. */
static struct front *make_standing(struct conn *c[8], int ends[8])
{
	struct front *f = rig_make(4, 7);

	for (unsigned i = 0; i < 8; i++) {
		c[i] = ask(f, i, &ends[i]);
		if (i == 0)
			(void)worker_take(f);
		f->now_ns += NS_PER_MS;
	}
	assert_int_equal(queue_length(f), 7);
	standing_check(f);
	assert_int_equal(f->order, ORDER_OLDEST_FIRST);
	f->now_ns += 6 * NS_PER_S; /* a tenth of queue-timeout */
	standing_check(f);
	assert_int_equal(f->order, ORDER_NEWEST_FIRST);
	assert_int_equal(f->queued_n + f->parked_n, 6); /* and one has gone out */
	return f;
}

static void a_queue_that_stands_is_served_from_its_end(void **state)
{
	/* 3 went out at once, beside 0 in work; from then on it is the newest of all */
	static const unsigned order[] = {3, 7, 6, 5, 4, 2, 1};
	struct conn *c[8];
	int ends[8];
	struct front *f = make_standing(c, ends);

	(void)state;
	answer_it(f, (unsigned)c[0]->slot);
	for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
		unsigned slot = worker_take(f);

		expect_line(f, slot, order[i]);
		answer_it(f, slot);
	}
	/* they took no time: the workers hear of it */
	assert_in_range(atomic_load(&f->exchange->m->usual_ns), 1, USUAL_MOST_NS * 3 / 4);
	assert_int_equal(f->jobs_n, 0);
	assert_int_equal(f->parked_n, 0);
	standing_check(f);
	assert_int_equal(f->order, ORDER_OLDEST_FIRST);
	for (unsigned i = 0; i < 8; i++)
		(void)close(ends[i]);
	rig_free(f);
}

static void whoever_comes_to_a_full_queue_that_stands_takes_the_oldest_ones_place(void **state)
{
	struct conn *c[8];
	int ends[8];
	int end;
	struct front *f = make_standing(c, ends);
	unsigned before = f->queued_n + f->parked_n;

	(void)state;
	(void)ask(f, 8, &end); /* one place is free: 3 is out */
	(void)close(end);
	assert_int_equal(atomic_load(&f->count->rejected), 0);
	assert_int_equal(f->queued_n + f->parked_n, before + 1);
	(void)ask(f, 9, &end);
	assert_int_equal(atomic_load(&f->count->rejected), 1);
	assert_int_equal(f->rare_notes.v[RARE_QUEUE_FULL].at_ns, f->now_ns);
	assert_int_equal(f->queued_n + f->parked_n, before + 1);
	expect_503(ends[1]);
	answer_it(f, (unsigned)c[0]->slot);
	expect_line(f, worker_take(f), 3);
	expect_line(f, worker_take(f), 9);
	(void)close(end);
	rig_free(f);
}

static void who_is_parked_can_leave_and_can_be_too_late(void **state)
{
	struct conn *c[8];
	int ends[8];
	struct front *f = make_standing(c, ends);

	(void)state;
	assert_int_equal(f->parked_n, 2);
	conn_lost(c[1]);
	assert_int_equal(f->parked_n, 1);
	queue_expire(c[2]);
	expect_503(ends[2]);
	assert_int_equal(f->parked_n, 0);
	assert_int_equal(atomic_load(&f->count->queue_timeouts), 1);
	/* two slots are free again, and nobody is lost over it */
	answer_it(f, (unsigned)c[0]->slot);
	for (unsigned i = 0; i < 5; i++)
		answer_it(f, worker_take(f));
	assert_int_equal(f->jobs_n, 0);
	assert_int_equal(queue_length(f), 0);
	rig_free(f);
}

static void when_it_stands_no_longer_the_oldest_is_next_again(void **state)
{
	static const unsigned order[] = {3, 1, 2, 6, 7};
	struct conn *c[8];
	int ends[8];
	struct front *f = make_standing(c, ends);

	(void)state;
	conn_lost(c[4]);
	conn_lost(c[5]);
	/* as if they had come just now */
	for (unsigned i = 1; i < 8; i++)
		if (i != 4 && i != 5)
			c[i]->complete_ns = f->now_ns;
	standing_check(f);
	assert_int_equal(f->order, ORDER_OLDEST_FIRST);
	assert_int_equal(f->parked_n, 0);
	answer_it(f, (unsigned)c[0]->slot);
	for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
		unsigned slot = worker_take(f);

		expect_line(f, slot, order[i]);
		answer_it(f, slot);
	}
	assert_int_equal(queue_length(f), 0);
	rig_free(f);
}

struct walk {
	struct front *f;
	struct conn *c[64];
	int ends[64];
	unsigned n;
	unsigned seed;
	int working; /* slot; -1: none */
};

static void come(struct walk *w)
{
	if (w->n == ARRAY_SIZE(w->c))
		return;
	w->c[w->n] = ask(w->f, w->seed, &w->ends[w->n]);
	w->n++;
}

static void end_one_and_take_the_next(struct walk *w)
{
	unsigned slot;

	if (w->working >= 0)
		answer_it(w->f, (unsigned)w->working);
	w->working = exchange_take(w->f->exchange, 0, &slot) == EXCHANGE_TAKEN ? (int)slot : -1;
}

static bool still_waits(const struct conn *c)
{
	return c->state == CONN_WAIT || c->state == CONN_QUEUED;
}

static void go(struct walk *w)
{
	struct conn *c = w->n > 0 ? w->c[(w->seed >> 4) % w->n] : NULL;

	if (c && still_waits(c))
		conn_lost(c);
}

static void lose_patience(struct walk *w)
{
	struct timer *t = timer_due(&w->f->timers[TIMER_QUEUE], w->f->now_ns);

	if (!t)
		return;
	timer_clear(t);
	queue_expire(container_of(t, struct conn, timer));
}

static void look(struct walk *w)
{
	standing_check(w->f);
}

/* Who has its answer, or has gone, makes room. */
static void clear_up(struct walk *w)
{
	for (unsigned i = w->n; i-- > 0;) {
		if (still_waits(w->c[i]))
			continue;
		conn_lost(w->c[i]);
		(void)close(w->ends[i]);
		w->c[i] = w->c[--w->n];
		w->ends[i] = w->ends[w->n];
	}
	conns_collect(w->f);
}

/* Whatever happens in whatever order: every request is answered or has left, and nothing stays behind. */
static void nothing_is_lost_however_it_comes_and_goes(void **state)
{
	static void (*const steps[8])(struct walk *) = {
		come, come, come,         end_one_and_take_the_next, end_one_and_take_the_next,
		go,   look, lose_patience};
	static struct walk w = {.seed = 12345, .working = -1};

	(void)state;
	w.f = rig_make(4, 12);
	for (unsigned step = 0; step < 20000; step++) {
		w.seed = w.seed * 1103515245 + 12345;
		w.f->now_ns += (w.seed >> 8) % (400 * NS_PER_MS);
		steps[w.seed >> 16 & 7](&w);
		clear_up(&w);
		assert_true(w.f->parked_n <= w.f->jobs_n && w.f->jobs_n <= 4);
	}
	for (unsigned i = 0; i < w.n; i++) {
		conn_lost(w.c[i]);
		(void)close(w.ends[i]);
	}
	if (w.working >= 0)
		answer_it(w.f, (unsigned)w.working);
	assert_int_equal(w.f->jobs_n, 0);
	assert_int_equal(w.f->parked_n, 0);
	assert_int_equal(w.f->queued_n, 0);
	rig_free(w.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_beyond_the_slots_keep_their_order),
		cmocka_unit_test(nothing_said_of_the_request_before_is_said_of_the_next),
		cmocka_unit_test(no_more_wait_than_queue_size_says),
		cmocka_unit_test(what_is_in_work_does_not_count_as_waiting),
		cmocka_unit_test(who_has_left_is_passed_by_wherever_he_waited),
		cmocka_unit_test(who_is_refused_and_has_left_takes_nobody_along),
		cmocka_unit_test(who_leaves_while_a_worker_has_it_leaves_the_slot_to_the_worker),
		cmocka_unit_test(a_queue_that_stands_is_served_from_its_end),
		cmocka_unit_test(
			whoever_comes_to_a_full_queue_that_stands_takes_the_oldest_ones_place),
		cmocka_unit_test(who_is_parked_can_leave_and_can_be_too_late),
		cmocka_unit_test(when_it_stands_no_longer_the_oldest_is_next_again),
		cmocka_unit_test(nothing_is_lost_however_it_comes_and_goes),
		cmocka_unit_test(
			a_request_whose_slot_was_scribbled_on_is_502_and_the_slot_comes_back),
		cmocka_unit_test(
			waiting_too_long_is_503_in_a_slot_and_behind_and_being_in_work_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
