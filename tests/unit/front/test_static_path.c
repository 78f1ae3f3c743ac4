/* static_path: which path is which file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vassal/front/static_path.h"

static void a_mount_holds_whole_segments_only(void **state)
{
	static const struct {
		const char *mount, *path, *rest; /* rest NULL: not ours */
	} cases[] = {
		{"/static", "/static/a.css", "a.css"}, {"/static/", "/static/a.css", "a.css"},
		{"/static", "/static/a/b", "a/b"},     {"/static", "/static", ""},
		{"/static", "/static//a", "a"},        {"/static", "/statics/a", NULL},
		{"/static", "/stati", NULL},           {"/static", "/", NULL},
		{"/", "/favicon.ico", "favicon.ico"},  {"", "/favicon.ico", "favicon.ico"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct span rest;
		bool ours = static_path_match(cases[i].mount, span_str(cases[i].path), &rest);

		assert_int_equal(ours, cases[i].rest != NULL);
		if (ours)
			assert_true(span_eq(rest, span_str(cases[i].rest)));
	}
}

static void only_names_below_the_directory_are_decoded(void **state)
{
	static const struct {
		const char *rest, *path; /* path NULL: refused */
	} cases[] = {
		{"a.css", "a.css"},   {"a%20b.css", "a b.css"},
		{"%41/%62", "A/b"},   {"..a/b..", "..a/b.."},
		{"...", "..."},       {"%2fetc/passwd", "etc/passwd"},
		{"%2f%2fetc", "etc"}, {"", NULL},
		{"a/", NULL},         {"..", NULL},
		{"../x", NULL},       {"a/../x", NULL},
		{"a/..", NULL},       {"%2e%2e/x", NULL},
		{"a%2f..%2fx", NULL}, {"a%00b", NULL},
		{"a%", NULL},         {"a%4", NULL},
		{"a%zz", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char buf[LIMIT_STATIC_PATH];
		bool ok = static_path_decode(span_str(cases[i].rest), buf);

		assert_int_equal(ok, cases[i].path != NULL);
		if (ok)
			assert_string_equal(buf, cases[i].path);
	}
}

static void a_path_longer_than_the_limit_is_refused(void **state)
{
	char raw[LIMIT_STATIC_PATH + 10], buf[LIMIT_STATIC_PATH];

	(void)state;
	memset(raw, 'a', sizeof(raw));
	assert_true(static_path_decode(span_of(raw, LIMIT_STATIC_PATH - 1), buf));
	assert_false(static_path_decode(span_of(raw, LIMIT_STATIC_PATH), buf));
}

static void types_come_from_the_ending_whatever_its_case(void **state)
{
	(void)state;
	assert_true(span_eq(static_path_type("a/b.CSS"), SPAN("text/css; charset=utf-8")));
	assert_true(span_eq(static_path_type("x.tar.gz"), SPAN("application/gzip")));
	assert_true(span_eq(static_path_type("noending"), SPAN("application/octet-stream")));
	assert_true(span_eq(static_path_type("x."), SPAN("application/octet-stream")));
}

static void a_tag_is_found_in_a_list_and_weakly(void **state)
{
	static const struct {
		const char *field;
		bool match;
	} cases[] = {
		{"\"a\"", true},  {"W/\"a\"", true}, {"\"b\", \"a\"", true}, {"*", true},
		{"\"b\"", false}, {"", false},       {"\"aa\"", false},      {"a", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(static_path_none_match(span_str(cases[i].field), SPAN("\"a\"")),
				 cases[i].match);
}

static void only_the_fixed_date_format_is_a_date(void **state)
{
	(void)state;
	assert_int_equal(static_path_date(SPAN("Sun, 06 Nov 1994 08:49:37 GMT")), 784111777);
	assert_int_equal(static_path_date(SPAN("yesterday")), -1);
	assert_int_equal(static_path_date(SPAN("Sun, 06 Nov 1994 08:49:37 GMT and more than fits")),
			 -1);
	assert_int_equal(static_path_date(SPAN("")), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mount_holds_whole_segments_only),
		cmocka_unit_test(only_names_below_the_directory_are_decoded),
		cmocka_unit_test(a_path_longer_than_the_limit_is_refused),
		cmocka_unit_test(types_come_from_the_ending_whatever_its_case),
		cmocka_unit_test(a_tag_is_found_in_a_list_and_weakly),
		cmocka_unit_test(only_the_fixed_date_format_is_a_date),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
