/*
 * scoreboard_blame: a record comes back as it was written, in order, once; a hostile ring harms no reader.
 */
#include "shared/scoreboard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/err.h"

struct fixture {
	int fd;
	struct scoreboard *b;
	const struct scoreboard *ro;
	struct board_blame r; /* read back */
	uint64_t at, missed;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err;

	*state = f;
	return board_create(&f->fd, &f->b, "blog", &err) || board_map_readonly(f->fd, &f->ro, &err);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	board_unmap(f->b);
	board_unmap(f->ro);
	(void)close(f->fd);
	free(f);
	return 0;
}

static void write_numbered(struct fixture *f, unsigned i)
{
	struct board_blame r = {.wall_ns = i, .kind = BLAME_SLOW};

	(void)snprintf(r.request, sizeof(r.request), "GET /%u", i);
	board_blame_write(f->b, &r);
}

static void a_record_comes_back_as_it_was_written(void **state)
{
	struct fixture *f = *state;
	const struct board_blame r = {.wall_ns = 1,
				      .generation = 2,
				      .age_us = 3,
				      .queue_us = 4,
				      .rss = 5,
				      .rss_growth = -6,
				      .kind = BLAME_CRASHED,
				      .worker = 7,
				      .pid = 8,
				      .status = 502,
				      .signal = 11,
				      .id = "abc",
				      .request = "POST /buy?n=1",
				      .reason = "killed by signal 11",
				      .stacks = "Thread 0x1\n  File \"a.py\", line 1 in f\n",
				      .log = "before it\n"};

	assert_false(board_next_blame(f->ro, &f->at, true, &f->missed, &f->r));
	board_blame_write(f->b, &r);
	assert_true(board_next_blame(f->ro, &f->at, true, &f->missed, &f->r));
	assert_int_equal(f->r.number, 1);
	f->r.number = 0;
	assert_memory_equal(&f->r, &r, sizeof(r));
	assert_false(board_next_blame(f->ro, &f->at, true, &f->missed, &f->r));
	assert_int_equal(f->missed, 0);
}

static void a_short_record_shows_nothing_of_a_long_one_that_stood_there(void **state)
{
	struct fixture *f = *state;
	struct board_blame r = {.kind = BLAME_SLOW};

	memset(r.stacks, 'x', sizeof(r.stacks) - 1);
	for (unsigned i = 0; i < BOARD_BLAMES; i++)
		board_blame_write(f->b, &r);
	write_numbered(f, 5);
	assert_int_equal(board_read_blame(f->ro, BOARD_BLAMES + 1, &f->r), 1);
	assert_string_equal(f->r.request, "GET /5");
	for (size_t i = 0; i < sizeof(f->r.stacks); i++)
		assert_int_equal(f->r.stacks[i], 0);
}

static void overwritten_records_are_counted_as_missed(void **state)
{
	struct fixture *f = *state;
	unsigned n = 0;

	for (unsigned i = 0; i < BOARD_BLAMES + 3; i++)
		write_numbered(f, i);
	assert_int_equal(board_read_blame(f->ro, 0, &f->r), -1);
	assert_int_equal(board_read_blame(f->ro, 3, &f->r), -1);
	assert_int_equal(board_read_blame(f->ro, 4, &f->r), 1);
	assert_int_equal(board_read_blame(f->ro, BOARD_BLAMES + 4, &f->r), 0);
	while (board_next_blame(f->ro, &f->at, true, &f->missed, &f->r))
		n++;
	assert_int_equal(n, BOARD_BLAMES);
	assert_int_equal(f->missed, 3);
	assert_string_equal(f->r.request, "GET /34");
}

static void a_record_left_half_written_holds_nobody_for_ever(void **state)
{
	struct fixture *f = *state;

	write_numbered(f, 0);
	write_numbered(f, 1);
	board_set(&f->b->blame[0].number, 0);
	assert_false(board_next_blame(f->ro, &f->at, true, &f->missed, &f->r));
	assert_int_equal(f->at, 0);
	assert_true(board_next_blame(f->ro, &f->at, false, &f->missed, &f->r));
	assert_string_equal(f->r.request, "GET /1");
	assert_int_equal(f->missed, 1);
}

static void hostile_records_are_terminated_clamped_and_end(void **state)
{
	struct fixture *f = *state;
	static const uint64_t counts[] = {UINT64_MAX, INT64_MAX, BOARD_BLAMES, 1};

	memset(f->b->blame, 0xff, sizeof(f->b->blame));
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		unsigned n = 0;

		f->at = 0;
		board_set(&f->b->blames, counts[i]);
		for (unsigned k = 0; k < BOARD_BLAMES; k++)
			board_set(&f->b->blame[k].number,
				  counts[i] - (counts[i] - 1 - k) % BOARD_BLAMES);
		while (board_next_blame(f->ro, &f->at, false, &f->missed, &f->r)) {
			assert_true(++n <= BOARD_BLAMES);
			assert_int_equal(f->r.request[sizeof(f->r.request) - 1], 0);
			assert_int_equal(f->r.stacks[sizeof(f->r.stacks) - 1], 0);
			assert_int_equal(f->r.log[sizeof(f->r.log) - 1], 0);
			assert_true(f->r.wall_ns <= INT64_MAX && f->r.rss <= INT64_MAX);
			assert_true(f->r.kind < BLAME_KIND_COUNT && f->r.status < 1000);
			assert_true(f->r.worker <= LIMIT_WORKERS && f->r.signal < 128);
			assert_true(f->r.pid <= INT32_MAX);
		}
		assert_true(n > 0);
	}
}

static void every_kind_has_a_name_and_nonsense_has_one_too(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BLAME_KIND_COUNT; i++)
		assert_string_not_equal(board_blame_name(i), "?");
	assert_string_equal(board_blame_name(BLAME_KIND_COUNT), "?");
	assert_string_equal(board_blame_name(UINT32_MAX), "?");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_record_comes_back_as_it_was_written),
		TEST(a_short_record_shows_nothing_of_a_long_one_that_stood_there),
		TEST(overwritten_records_are_counted_as_missed),
		TEST(a_record_left_half_written_holds_nobody_for_ever),
		TEST(hostile_records_are_terminated_clamped_and_end),
		TEST(every_kind_has_a_name_and_nonsense_has_one_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
