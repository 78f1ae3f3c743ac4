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

/* It was the only one. */
static bool killed(const struct fuse_key *key, uint64_t now_ns)
{
	bool fused;

	fuse_died(&f, key, 1, now_ns, &fused);
	return fused;
}

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
		assert_false(killed(&a, T0));
		assert_int_equal(fuse_left_ns(&f, &a, T0), 0);
		assert_int_equal(killed(&a, T0 + rows[i].second_ns), rows[i].fused);
		assert_int_equal(fuse_left_ns(&f, &a, T0 + rows[i].second_ns),
				 rows[i].fused ? FUSE_OPEN_NS : 0);
	}
}

static void a_fuse_ends_by_itself_and_one_more_death_within_the_window_blows_it_again(void **state)
{
	(void)state;
	(void)killed(&a, T0);
	(void)killed(&a, T0);
	assert_int_equal(fuse_left_ns(&f, &a, T0 + FUSE_OPEN_NS - 1), 1);
	assert_int_equal(fuse_left_ns(&f, &a, T0 + FUSE_OPEN_NS), 0);
	assert_true(killed(&a, T0 + FUSE_OPEN_NS));
	assert_int_equal(fuse_left_ns(&f, &a, T0 + FUSE_OPEN_NS), FUSE_OPEN_NS);
	/* long after the last death it is as innocent as any other */
	assert_int_equal(fuse_left_ns(&f, &a, T0 + FUSE_OPEN_NS + FUSE_WINDOW_NS + 1), 0);
	assert_int_equal(f.n, 0);
	assert_false(killed(&a, T0 + FUSE_OPEN_NS + FUSE_WINDOW_NS + 1));
}

/* One worker dies once, however many of its threads had it. */
static void copies_in_one_worker_are_one(void **state)
{
	const struct fuse_key copies[] = {a, a, a};
	bool fused[3];

	(void)state;
	fuse_died(&f, copies, 3, T0, fused);
	assert_false(fused[0] || fused[1] || fused[2]);
	assert_int_equal(f.n, 1);
	fuse_died(&f, copies, 3, T0, fused);
	assert_true(fused[0]); /* told once */
	assert_false(fused[1] || fused[2]);
}

/* Each letter is a request, each word a worker that died with these in its hands, a second after the other. */
static void who_shared_a_death_is_a_killer_as_far_as_it_speaks_against_it(void **state)
{
	static const struct {
		const char *deaths[5];
		const char *fused; /* in the end */
	} rows[] = {
		/* alone in one of its two, whichever */
		{{"a", "a"}, "a"},
		{{"a", "ab"}, "a"},
		{{"ab", "a"}, "a"},
		{{"abc", "abc", "c"}, "abc"},
		/* the only one in both */
		{{"ab", "ac"}, "a"},
		{{"abcd", "aefg", "h"}, "a"},
		/* nobody can say which */
		{{"ab", "ab"}, "ab"},
		{{"ab"}, ""},
		{{"ab", "cd"}, ""},
		/* next to one that had killed alone: not twice */
		{{"a", "ab", "bc"}, "a"},
		{{"a", "ab", "ab"}, "a"},
		{{"a", "ab", "ab", "ab"}, "a"},
		/* ... but what else it did counts */
		{{"a", "ab", "b"}, "ab"},
		{{"b", "ab", "a"}, "ab"}, /* b was alone by chance: a needs one more of its own */
		{{"a", "ab", "bc", "bd"}, "ab"},
		{{"ab", "a", "b"}, "ab"},
		/* one that is fused already, and was sent before that */
		{{"ab", "ac", "ad", "ad"}, "a"},
		{{"a", "a", "ab", "ab", "ab"}, "a"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char got[16] = "";
		size_t n = 0;
		uint64_t now_ns = T0;

		(void)clear(state);
		for (size_t k = 0; k < 5 && rows[i].deaths[k]; k++) {
			const char *word = rows[i].deaths[k];
			struct fuse_key keys[8];
			bool fused[8];

			now_ns += NS_PER_S;
			for (size_t c = 0; word[c]; c++)
				keys[c] = (struct fuse_key){(uint64_t)word[c], 1};
			fuse_died(&f, keys, strlen(word), now_ns, fused);
		}
		for (char c = 'a'; c <= 'h'; c++)
			if (fuse_left_ns(&f, &(struct fuse_key){(uint64_t)c, 1}, now_ns) > 0)
				got[n++] = c;
		if (strcmp(got, rows[i].fused) != 0)
			fail_msg("row %zu: \"%s\" instead of \"%s\"", i, got, rows[i].fused);
	}
}

static void more_than_the_table_holds_are_not_looked_at(void **state)
{
	struct fuse_key keys[FUSE_ENTRIES + 8];
	bool fused[FUSE_ENTRIES + 8] = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		keys[i] = (struct fuse_key){i, i};
	fuse_died(&f, keys, ARRAY_SIZE(keys), T0, fused);
	fuse_died(&f, keys, ARRAY_SIZE(keys), T0 + 1, fused);
	assert_int_equal(f.n, FUSE_ENTRIES);
	assert_true(fused[FUSE_ENTRIES - 1]);
	assert_false(fused[FUSE_ENTRIES]);
}

static void an_answer_in_between_wipes_the_slate(void **state)
{
	(void)state;
	(void)killed(&a, T0);
	fuse_survived(&f, &a);
	assert_int_equal(f.n, 0);
	assert_false(killed(&a, T0 + 1));
	assert_true(killed(&a, T0 + 2));
	fuse_survived(&f, &a); /* it had been sent before */
	assert_int_equal(fuse_left_ns(&f, &a, T0 + 3), 0);
	fuse_survived(&f, &a); /* unknown: nothing happens */
}

static void another_request_or_another_body_is_another_matter(void **state)
{
	static const struct fuse_key others[] = {{1, 3}, {3, 2}, {2, 1}};

	(void)state;
	(void)killed(&a, T0);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		assert_false(killed(&others[i], T0));
		fuse_survived(&f, &others[i]);
	}
	(void)killed(&a, T0);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_int_equal(fuse_left_ns(&f, &others[i], T0), 0);
	assert_int_equal(fuse_left_ns(&f, &a, T0), FUSE_OPEN_NS);
}

static void a_full_table_gives_up_its_oldest_suspect_and_no_fused_one(void **state)
{
	(void)state;
	(void)killed(&a, T0);
	(void)killed(&a, T0);
	for (unsigned i = 0; i < 3 * FUSE_ENTRIES; i++)
		assert_false(killed(&(struct fuse_key){100 + i, 0}, T0 + 1 + i));
	assert_int_equal(f.n, FUSE_ENTRIES);
	assert_int_equal(fuse_left_ns(&f, &a, T0 + 1000), FUSE_OPEN_NS - 1000);
	/* the latest are still suspected, the earliest are not */
	assert_true(killed(&(struct fuse_key){100 + 3 * FUSE_ENTRIES - 1, 0}, T0 + 2000));
	assert_false(killed(&(struct fuse_key){100, 0}, T0 + 2000));
}

static void a_table_full_of_fused_ones_stays_bounded(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * FUSE_ENTRIES; i++) {
		const struct fuse_key key = {i, i};

		(void)killed(&key, T0 + i);
		assert_true(killed(&key, T0 + i));
	}
	assert_int_equal(f.n, FUSE_ENTRIES);
	assert_int_equal(fuse_left_ns(&f, &(struct fuse_key){0, 0}, T0 + 1000), 0);
}

static void clearing_tells_how_many_were_fused(void **state)
{
	(void)state;
	assert_int_equal(fuse_clear(&f, T0), 0);
	(void)killed(&a, T0);
	assert_int_equal(fuse_clear(&f, T0), 0);
	(void)killed(&a, T0);
	(void)killed(&a, T0);
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
		TEST(copies_in_one_worker_are_one),
		TEST(who_shared_a_death_is_a_killer_as_far_as_it_speaks_against_it),
		TEST(more_than_the_table_holds_are_not_looked_at),
		TEST(an_answer_in_between_wipes_the_slate),
		TEST(another_request_or_another_body_is_another_matter),
		TEST(a_full_table_gives_up_its_oldest_suspect_and_no_fused_one),
		TEST(a_table_full_of_fused_ones_stays_bounded),
		TEST(clearing_tells_how_many_were_fused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
