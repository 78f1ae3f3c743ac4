/*
 * The exchange: who is woken, and forked workers that sleep, wake, die and are ignored.
 */
#include <sched.h>

#include "tests/unit/exchange/shapes.h"

/* As if this lane slept. */
static void lie_down(struct exchange *x, unsigned lane)
{
	atomic_store(&x->m->lanes[lane].idle, 1);
	atomic_fetch_or(&x->m->idle_lanes[0], 1ULL << lane);
}

static bool sleeps(struct exchange *x, unsigned lane)
{
	return atomic_load(&x->m->lanes[lane].idle) == 1;
}

static unsigned sleepers(struct exchange *x, unsigned lanes)
{
	unsigned n = 0;

	for (unsigned lane = 0; lane < lanes; lane++)
		n += sleeps(x, lane);
	return n;
}

static struct exchange *three_asleep(void)
{
	struct exchange *x = make(8, 3, 1);

	for (unsigned lane = 0; lane < 3; lane++)
		lie_down(x, lane);
	return x;
}

static void a_wake_up_spent_on_one_that_goes_is_given_to_another(void **state)
{
	struct buried b = {0};

	(void)state;
	for (unsigned how = 0; how < 3; how++) {
		struct exchange *x = three_asleep();

		(void)submit(x, "a");
		exchange_wake(x);
		assert_false(sleeps(x, 0));
		assert_true(sleeps(x, 1));
		switch (how) {
		case 0: /* it dies before it takes anything */
			exchange_bury(x, 0, remember, &b);
			break;
		case 1: /* the front, or itself, wants it to go */
			exchange_worker_retire(x, 0);
			break;
		case 2: /* nobody knows why it does not come */
			exchange_tend(x);
			break;
		}
		assert_false(sleeps(x, 1));
		assert_true(sleeps(x, 2));
		/* nobody goes on waiting for the one that goes to wake the next */
		(void)submit(x, "b");
		exchange_wake(x);
		assert_false(sleeps(x, 2));
		exchange_free(x);
	}
}

static void lanes_of_one_that_goes_are_not_chosen(void **state)
{
	struct exchange *x = make(4, 2, 2);

	(void)state;
	for (unsigned lane = 0; lane < 4; lane++)
		lie_down(x, lane);
	exchange_worker_retire(x, 0);
	(void)submit(x, "a");
	exchange_wake(x);
	assert_false(sleeps(x, 2) && sleeps(x, 3));
	/* one is enough */
	assert_true(sleeps(x, 2) || sleeps(x, 3));
	exchange_free(x);
}

static void a_bit_without_a_lane_takes_no_wake_up(void **state)
{
	struct exchange *x = make(4, 2, 1);

	(void)state;
	lie_down(x, 1);
	atomic_fetch_or(&x->m->idle_lanes[0], ~3ULL);
	(void)submit(x, "a");
	(void)submit(x, "b");
	exchange_wake(x);
	assert_false(sleeps(x, 1));
	/* those that were in its way are gone, those behind it are found when the next is wanted */
	assert_int_equal(atomic_load(&x->m->idle_lanes[0]), ~3ULL);
	lane_is_awake(x);
	assert_int_equal(atomic_load(&x->m->idle_lanes[0]), 0);
	exchange_free(x);
}

/* Three requests, one of three woken, one request more. False: it took so long that nobody waits for the first. */
static bool one_of_three_is_on_its_way(struct exchange *x)
{
	uint64_t since;

	for (unsigned i = 0; i < 3; i++)
		(void)submit(x, "a");
	since = clock_now_ns();
	exchange_wake(x);
	assert_int_equal(sleepers(x, 3), 2);
	(void)submit(x, "b");
	exchange_wake(x);
	if (clock_now_ns() - since >= NS_PER_MS)
		return false;
	/* the one that it woke does not run yet */
	assert_int_equal(sleepers(x, 3), 2);
	return true;
}

static void one_is_woken_and_wakes_the_next(void **state)
{
	struct exchange *x = three_asleep();
	unsigned slot;

	(void)state;
	while (!one_of_three_is_on_its_way(x)) {
		exchange_free(x);
		x = three_asleep();
	}
	/* it runs: three are left for others */
	lane_is_awake(x);
	assert_int_equal(sleepers(x, 3), 1);
	/* meanwhile they emptied the queue but for one, which the second takes itself */
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(exchange_take(x, 0, &slot), EXCHANGE_TAKEN);
	lane_is_awake(x);
	assert_int_equal(sleepers(x, 3), 1);
	/* nobody is on his way: the next request is worth a wake-up at once */
	(void)submit(x, "c");
	exchange_wake(x);
	assert_int_equal(sleepers(x, 3), 0);
	exchange_free(x);
}

/* A waker takes a lane's bit, then writes its word. In between the lane may see the request by itself. */
static void one_that_gets_up_before_the_word_has_come_is_woken_too(void **state)
{
	struct exchange *x = three_asleep();

	(void)state;
	(void)submit(x, "a");
	exchange_wake(x);
	atomic_store(&x->m->lanes[0].idle, 1);
	assert_true(lane_gets_up(x, 0));
	assert_false(sleeps(x, 0));
	/* whose bit nobody took gets up by itself, and leaves no bit */
	assert_false(lane_gets_up(x, 1));
	assert_int_equal(atomic_load(&x->m->idle_lanes[0]), 4);
	exchange_free(x);
}

static void one_that_does_not_come_is_not_waited_for(void **state)
{
	struct exchange *x = three_asleep();

	(void)state;
	(void)submit(x, "a");
	exchange_wake(x);
	assert_int_equal(sleepers(x, 3), 2);
	atomic_store(&x->m->waking_ns, clock_now_ns() - 2 * NS_PER_MS);
	(void)submit(x, "b");
	exchange_wake(x);
	assert_int_equal(sleepers(x, 3), 1);
	exchange_free(x);
}

static void nobody_to_wake_leaves_no_trace(void **state)
{
	struct exchange *x = make(8, 3, 1);

	(void)state;
	(void)submit(x, "a");
	exchange_wake(x);
	lie_down(x, 2);
	(void)submit(x, "b");
	exchange_wake(x);
	assert_false(sleeps(x, 2));
	exchange_free(x);
}

/* -- real processes ------------------------------------------------------------------------------------- */

static void worker_process(struct exchange *front, unsigned lane, pid_t parent, unsigned die_after)
{
	struct exchange *x;
	unsigned done = 0;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent ||
	    exchange_attach(&x, exchange_memory_fd(front), exchange_event_fd(front), NULL) < 0)
		_exit(1);
	for (;;) {
		unsigned slot;

		switch (exchange_take(x, lane, &slot)) {
		case EXCHANGE_RETIRE:
			_exit(0);
		case EXCHANGE_CALLED:
			break;
		case EXCHANGE_NOTHING:
			(void)exchange_wait(x, lane, 0);
			break;
		case EXCHANGE_TAKEN:
			if (die_after && ++done == die_after)
				(void)raise(SIGKILL);
			answer(x, lane, slot);
			break;
		}
	}
}

static pid_t start_worker(struct exchange *x, unsigned lane, unsigned die_after)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		worker_process(x, lane, parent, die_after);
	return pid;
}

/* Consumes what is there; returns the answers that ended. */
static unsigned collect(struct exchange *x, unsigned lanes)
{
	unsigned ended = 0;

	for (unsigned lane = 0; lane < lanes; lane++) {
		struct frame f;
		size_t at = 0;
		bool any = false;
		unsigned slots[64];
		unsigned n = 0;

		while (n < ARRAY_SIZE(slots) && exchange_peek(x, lane, &at, &f)) {
			assert_int_not_equal(f.kind, FRAME_BROKEN);
			any = true;
			if (f.kind == FRAME_DATA)
				assert_memory_equal(f.p, exchange_request(x, f.slot)->line, f.n);
			if (f.kind == FRAME_END)
				slots[n++] = f.slot;
		}
		if (!any)
			continue;
		exchange_consume(x, lane, &f);
		for (unsigned i = 0; i < n; i++)
			exchange_slot_put(x, slots[i], 0);
		ended += n;
	}
	return ended;
}

static void sleep_front(struct exchange *x)
{
	struct pollfd p = {.fd = exchange_event_fd(x), .events = POLLIN};

	if (exchange_front_sleep(x))
		return;
	assert_int_not_equal(poll(&p, 1, 5000), 0); /* nobody woke us: a lost wake-up */
	exchange_front_woken(x);
}

static void every_request_is_answered_once_by_sleeping_workers(void **state)
{
	const unsigned total = 20000;
	struct exchange *x = make(16, 3, 1);
	pid_t pids[3];
	unsigned sent = 0;
	unsigned done = 0;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		pids[i] = start_worker(x, i, 0);
	while (done < total) {
		while (sent < total && sent - done < 16) {
			char line[32];

			(void)snprintf(line, sizeof(line), "GET /%u", sent);
			(void)submit(x, line);
			sent++;
		}
		done += collect(x, 3);
		if (done < sent)
			sleep_front(x);
	}
	for (unsigned i = 0; i < 3; i++)
		exchange_worker_retire(x, i);
	for (unsigned i = 0; i < 3; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	exchange_free(x);
}

static void what_a_killed_worker_held_is_found_and_the_rest_is_served(void **state)
{
	struct exchange *x = make(8, 1, 1);
	struct buried b = {0};
	unsigned done = 0;
	pid_t pid;

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		(void)submit(x, "r");
	pid = start_worker(x, 0, 3);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	done = collect(x, 1);
	assert_int_equal(done, 2);
	exchange_bury(x, 0, remember, &b);
	assert_int_equal(b.n, 1);
	exchange_slot_put(x, b.slots[0], 0);
	exchange_worker_begin(x, 0);
	pid = start_worker(x, 0, 0);
	while (done < 4) {
		done += collect(x, 1);
		if (done < 4)
			sleep_front(x);
	}
	exchange_worker_retire(x, 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	exchange_free(x);
}

static void whom_a_dead_worker_was_about_to_wake_is_woken(void **state)
{
	const struct timespec while_it_lies_down = {.tv_nsec = 50 * (long)NS_PER_MS};

	(void)state;
	for (unsigned how = 0; how < 2; how++) {
		struct exchange *x = make(4, 2, 1);
		struct buried b = {0};
		pid_t pid = start_worker(x, 1, 0);

		while (!(atomic_load(&x->m->idle_lanes[0]) & 2))
			(void)sched_yield();
		(void)nanosleep(&while_it_lies_down, NULL);
		/* lane 0 is killed when it has taken the bit, and one instruction later */
		atomic_fetch_and(&x->m->idle_lanes[0], ~2ULL);
		if (how == 1)
			atomic_store(&x->m->lanes[1].idle, 0);
		(void)submit(x, "r");
		exchange_bury(x, 0, remember, &b);
		assert_int_equal(b.n, 0);
		while (collect(x, 2) == 0)
			sleep_front(x);
		exchange_worker_retire(x, 1);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		exchange_free(x);
	}
}

static void a_lane_that_is_ignored_keeps_nobody_awake(void **state)
{
	struct exchange *x = make(4, 2, 1);
	unsigned slot;

	(void)state;
	(void)submit(x, "a");
	assert_int_equal(exchange_take(x, 1, &slot), EXCHANGE_TAKEN);
	answer(x, 1, slot);
	assert_true(exchange_front_sleep(x));
	exchange_front_ignore(x, 1, true);
	assert_false(exchange_front_sleep(x));
	/* the other lane still counts */
	(void)submit(x, "b");
	assert_int_equal(exchange_take(x, 0, &slot), EXCHANGE_TAKEN);
	answer(x, 0, slot);
	assert_true(exchange_front_sleep(x));
	assert_int_equal(collect(x, 1), 1);
	assert_false(exchange_front_sleep(x));
	/* taken back, its frames are where they were */
	exchange_front_ignore(x, 1, false);
	assert_true(exchange_front_sleep(x));
	assert_int_equal(collect(x, 2), 1);
	exchange_free(x);
}

static void a_new_worker_on_an_ignored_lane_is_heard(void **state)
{
	struct exchange *x = make(4, 1, 1);
	unsigned slot;

	(void)state;
	exchange_front_ignore(x, 0, true);
	exchange_worker_begin(x, 0);
	(void)submit(x, "a");
	assert_int_equal(exchange_take(x, 0, &slot), EXCHANGE_TAKEN);
	answer(x, 0, slot);
	assert_true(exchange_front_sleep(x));
	exchange_free(x);
}

static void ignore_burial(void *arg, unsigned slot, unsigned lane)
{
	(void)arg;
	(void)slot;
	(void)lane;
}

static void a_condemned_request_is_meant_alone(void **state)
{
	struct exchange *x = make(2, 1, 2);
	unsigned first = submit(x, "first");
	unsigned taken;

	(void)state;
	assert_false(exchange_condemn(x, first)); /* nobody holds it */
	assert_int_equal(exchange_take(x, 1, &taken), EXCHANGE_TAKEN);
	assert_false(exchange_condemned(x, 1, taken));
	assert_true(exchange_condemn(x, first));
	assert_true(exchange_condemned(x, 1, taken));
	assert_false(exchange_condemned(x, 0, taken)); /* another lane's is not it */
	assert_false(exchange_was_interrupted(x, first));
	exchange_interrupted(x, 1);
	assert_true(exchange_was_interrupted(x, first));

	/* the same slot, the same lane, another request: whoever is late finds that it is not meant */
	assert_false(exchange_abandon(x, first));
	exchange_worker_retire(x, 0);
	exchange_bury(x, 0, ignore_burial, NULL);
	exchange_slot_put(x, first, 0);
	assert_int_equal(submit(x, "second"), first);
	atomic_store(&x->m->lanes[1].retire, 0);
	assert_int_equal(exchange_take(x, 1, &taken), EXCHANGE_TAKEN);
	assert_int_equal(taken, first);
	assert_false(exchange_condemned(x, 1, taken));
	assert_false(exchange_was_interrupted(x, taken));
	exchange_free(x);
}

static void a_new_process_inherits_no_condemnation(void **state)
{
	struct exchange *x = make(2, 1, 1);
	unsigned slot = submit(x, "first");
	unsigned taken;

	(void)state;
	assert_int_equal(exchange_take(x, 0, &taken), EXCHANGE_TAKEN);
	assert_true(exchange_condemn(x, slot));
	exchange_interrupted(x, 0);
	exchange_worker_begin(x, 0);
	assert_false(exchange_condemned(x, 0, taken));
	assert_false(exchange_was_interrupted(x, slot));
	exchange_free(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wake_up_spent_on_one_that_goes_is_given_to_another),
		cmocka_unit_test(lanes_of_one_that_goes_are_not_chosen),
		cmocka_unit_test(a_bit_without_a_lane_takes_no_wake_up),
		cmocka_unit_test(one_is_woken_and_wakes_the_next),
		cmocka_unit_test(one_that_gets_up_before_the_word_has_come_is_woken_too),
		cmocka_unit_test(one_that_does_not_come_is_not_waited_for),
		cmocka_unit_test(nobody_to_wake_leaves_no_trace),
		cmocka_unit_test(a_lane_that_is_ignored_keeps_nobody_awake),
		cmocka_unit_test(a_new_worker_on_an_ignored_lane_is_heard),
		cmocka_unit_test(a_condemned_request_is_meant_alone),
		cmocka_unit_test(a_new_process_inherits_no_condemnation),
		cmocka_unit_test(every_request_is_answered_once_by_sleeping_workers),
		cmocka_unit_test(what_a_killed_worker_held_is_found_and_the_rest_is_served),
		cmocka_unit_test(whom_a_dead_worker_was_about_to_wake_is_woken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
