/*
 * stacks: one pipe, many processes; each dump goes to the one that was asked, and a crash to the death that follows.
 */
#include "vassal/pool/stacks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "vassal/exchange/crew.h"

#define T0 (100 * NS_PER_S)

static struct stacks s;

static int clear(void **state)
{
	(void)state;
	s = (struct stacks){0};
	return 0;
}

static bool say(const char *line, uint64_t at_ns)
{
	return stacks_line(&s, line, strlen(line), at_ns);
}

static void ask(unsigned worker, enum stacks_how how, pid_t pid, uint64_t now_ns)
{
	enum stacks_how begun;
	unsigned next;

	stacks_want(&s, worker, how);
	assert_true(stacks_next(&s, &next, &begun));
	assert_int_equal(next, worker);
	assert_int_equal(begun, how);
	stacks_asked(&s, pid, now_ns);
}

static void what_faulthandler_prints_is_known_and_nothing_else(void **state)
{
	static const struct {
		const char *line;
		bool is;
	} rows[] = {
		{"Thread 0x00007f0 (most recent call first):\n", true},
		{"Current thread 0x00007f0 (most recent call first):\n", true},
		{"Stack (most recent call first):\n", true},
		{"  File \"/srv/app.py\", line 3 in view\n", true},
		{"  <no Python frame>\n", true},
		{"  ...\n", true},
		{"Fatal Python error: Segmentation fault\n", true},
		{"Extension modules: a.b (total: 1)\n", true},
		{"Traceback (most recent call last):\n", false},
		{" File \"x\"\n", false},
		{"  File \"/srv/app.py\", line ??? in view\n", true},
		{"  File \"/a\", line x.py\", line 3 in view\n", true},
		{"  File \"/srv/app.py\", line 3, in view\n", false}, /* a traceback's */
		{"  File \"/srv/app.py\", line 3\n", false},          /* a SyntaxError's */
		{"  File \"/srv/app.py\", line \n", false},
		{"  File \"/srv/app.py\", line 3 in", false},
		{"  File ", false},
		{"Thread\n", false},
		{"\n", false},
		{"", false},
		{"the app says Thread 0x1\n", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(stacks_is_line(rows[i].line, strlen(rows[i].line)), rows[i].is);
}

static void one_is_asked_at_a_time_and_those_to_be_killed_first(void **state)
{
	enum stacks_how how;
	unsigned worker;

	(void)state;
	assert_false(stacks_next(&s, &worker, &how));
	stacks_want(&s, 1, STACKS_LOOK);
	stacks_want(&s, 2, STACKS_ALL);
	stacks_want(&s, 2, STACKS_LOOK); /* less than was asked for already */
	assert_true(stacks_next(&s, &worker, &how));
	assert_int_equal(worker, 2);
	assert_int_equal(how, STACKS_ALL);
	assert_false(stacks_next(&s, &worker, &how));
	stacks_end(&s);
	assert_true(stacks_next(&s, &worker, &how));
	assert_int_equal(worker, 1);
	assert_int_equal(how, STACKS_LOOK);
	stacks_end(&s);
	assert_false(stacks_next(&s, &worker, &how));
}

static void lines_of_the_turn_are_kept_and_the_last_one_ends_it(void **state)
{
	(void)state;
	ask(0, STACKS_ALL, 42, T0);
	assert_false(say("Thread 0x1 (most recent call first):\n", T0));
	assert_false(say("the app prints meanwhile\n", T0));
	assert_false(say("  File \"a.py\", line 1 in f\n", T0));
	assert_false(stacks_over(&s, T0));
	assert_true(say(CREW_STACKS_END "42\n", T0));
	assert_true(stacks_over(&s, T0));
	assert_string_equal(s.text, "Thread 0x1 (most recent call first):\n"
				    "  File \"a.py\", line 1 in f\n");
}

static void lines_of_one_who_comes_late_are_not_taken_for_those_of_the_next(void **state)
{
	(void)state;
	ask(0, STACKS_ALL, 42, T0);
	(void)say("  File \"late.py\", line 1 in f\n", T0);
	assert_true(say(CREW_STACKS_END "41\n", T0));
	(void)say("  File \"a.py\", line 1 in f\n", T0);
	assert_true(say(CREW_STACKS_END "42\n", T0));
	assert_string_equal(s.text, "  File \"a.py\", line 1 in f\n");
}

static void a_turn_ends_in_silence(void **state)
{
	(void)state;
	ask(0, STACKS_LOOK, 42, T0);
	assert_false(stacks_over(&s, T0 + STACKS_LOOK_NS - 1));
	assert_true(stacks_over(&s, T0 + STACKS_LOOK_NS));
	(void)say("Stack (most recent call first):\n", T0 + STACKS_LOOK_NS);
	assert_false(stacks_over(&s, T0 + STACKS_LOOK_NS + STACKS_QUIET_NS - 1));
	assert_true(stacks_over(&s, T0 + STACKS_LOOK_NS + STACKS_QUIET_NS));
	stacks_end(&s);
	ask(0, STACKS_ALL, 42, T0);
	assert_string_equal(s.text, "");
	assert_false(stacks_over(&s, T0 + STACKS_CROWDED_NS));
	assert_true(stacks_over(&s, T0 + STACKS_ALL_NS));
	stacks_want(&s, 1, STACKS_ALL); /* who waits may not have so long */
	assert_true(stacks_over(&s, T0 + STACKS_CROWDED_NS));
}

static void a_dump_that_is_too_long_is_cut_at_its_end(void **state)
{
	(void)state;
	ask(0, STACKS_ALL, 42, T0);
	(void)say("Thread 0x1 (most recent call first):\n", T0);
	for (unsigned i = 0; i < 2000; i++)
		(void)say("  File \"/srv/app/views.py\", line 1 in f\n", T0);
	assert_int_equal(strlen(s.text), STACKS_BYTES - 1);
	assert_memory_equal(s.text, "Thread 0x1", 10);
}

static void who_is_gone_is_not_asked(void **state)
{
	enum stacks_how how;
	unsigned worker;

	(void)state;
	stacks_want(&s, 3, STACKS_ALL);
	stacks_drop(&s, 3);
	stacks_drop(&s, 3);
	assert_int_equal(s.waiting, 0);
	assert_false(stacks_next(&s, &worker, &how));
}

static void a_crash_is_kept_for_the_death_that_follows_and_given_once(void **state)
{
	(void)state;
	assert_string_equal(stacks_take_crash(&s, T0), "");
	(void)say("Thread 0x1 (most recent call first):\n", T0); /* nobody asked */
	(void)say("Fatal Python error: Segmentation fault\n", T0);
	(void)say("\n", T0);
	(void)say("Current thread 0x1 (most recent call first):\n", T0);
	(void)say("  File \"a.py\", line 1 in f\n", T0);
	assert_string_equal(stacks_take_crash(&s, T0 + 1),
			    "Fatal Python error: Segmentation fault\n"
			    "Current thread 0x1 (most recent call first):\n"
			    "  File \"a.py\", line 1 in f\n");
	assert_string_equal(stacks_take_crash(&s, T0 + 1), "");
	(void)say("Fatal Python error: Aborted\n", T0); /* of somebody else, long ago */
	assert_string_equal(stacks_take_crash(&s, T0 + STACKS_CRASH_NS), "");
}

static void the_thread_that_is_asked_for_comes_first(void **state)
{
#define A "Thread 0x00007f55bf1436c0 (x):\n  a\n"
#define B "Thread 0x00007f55c014d6c0 (x):\n  b1\n  b2\n"
#define C "Current thread 0x00007f55c1a42040 (x):\n  c\n"
	static const struct {
		const char *text;
		uint64_t thread;
		const char *copy;
	} rows[] = {
		{A B C, 0x7f55c014d6c0, B A C},
		{A B C, 0x7f55c1a42040, C A B},
		{A B C, 0x7f55bf1436c0, A B C},
		{A B C, 0, A B C},
		{A B C, 1, A B C},
		{A "Current thread 0x1 (x):\n  c", 1, "Current thread 0x1 (x):\n  c\n" A},
		{"Stack (x):\n  s\n" A B, 0x7f55c014d6c0, "Stack (x):\n  s\n" A B},
		{"Fatal Python error: Aborted\n" A B, 0x7f55c014d6c0,
		 "Fatal Python error: Aborted\n" A B},
		{"", 1, ""},
	};
	char copy[400], small[10];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		stacks_copy(copy, sizeof(copy), rows[i].text, rows[i].thread);
		assert_string_equal(copy, rows[i].copy);
	}
	stacks_copy(small, sizeof(small), A B, 0x7f55c014d6c0);
	assert_string_equal(small, "Thread 0x");
#undef A
#undef B
#undef C
}

#define TEST(fn) cmocka_unit_test_setup(fn, clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_thread_that_is_asked_for_comes_first),
		TEST(what_faulthandler_prints_is_known_and_nothing_else),
		TEST(one_is_asked_at_a_time_and_those_to_be_killed_first),
		TEST(lines_of_the_turn_are_kept_and_the_last_one_ends_it),
		TEST(lines_of_one_who_comes_late_are_not_taken_for_those_of_the_next),
		TEST(a_turn_ends_in_silence),
		TEST(a_dump_that_is_too_long_is_cut_at_its_end),
		TEST(who_is_gone_is_not_asked),
		TEST(a_crash_is_kept_for_the_death_that_follows_and_given_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
