/*
 * test_command - lines of control clients, cell by cell.
 */
#include "emperor/control/command.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/err.h"

static void good_lines_mean_what_they_say(void **state)
{
	static const struct {
		const char *line;
		enum command_verb verb;
		const char *app;
		bool all, no_wait;
		unsigned number;
	} cases[] = {
		{"status", COMMAND_STATUS, "", false, false, 0},
		{"status blog", COMMAND_STATUS, "blog", false, false, 0},
		{"  status   blog  ", COMMAND_STATUS, "blog", false, false, 0},
		{"reload my old app", COMMAND_RELOAD, "my old app", false, false, 0},
		{"reload --all", COMMAND_RELOAD, "", true, false, 0},
		{"reload --no-wait --all", COMMAND_RELOAD, "", true, true, 0},
		{"reload --no-wait blog", COMMAND_RELOAD, "blog", false, true, 0},
		{"stop --no-waiting", COMMAND_STOP, "--no-waiting", false, false, 0},
		{"start b\xc3\xbc"
		 "cher",
		 COMMAND_START,
		 "b\xc3\xbc"
		 "cher",
		 false, false, 0},
		{"reopen", COMMAND_REOPEN, "", false, false, 0},
		{"board blog", COMMAND_BOARD, "blog", false, false, 0},
		{"version", COMMAND_VERSION, "", false, false, 0},
		{"unfuse blog", COMMAND_UNFUSE, "blog", false, false, 0},
		{"where", COMMAND_WHERE, "", false, false, 0},
		{"scale 4 my old app", COMMAND_SCALE, "my old app", false, false, 4},
		{"scale --no-wait 0 4", COMMAND_SCALE, "4", false, true, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct command c;
		struct err err = {0};

		if (command_parse(span_str(cases[i].line), &c, &err) < 0)
			fail_msg("\"%s\": %s", cases[i].line, err.text);
		if (c.verb != cases[i].verb || strcmp(c.app, cases[i].app) != 0 ||
		    c.number != cases[i].number || c.all != cases[i].all ||
		    c.no_wait != cases[i].no_wait)
			fail_msg("\"%s\": %s \"%s\"", cases[i].line, command_name(c.verb), c.app);
	}
}

static void bad_lines_are_refused_with_a_reason(void **state)
{
	static const char *const cases[] = {
		"",
		" ",
		"statu",
		"statusx",
		"STATUS",
		"status --all",
		"status --no-wait",
		"reload",
		"reload --no-wait",
		"stop",
		"stop --all",
		"start",
		"board",
		"version now",
		"where x",
		"unfuse",
		"unfuse --all",
		"unfuse --no-wait blog",
		"scale",
		"scale blog",
		"scale blog 4",
		"scale 4",
		"scale -1 blog",
		"scale 4x blog",
		"scale 1000000 blog",
		"scale 4 --all",
		"stop a/b",
		"stop a\tb",
		"stop a\x7f",
		"status ../x",
		"status\tblog",
		"stop 0123456789012345678901234567890123456789012345678901234567890123",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct command c = {.verb = COMMAND_COUNT};
		struct err err = {0};

		if (command_parse(span_str(cases[i]), &c, &err) != -EINVAL || !err.text[0])
			fail_msg("\"%s\" was let in", cases[i]);
		assert_int_equal(c.verb, COMMAND_COUNT);
	}
}

static void the_longest_name_fits(void **state)
{
	char line[5 + LIMIT_NAME] = "stop ";
	struct command c;

	(void)state;
	memset(line + 5, 'n', LIMIT_NAME - 1);
	assert_int_equal(command_parse(span_of(line, 5 + LIMIT_NAME - 1), &c, NULL), 0);
	assert_int_equal(strlen(c.app), LIMIT_NAME - 1);
}

static void what_is_commanded_of_an_app_means_its_file_as_it_is_now(void **state)
{
	static const struct {
		const char *line;
		bool looks;
	} rows[] = {
		{"reload blog", true}, {"reload --all", true},  {"start blog", true},
		{"stop blog", true},   {"rollback blog", true}, {"scale 2 blog", true},
		{"unfuse blog", true}, {"ini blog", true},      {"plan /staged", true},
		{"plan", false},       {"status", false},       {"status blog", false},
		{"reopen", false},     {"board blog", false},   {"version", false},
		{"where", false},      {"upgrade", false},      {"upgrade /x", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct command c;

		assert_int_equal(command_parse(span_str(rows[i].line), &c, NULL), 0);
		if (command_looks(&c) != rows[i].looks)
			fail_msg("\"%s\"", rows[i].line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_commanded_of_an_app_means_its_file_as_it_is_now),
		cmocka_unit_test(good_lines_mean_what_they_say),
		cmocka_unit_test(bad_lines_are_refused_with_a_reason),
		cmocka_unit_test(the_longest_name_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
