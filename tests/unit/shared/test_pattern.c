/*
 * test_pattern - what uWSGI's inis say is understood as PCRE understands it, and costs no more than is allowed.
 */
#include "shared/pattern.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "shared/err.h"
#include "shared/limits.h"

static void patterns_match_as_in_pcre(void **state)
{
	static const struct {
		const char *pattern;
		struct span subject;
		int matches;
	} cases[] = {
		{"^/x", SPAN("/x/y"), 1},
		{"^/x", SPAN("/y/x"), 0},
		{"\\d{3,}\\.js$", SPAN("/a.1234.js"), 1},
		{"\\d{3,}\\.js$", SPAN("/a.12.js"), 0},
		{"(?i)\\.CSS", SPAN("/a.css"), 1},
		{"^/(?!admin)", SPAN("/admin"), 0},
		{"/*", SPAN(""), 1},
		{"", SPAN("x"), 1},
		/* a line break neither hides what follows nor ends what is asked for */
		{"^/admin.*x$", SPAN("/admin\n/x"), 1},
		{"y$", SPAN("y\n"), 0},
		{"^a\\x00b$", SPAN("a\0b"), 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pattern *p;
		struct err err = {0};

		if (pattern_new(&p, cases[i].pattern, false, &err) < 0)
			fail_msg("%s", err.text);
		if (pattern_match(p, cases[i].subject, NULL) != cases[i].matches)
			fail_msg("%s and %.*s", cases[i].pattern, (int)cases[i].subject.n,
				 cases[i].subject.p);
		pattern_free(p);
	}
}

static void groups_are_what_has_matched(void **state)
{
	struct span groups[PATTERN_GROUPS], subject = SPAN("ab-cd");
	struct pattern *p;

	(void)state;
	assert_int_equal(pattern_new(&p, "(a)(x)?b-(..)", false, NULL), 0);
	assert_int_equal(pattern_match(p, subject, groups), 1);
	assert_true(span_eq(groups[0], subject));
	assert_true(span_eq(groups[1], SPAN("a")));
	assert_null(groups[2].p);
	assert_true(span_eq(groups[3], SPAN("cd")));
	assert_null(groups[4].p);
	assert_int_equal(pattern_match(p, SPAN("other"), groups), 0);
	assert_true(span_eq(groups[1], SPAN("a")));
	pattern_free(p);
	assert_int_equal(pattern_new(&p, "^ab", true, NULL), 0);
	assert_int_equal(pattern_match(p, SPAN("AB"), NULL), 1);
	pattern_free(p);
	/* more than are kept */
	assert_int_equal(pattern_new(&p, "(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)(k)", false, NULL), 0);
	assert_int_equal(pattern_match(p, SPAN("abcdefghijk"), groups), 1);
	assert_true(span_eq(groups[9], SPAN("i")));
	pattern_free(p);
}

static void what_is_none_is_refused_with_the_place(void **state)
{
	static const char *const cases[] = {"(", "a\\", "[", "(?P<", "a{2,1}", "\\C"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pattern *p;
		struct err err = {0};

		assert_int_equal(pattern_new(&p, cases[i], false, &err), -EINVAL);
		assert_null(p);
		assert_non_null(strstr(err.text, " at byte "));
	}
}

static void a_match_is_bounded(void **state)
{
	static char many[2000];
	struct pattern *p;

	(void)state;
	memset(many, 'a', sizeof(many));
	assert_int_equal(pattern_new(&p, "^(a+)+$", false, NULL), 0);
	assert_int_equal(pattern_match(p, span_of(many, sizeof(many)), NULL), 1);
	many[sizeof(many) - 1] = 'b';
	assert_int_equal(pattern_match(p, span_of(many, sizeof(many)), NULL), -EDOM);
	pattern_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_match_as_in_pcre),
		cmocka_unit_test(groups_are_what_has_matched),
		cmocka_unit_test(what_is_none_is_refused_with_the_place),
		cmocka_unit_test(a_match_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
