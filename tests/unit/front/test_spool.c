/* spool: bytes that wait, in memory and on file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "vassal/front/diskpool.h"
#include "vassal/front/spool.h"

#define TOTAL 300000

struct world {
	struct diskpool disk;
	struct spool spool;
	struct spool_limits limits;
	int ends[2];
	unsigned ready;
	struct world *older; /* none is ever freed: the disk threads keep theirs */
};

static struct world *worlds;

static void count_ready(void *arg)
{
	((struct world *)arg)->ready++;
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	diskpool_init(&w->disk, ev_default_loop(0), DISKPOOL_THREADS);
	w->limits = (struct spool_limits){.memory = 8192, .file = 1 << 20, .tmpdir = "/tmp"};
	w->older = worlds;
	worlds = w;
	*state = w;
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, w->ends);
}

static int tear_down(void **state)
{
	struct world *w = *state;

	spool_done(&w->spool);
	(void)close(w->ends[0]);
	(void)close(w->ends[1]);
	ev_ref(ev_default_loop(0));
	ev_async_stop(ev_default_loop(0), &w->disk.wake);
	return 0;
}

static void wait_for_disk(struct world *w)
{
	ev_ref(ev_default_loop(0));
	while (w->spool.job)
		ev_run(ev_default_loop(0), EVRUN_ONCE);
	ev_unref(ev_default_loop(0));
}

static char byte_at(size_t i)
{
	return (char)(i * 31 + i / 977);
}

static int append(struct world *w, size_t from, size_t n)
{
	char buf[4096];

	for (size_t i = 0; i < n; i++)
		buf[i] = byte_at(from + i);
	return spool_append(&w->spool, &w->limits, &w->disk, count_ready, w, buf, n);
}

/* Reads what has come out so far and checks it. */
static size_t drain(struct world *w, size_t from)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(w->ends[1], buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++, from++)
			assert_int_equal(buf[i], byte_at(from));
	return from;
}

static void a_little_stays_in_memory(void **state)
{
	struct world *w = *state;
	uint64_t sent = 0;

	assert_int_equal(append(w, 0, 4096), 0);
	assert_int_equal(append(w, 4096, 4096), 0);
	assert_false(w->spool.has_file);
	assert_int_equal(spool_send(&w->spool, w->ends[0], &sent), 1);
	assert_int_equal(sent, 8192);
	assert_int_equal(drain(w, 0), 8192);
	assert_true(spool_empty(&w->spool));
}

static void everything_comes_out_in_order_through_a_file(void **state)
{
	struct world *w = *state;
	uint64_t sent = 0;
	size_t in = 0, out = 0;

	while (in < TOTAL) {
		size_t n = MIN((size_t)4096, TOTAL - in);

		if (spool_room(&w->spool, &w->limits) == 0)
			wait_for_disk(w);
		assert_int_equal(append(w, in, n), 0);
		in += n;
	}
	assert_true(w->spool.has_file);
	assert_true(w->ready > 0);
	while (!spool_empty(&w->spool)) {
		assert_true(spool_send(&w->spool, w->ends[0], &sent) >= 0);
		out = drain(w, out);
		wait_for_disk(w);
	}
	assert_int_equal(out, TOTAL);
	assert_int_equal(sent, TOTAL);
}

static void what_is_sent_and_not_read_is_not_overwritten(void **state)
{
	struct world *w = *state;
	uint64_t sent = 0;
	size_t in = 0, out = 0;

	/* the second round begins the file again while its first pages still stand in the socket */
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 3; i++, in += 4096)
			assert_int_equal(append(w, in, 4096), 0);
		wait_for_disk(w);
		assert_int_equal(spool_send(&w->spool, w->ends[0], &sent), 1);
	}
	assert_true(w->spool.has_file);
	out = drain(w, out);
	assert_int_equal(out, in);
}

static void a_full_file_leaves_no_room_until_it_is_sent(void **state)
{
	struct world *w = *state;
	uint64_t sent = 0;
	size_t in = 0;

	w->limits.file = 65536;
	while (spool_room(&w->spool, &w->limits) > 0 || w->spool.job) {
		wait_for_disk(w);
		if (spool_room(&w->spool, &w->limits) == 0)
			break;
		assert_int_equal(append(w, in, 4096), 0);
		in += 4096;
		assert_true(in < 2 * 65536);
	}
	assert_int_equal(spool_room(&w->spool, &w->limits), 0);
	for (size_t out = 0; !spool_empty(&w->spool); out = drain(w, out))
		assert_true(spool_send(&w->spool, w->ends[0], &sent) >= 0);
	assert_true(spool_room(&w->spool, &w->limits) > 0);
}

/* What one may write when another has used so much of the budget of 65536. */
static void a_budget_that_others_have_spent_stops_or_fails_but_loses_nothing(void **state)
{
	struct world *w = *state;
	struct spool_budget budget = {.used = 65536, .limit = 65536};
	struct spool other = {0};
	static char many[8192];
	uint64_t sent = 0;

	w->limits.budget = &budget;
	assert_int_equal(append(w, 0, 4096), 0);
	assert_int_equal(append(w, 4096, 4096), 0);
	assert_int_equal(spool_room(&w->spool, &w->limits), 0);
	assert_int_equal(append(w, 8192, 4096), 0); /* a little more is taken, but into memory */
	assert_false(w->spool.has_file);
	for (size_t out = 0; !spool_empty(&w->spool); out = drain(w, out))
		assert_true(spool_send(&w->spool, w->ends[0], &sent) >= 0);
	assert_int_equal(sent, 12288);
	assert_true(spool_room(&w->spool, &w->limits) > 0);

	w->limits.refuse = true;
	assert_int_equal(spool_append(&other, &w->limits, &w->disk, count_ready, w, "x", 1), 0);
	assert_true(spool_room(&other, &w->limits) > 0);
	assert_int_equal(
		spool_append(&other, &w->limits, &w->disk, count_ready, w, many, sizeof(many)),
		-EDQUOT);
	spool_done(&other);
	assert_int_equal(budget.used, 65536);
}

static void the_budget_is_charged_while_there_is_a_file_and_no_longer(void **state)
{
	struct world *w = *state;
	struct spool_budget budget = {.limit = 1 << 20};

	w->limits.budget = &budget;
	assert_int_equal(append(w, 0, 4096), 0);
	assert_int_equal(budget.used, 0);
	assert_false(spool_to_file(&w->spool, &w->limits, &w->disk, count_ready, w));
	assert_int_equal(budget.used, 4096);
	wait_for_disk(w);
	assert_int_equal(budget.used, 4096);
	spool_done(&w->spool);
	assert_int_equal(budget.used, 0);
}

static void all_of_it_can_be_put_on_file(void **state)
{
	struct world *w = *state;
	char buf[4096];

	assert_int_equal(append(w, 0, 4096), 0);
	assert_false(spool_to_file(&w->spool, &w->limits, &w->disk, count_ready, w));
	wait_for_disk(w);
	assert_true(spool_to_file(&w->spool, &w->limits, &w->disk, count_ready, w));
	assert_int_equal(pread(w->spool.file_fd, buf, sizeof(buf), 0), 4096);
	for (size_t i = 0; i < sizeof(buf); i++)
		assert_int_equal(buf[i], byte_at(i));
}

/* A client that reads all of it, then more comes than fits memory. */
static void check_memory_alone(struct world *w, int reason)
{
	uint64_t sent = 0;
	size_t in = 0, out = 0;

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 3; i++, in += 4096)
			assert_int_equal(append(w, in, 4096), 0);
		wait_for_disk(w);
		assert_int_equal(w->spool.refused, reason);
		assert_int_equal(spool_room(&w->spool, &w->limits), 0);
		assert_int_equal(append(w, in, 4096), 0); /* a little more is taken */
		in += 4096;
		assert_int_equal(spool_send(&w->spool, w->ends[0], &sent), 1);
		out = drain(w, out);
		assert_int_equal(out, in);
		assert_int_equal(spool_room(&w->spool, &w->limits), w->limits.memory);
	}
}

static void without_a_directory_a_patient_producer_waits_and_loses_nothing(void **state)
{
	struct world *w = *state;

	w->limits.tmpdir = "/nonexistent";
	check_memory_alone(w, -ENOENT);
}

static void a_disk_that_is_full_gives_the_bytes_back_in_order(void **state)
{
	struct world *w = *state;
	struct spool_budget budget = {.limit = 1 << 20};
	const struct rlimit little = {.rlim_cur = 6000, .rlim_max = RLIM_INFINITY};
	const struct rlimit all = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};

	w->limits.budget = &budget;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
	check_memory_alone(w, -EFBIG); /* 6000 bytes are written, the rest is refused */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
	assert_int_equal(budget.used, 0);
}

static void a_missing_directory_is_an_error_and_not_a_loss(void **state)
{
	struct world *w = *state;

	w->limits.tmpdir = "/nonexistent";
	w->limits.refuse = true;
	assert_int_equal(append(w, 0, 4096), 0);
	assert_int_equal(append(w, 4096, 4096), 0);
	assert_int_equal(append(w, 8192, 4096), -ENOENT);
	assert_int_equal(w->spool.error, -ENOENT);
}

static void ending_it_while_the_disk_writes_is_safe(void **state)
{
	struct world *w = *state;

	assert_int_equal(append(w, 0, 4096), 0);
	assert_false(spool_to_file(&w->spool, &w->limits, &w->disk, count_ready, w));
	spool_done(&w->spool);
	for (unsigned i = 0; i < 50; i++) {
		(void)ev_run(ev_default_loop(0), EVRUN_NOWAIT);
		(void)usleep(1000);
	}
	assert_int_equal(w->ready, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_little_stays_in_memory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(everything_comes_out_in_order_through_a_file,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_sent_and_not_read_is_not_overwritten,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_file_leaves_no_room_until_it_is_sent, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			a_budget_that_others_have_spent_stops_or_fails_but_loses_nothing, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			the_budget_is_charged_while_there_is_a_file_and_no_longer, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(all_of_it_can_be_put_on_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			without_a_directory_a_patient_producer_waits_and_loses_nothing, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(a_disk_that_is_full_gives_the_bytes_back_in_order,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_missing_directory_is_an_error_and_not_a_loss,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(ending_it_while_the_disk_writes_is_safe, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
