/*
 * fuse: cell by cell, with times given.
 */
#include "vassal/front/fuse.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define T0 (1000 * NS_PER_S)

static struct fuse f;

static int clear(void **state)
{
	(void)state;
	f = (struct fuse){0};
	return 0;
}

static const struct fuse_key a = {1, 2};

static void two_deaths_within_the_window_fuse_and_only_those(void **state)
{
	static const struct {
		uint64_t second_ns; /* after the first */
		bool fused;
	} rows[] = {
		{0, true},
		{NS_PER_S, true},
		{FUSE_WINDOW_NS, true},
		{FUSE_WINDOW_NS + 1, false},
		{10 * FUSE_WINDOW_NS, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		(void)clear(state);
		assert_false(fuse_killed(&f, &a, 1, T0));
		assert_int_equal(fuse_left_ns(&f, &a, T0), 0);
		assert_int_equal(fuse_killed(&f, &a, 2, T0 + rows[i].second_ns), rows[i].fused);
		assert_int_equal(fuse_left_ns(&f, &a, T0 + rows[i].second_ns),
				 rows[i].fused ? FUSE_OPEN_NS : 0);
	}
}

static void a_fuse_ends_by_itself_and_one_more_death_within_the_window_blows_it_again(void **state)
{
	(void)state;
	(void)fuse_killed(&f, &a, 1, T0);
	(void)fuse_killed(&f, &a, 2, T0);
	assert_int_equal(fuse_left_ns(&f, &a, T0 + FUSE_OPEN_NS - 1), 1);
	assert_int_equal(fuse_left_ns(&f, &a, T0 + FUSE_OPEN_NS), 0);
	assert_true(fuse_killed(&f, &a, 3, T0 + FUSE_OPEN_NS));
	assert_int_equal(fuse_left_ns(&f, &a, T0 + FUSE_OPEN_NS), FUSE_OPEN_NS);
	/* long after the last death it is as innocent as any other */
	assert_int_equal(fuse_left_ns(&f, &a, T0 + FUSE_OPEN_NS + FUSE_WINDOW_NS + 1), 0);
	assert_int_equal(f.n, 0);
	assert_false(fuse_killed(&f, &a, 4, T0 + FUSE_OPEN_NS + FUSE_WINDOW_NS + 1));
}

static void one_process_dies_once_however_many_threads_had_it(void **state)
{
	(void)state;
	assert_false(fuse_killed(&f, &a, 1, T0));
	assert_false(fuse_killed(&f, &a, 1, T0));
	assert_int_equal(fuse_left_ns(&f, &a, T0), 0);
	assert_true(fuse_killed(&f, &a, 2, T0));
}

static void an_answer_in_between_wipes_the_slate(void **state)
{
	(void)state;
	(void)fuse_killed(&f, &a, 1, T0);
	fuse_survived(&f, &a);
	assert_int_equal(f.n, 0);
	assert_false(fuse_killed(&f, &a, 2, T0 + 1));
	assert_true(fuse_killed(&f, &a, 3, T0 + 2));
	fuse_survived(&f, &a); /* it had been sent before */
	assert_int_equal(fuse_left_ns(&f, &a, T0 + 3), 0);
	fuse_survived(&f, &a); /* unknown: nothing happens */
}

static void another_request_or_another_body_is_another_matter(void **state)
{
	static const struct fuse_key others[] = {{1, 3}, {3, 2}, {2, 1}};

	(void)state;
	(void)fuse_killed(&f, &a, 1, T0);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		assert_false(fuse_killed(&f, &others[i], 2, T0));
		fuse_survived(&f, &others[i]);
	}
	(void)fuse_killed(&f, &a, 3, T0);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_int_equal(fuse_left_ns(&f, &others[i], T0), 0);
	assert_int_equal(fuse_left_ns(&f, &a, T0), FUSE_OPEN_NS);
}

static void a_full_table_gives_up_its_oldest_suspect_and_no_fused_one(void **state)
{
	(void)state;
	(void)fuse_killed(&f, &a, 1, T0);
	(void)fuse_killed(&f, &a, 2, T0);
	for (unsigned i = 0; i < 3 * FUSE_ENTRIES; i++)
		assert_false(
			fuse_killed(&f, &(struct fuse_key){100 + i, 0}, (pid_t)i + 3, T0 + 1 + i));
	assert_int_equal(f.n, FUSE_ENTRIES);
	assert_int_equal(fuse_left_ns(&f, &a, T0 + 1000), FUSE_OPEN_NS - 1000);
	/* the latest are still suspected, the earliest are not */
	assert_true(fuse_killed(&f, &(struct fuse_key){100 + 3 * FUSE_ENTRIES - 1, 0}, 9999,
				T0 + 2000));
	assert_false(fuse_killed(&f, &(struct fuse_key){100, 0}, 9998, T0 + 2000));
}

static void a_table_full_of_fused_ones_stays_bounded(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * FUSE_ENTRIES; i++) {
		const struct fuse_key key = {i, i};

		(void)fuse_killed(&f, &key, 1, T0 + i);
		assert_true(fuse_killed(&f, &key, 2, T0 + i));
	}
	assert_int_equal(f.n, FUSE_ENTRIES);
	assert_int_equal(fuse_left_ns(&f, &(struct fuse_key){0, 0}, T0 + 1000), 0);
}

static void clearing_tells_how_many_were_fused(void **state)
{
	(void)state;
	assert_int_equal(fuse_clear(&f, T0), 0);
	(void)fuse_killed(&f, &a, 1, T0);
	assert_int_equal(fuse_clear(&f, T0), 0);
	(void)fuse_killed(&f, &a, 1, T0);
	(void)fuse_killed(&f, &a, 2, T0);
	assert_int_equal(fuse_clear(&f, T0), 1);
	assert_int_equal(fuse_left_ns(&f, &a, T0), 0);
	assert_int_equal(f.n, 0);
}

#define TEST(fn) cmocka_unit_test_setup(fn, clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(two_deaths_within_the_window_fuse_and_only_those),
		TEST(a_fuse_ends_by_itself_and_one_more_death_within_the_window_blows_it_again),
		TEST(one_process_dies_once_however_many_threads_had_it),
		TEST(an_answer_in_between_wipes_the_slate),
		TEST(another_request_or_another_body_is_another_matter),
		TEST(a_full_table_gives_up_its_oldest_suspect_and_no_fused_one),
		TEST(a_table_full_of_fused_ones_stays_bounded),
		TEST(clearing_tells_how_many_were_fused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
