/*
 * test_config_diff - what a change of an ini costs: nothing that needs a new generation may pass for a limit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "shared/config_diff.h"
#include "shared/err.h"
#include "shared/vassal_config.h"

/* "key = value" lines; without '=' a key alone. */
static void parse(const char *text, struct config_items *ret)
{
	char copy[512];
	char *save;

	(void)snprintf(copy, sizeof(copy), "%s", text);
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *eq = strstr(line, " = ");

		if (eq)
			*eq = '\0';
		assert_int_equal(
			config_items_add(ret, line, eq ? eq + 3 : "", "x.ini", 1, eq, NULL), 0);
	}
}

static void each_change_costs_what_its_option_says(void **state)
{
	static const struct {
		const char *was, *now;
		size_t n;
		bool live;
		const char *text;
	} cases[] = {
		{"module = a", "module = a", 0, true, ""},
		{"harakiri = 5", "harakiri = 6", 1, true, "harakiri: 5 -> 6"},
		{"module = a", "module = a\nharakiri = 6", 1, true, "harakiri: 0 -> 6"},
		{"harakiri = 5\nqueue-size = 9", "queue-size = 8", 2, true,
		 "harakiri: 5 -> 0, queue-size: 9 -> 8"},
		{"harakiri = 0", "module = a\nharakiri = 0", 1, false, "module: (none) -> a"},
		{"module = a\nharakiri = 5", "module = b\nharakiri = 6", 2, false,
		 "module: a -> b, harakiri: 5 -> 6"},
		{"sleep-after = 60", "sleep-after = 5\nlimit-memory = 1G", 2, true,
		 "sleep-after: 60 -> 5, limit-memory: 0 -> 1G"},
		/* by another name, or said outright: the same */
		{"http-keepalive = 5", "keepalive = 5", 0, true, ""},
		{"queue-timeout = 60", "", 0, true, ""},
		{"disable-logging", "disable-logging = true", 0, true, ""},
		/* the last one counts */
		{"harakiri = 1\nharakiri = 2", "harakiri = 2", 0, true, ""},
		/* lists are compared in their order */
		{"env = A=1\nenv = B=2", "env = A=1\nenv = B=2", 0, true, ""},
		{"env = A=1\nenv = B=2", "env = B=2\nenv = A=1", 1, false,
		 "env: A=1, B=2 -> B=2, A=1"},
		{"env = A=1", "env = A=1\nenv = B=2", 1, false, "env: A=1 -> A=1, B=2"},
		/* what a socket speaks depends on the line before it */
		{"protocol = http\nsocket = /s\nharakiri = 1",
		 "socket = /s\nprotocol = http\nharakiri = 2", 2, false,
		 "harakiri: 1 -> 2, order of lines: as it was -> another"},
		/* what means nothing here is no change, nor is a placeholder */
		{"master = true", "vacuum = true", 0, true, ""},
		{"root = /a", "root = /b", 0, true, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config_items was = {0}, now = {0};
		struct config_diff d;
		char text[256];

		parse(cases[i].was, &was);
		parse(cases[i].now, &now);
		assert_int_equal(config_diff(&was, &now, &d, NULL), 0);
		assert_string_equal(config_diff_text(&d, text, sizeof(text)), cases[i].text);
		assert_int_equal(d.n, cases[i].n);
		if (d.live != cases[i].live)
			fail_msg("%s", cases[i].now);
		config_diff_done(&d);
		config_items_done(&was);
		config_items_done(&now);
	}
}

static void a_text_that_is_too_long_is_cut(void **state)
{
	struct config_items was = {0}, now = {0};
	struct config_diff d;
	char text[12];

	(void)state;
	parse("harakiri = 5", &was);
	parse("harakiri = 6\nqueue-size = 7", &now);
	assert_int_equal(config_diff(&was, &now, &d, NULL), 0);
	assert_string_equal(config_diff_text(&d, text, sizeof(text)), "harakiri: 5");
	config_diff_done(&d);
	config_items_done(&was);
	config_items_done(&now);
}

static void live_options_are_taken_over_and_nothing_else_is(void **state)
{
	struct config_items was = {0}, now = {0};
	struct inifile_notes notes = {0};
	struct vassal_config c;

	(void)state;
	parse("module = a\nharakiri = 5\nqueue-size = 9\nthreads = 2\nslow-request = 3", &was);
	parse("module = b\nqueue-size = 8\nthreads = 3\nharakiri = 2\nslow-request = 3\n"
	      "keepalive = false\ndisable-logging",
	      &now);
	assert_int_equal(vassal_config_build(&was, &c, &notes, NULL), 0);
	assert_int_equal(vassal_config_take_live(&c, &now, NULL), 0);
	assert_string_equal(c.module, "a");
	assert_int_equal(c.threads, 2);
	assert_int_equal(c.harakiri_s, 2);
	assert_int_equal(c.slow_request_s, 0); /* harakiri says more, and sooner */
	assert_int_equal(c.queue_size, 8);
	assert_int_equal(c.keepalive_s, 0);
	assert_true(c.disable_logging);
	/* what is no longer said is what it is by default */
	config_items_done(&now);
	parse("module = b", &now);
	assert_int_equal(vassal_config_take_live(&c, &now, NULL), 0);
	assert_int_equal(c.harakiri_s, 0);
	assert_int_equal(c.queue_size, 256);
	assert_int_equal(c.keepalive_s, 75);
	assert_false(c.disable_logging);
	vassal_config_done(&c);
	inifile_notes_done(&notes);
	config_items_done(&was);
	config_items_done(&now);
}

static unsigned sleeps_after(const char *before, const char *live)
{
	struct config_items was = {0}, now = {0};
	struct inifile_notes notes = {0};
	struct vassal_config c;
	unsigned s;

	parse(before, &was);
	parse(live, &now);
	assert_int_equal(vassal_config_build(&was, &c, &notes, NULL), 0);
	assert_int_equal(vassal_config_take_live(&c, &now, NULL), 0);
	s = c.sleep_after_s;
	vassal_config_done(&c);
	inifile_notes_done(&notes);
	config_items_done(&was);
	config_items_done(&now);
	return s;
}

static void who_sleeps_when_idle_follows_a_new_idle_time(void **state)
{
	(void)state;
	assert_int_equal(sleeps_after("module = a\nidle = 60\ndie-on-idle = true",
				      "module = a\nidle = 600\ndie-on-idle = true"),
			 600);
	assert_int_equal(sleeps_after("module = a\nidle = 60\ndie-on-idle = true",
				      "module = a\ndie-on-idle"),
			 0);
	/* one that was asked for by name counts more */
	assert_int_equal(sleeps_after("module = a\nidle = 60\ndie-on-idle = true\nsleep-after = 60",
				      "module = a\nidle = 9\ndie-on-idle = true\nsleep-after = 70"),
			 70);
	assert_int_equal(sleeps_after("module = a\nsleep-after = 60", "module = a"), 0);
	assert_int_equal(sleeps_after("module = a", "module = a\nsleep-after = 60"), 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_change_costs_what_its_option_says),
		cmocka_unit_test(a_text_that_is_too_long_is_cut),
		cmocka_unit_test(live_options_are_taken_over_and_nothing_else_is),
		cmocka_unit_test(who_sleeps_when_idle_follows_a_new_idle_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
