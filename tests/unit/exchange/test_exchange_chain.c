/*
 * The exchange: forked workers that wake each other, and one among them that does not come.
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
	exchange_wake_another(x);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sleepers_wake_each_other_until_nothing_waits),
		cmocka_unit_test(one_that_is_stopped_holds_nobody_up),
		cmocka_unit_test(one_that_is_to_go_passes_its_wake_up_on),
		cmocka_unit_test(one_that_sleeps_beside_a_request_is_somebodys_to_wake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
