/*
 * The exchange: workers that wake each other, if it is worth it, and one among them that does not come.
 */
#include <sched.h>

#include "tests/unit/exchange/shapes.h"

#define WORKERS 3

static const struct timespec moment = {.tv_nsec = 5 * (long)NS_PER_MS};

/* Takes one request, and its app never comes back; or is told to go, and takes its time. */
static void busy_process(struct exchange *front, unsigned lane, pid_t parent)
{
	struct exchange *x;
	unsigned slot;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent ||
	    exchange_attach(&x, exchange_memory_fd(front), exchange_event_fd(front), NULL) < 0)
		_exit(1);
	while (exchange_take(x, lane, &slot) == EXCHANGE_NOTHING)
		(void)exchange_wait(x, lane, 0);
	for (;;)
		(void)pause();
}

static struct exchange *begin(pid_t pids[WORKERS])
{
	struct exchange *x = make(4, WORKERS, 1);
	pid_t parent = getpid();

	for (unsigned i = 0; i < WORKERS; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			busy_process(x, i, parent);
	}
	while (atomic_load(&x->m->idle_lanes[0]) != 7)
		(void)sched_yield();
	return x;
}

static void end(struct exchange *x, const pid_t pids[WORKERS])
{
	for (unsigned i = 0; i < WORKERS; i++) {
		assert_int_equal(kill(pids[i], SIGKILL), 0);
		assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
	}
	exchange_free(x);
}

static void await_empty(struct exchange *x)
{
	for (unsigned i = 0; i < 1000 && exchange_queued(x) > 0; i++)
		(void)nanosleep(&moment, NULL);
	assert_int_equal(exchange_queued(x), 0);
}

static void sleepers_wake_each_other_until_nothing_waits(void **state)
{
	pid_t pids[WORKERS];
	struct exchange *x = begin(pids);

	(void)state;
	for (unsigned i = 0; i < WORKERS; i++)
		(void)submit(x, "r");
	exchange_wake(x);
	await_empty(x);
	assert_false(exchange_awaits_one(x));
	end(x, pids);
}

static void await_holder(struct exchange *x, unsigned slot)
{
	for (unsigned i = 0; i < 1000 && exchange_holder(x, slot) < 0; i++)
		(void)nanosleep(&moment, NULL);
	assert_true(exchange_holder(x, slot) >= 0);
}

/* To wake one costs more than to do what waits. Those who wait wrongly are found at the front's next look. */
static void nobody_is_woken_for_what_takes_no_time(void **state)
{
	pid_t pids[WORKERS];
	struct exchange *x = begin(pids);
	unsigned first;

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		exchange_took(x, NS_PER_US);
	first = submit(x, "r");
	for (unsigned i = 1; i < WORKERS; i++)
		(void)submit(x, "r");
	exchange_wake(x);
	await_holder(x, first); /* whom it wakes it has woken before */
	for (unsigned i = 0; i < 1000 && exchange_queued(x) == WORKERS; i++)
		(void)nanosleep(&moment, NULL);
	assert_int_equal(exchange_queued(x), WORKERS - 1);
	assert_int_equal(__builtin_popcountll(atomic_load(&x->m->idle_lanes[0])), WORKERS - 1);
	/* this one never comes back */
	assert_true(exchange_awaits_one(x));
	exchange_wake_queued(x);
	await_empty(x);
	end(x, pids);
}

static void one_that_is_stopped_holds_nobody_up(void **state)
{
	pid_t pids[WORKERS];
	struct exchange *x = begin(pids);
	int status;

	(void)state;
	assert_int_equal(kill(pids[0], SIGSTOP), 0);
	assert_int_equal(waitpid(pids[0], &status, WUNTRACED), pids[0]);
	for (unsigned i = 0; i < 2; i++)
		(void)submit(x, "r");
	exchange_wake(x);
	assert_true(exchange_awaits_one(x));
	(void)nanosleep(&moment, NULL);
	assert_int_equal(exchange_queued(x), 2);
	exchange_wake_queued(x);
	await_empty(x);
	assert_int_equal(exchange_holder(x, 0) | exchange_holder(x, 1), 1 | 2);
	end(x, pids);
}

/* It slept when the word came; a wake-up that is spent on it afterwards is another's. */
static void one_that_is_to_go_passes_its_wake_up_on(void **state)
{
	pid_t pids[WORKERS];
	struct exchange *x = begin(pids);

	(void)state;
	(void)nanosleep(&moment, NULL);
	atomic_store(&x->m->lanes[0].retire, LANE_RETIRES);
	(void)submit(x, "r");
	exchange_wake(x);
	await_empty(x);
	assert_int_equal(exchange_holder(x, 0), 1);
	end(x, pids);
}

static void one_that_sleeps_beside_a_request_is_somebodys_to_wake(void **state)
{
	struct exchange *x = make(4, 2, 1);

	(void)state;
	assert_false(exchange_awaits_one(x));
	(void)submit(x, "r");
	assert_false(exchange_awaits_one(x)); /* all are busy: who is ready takes it */
	atomic_fetch_or(&x->m->idle_lanes[0], 2);
	assert_true(exchange_awaits_one(x));
	exchange_free(x);
}

/* Does the one that was woken wake another, if requests usually take so long? */
static bool wakes_another(uint64_t usual_ns, unsigned requests)
{
	struct exchange *x = make(512, 2, 1);
	bool r;

	for (unsigned i = 0; i < 1000; i++)
		exchange_took(x, usual_ns);
	for (unsigned i = 0; i < requests; i++)
		(void)submit(x, "r");
	atomic_fetch_or(&x->m->idle_lanes[0], 2);
	lane_is_awake(x);
	r = atomic_load(&x->m->idle_lanes[0]) == 0;
	exchange_free(x);
	return r;
}

static void another_is_woken_if_what_waits_takes_long(void **state)
{
	const struct {
		uint64_t usual_ns;
		unsigned requests;
		bool wakes;
	} cases[] = {
		/* one is its own */
		{NS_PER_S, 0, false},
		{NS_PER_S, 1, false},
		{NS_PER_S, 2, true},
		{0, 512, false},
		{WAKE_WORTH_NS + NS_PER_US, 2, true},
		{WAKE_WORTH_NS - NS_PER_US, 2, false},
		{WAKE_WORTH_NS - NS_PER_US, 3, true},
		{WAKE_WORTH_NS / 50, 50, false},
		{WAKE_WORTH_NS / 50, 70, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (wakes_another(cases[i].usual_ns, cases[i].requests) != cases[i].wakes)
			fail_msg("row %zu", i);
}

static void a_slow_request_among_fast_ones_counts_for_little(void **state)
{
	struct exchange *x = make(4, 1, 1);

	(void)state;
	assert_int_equal(atomic_load(&x->m->usual_ns), USUAL_MOST_NS); /* nothing is known */
	for (unsigned i = 0; i < 1000; i++)
		exchange_took(x, NS_PER_US);
	assert_in_range(atomic_load(&x->m->usual_ns), NS_PER_US, NS_PER_US + 16);
	exchange_took(x, UINT64_MAX); /* a worker's word */
	assert_in_range(atomic_load(&x->m->usual_ns), 5 * NS_PER_US, 10 * NS_PER_US);
	for (unsigned i = 0; i < 1000; i++)
		exchange_took(x, NS_PER_S);
	assert_in_range(atomic_load(&x->m->usual_ns), USUAL_MOST_NS - 16, USUAL_MOST_NS);
	/* what is in shared memory is anybody's, and only a hint */
	atomic_store(&x->m->usual_ns, 0);
	exchange_took(x, NS_PER_S);
	assert_in_range(atomic_load(&x->m->usual_ns), USUAL_MOST_NS - 16, USUAL_MOST_NS);
	exchange_free(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sleepers_wake_each_other_until_nothing_waits),
		cmocka_unit_test(nobody_is_woken_for_what_takes_no_time),
		cmocka_unit_test(another_is_woken_if_what_waits_takes_long),
		cmocka_unit_test(a_slow_request_among_fast_ones_counts_for_little),
		cmocka_unit_test(one_that_is_stopped_holds_nobody_up),
		cmocka_unit_test(one_that_is_to_go_passes_its_wake_up_on),
		cmocka_unit_test(one_that_sleeps_beside_a_request_is_somebodys_to_wake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
