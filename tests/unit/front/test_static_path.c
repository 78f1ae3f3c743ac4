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
		{"/static", "/static/a.css", "a.css"},
		{"/static/", "/static/a.css", "a.css"},
		{"/static", "/static/a/b", "a/b"},
		{"/static", "/static", ""},
		{"/static", "/static//a", "a"},
		{"/static", "/statics/a", NULL},
		{"/static", "/stati", NULL},
		{"/static", "/", NULL},
		{"/", "/favicon.ico", "favicon.ico"},
		{"", "/favicon.ico", "favicon.ico"},
		{"", "*", "*"},
		/* as apps see it, however it was written */
		{"/my files", "/my%20files/a%20b", "a%20b"},
		{"/\xc3\xa9", "/%c3%A9/a", "a"},
		{"/~joe", "/%7Ejoe/a", "a"},
		{"/~joe", "/~joe/a", "a"},
		{"/static", "/%73tatic/a", "a"},
		{"/static", "/static%2Fa", "a"},
		{"/a/b", "/a%2fb/c", "c"},
		{"/static", "/static%2Dold/a", NULL},
		{"/static", "/static%", NULL},
		{"/static", "/stat%6", NULL},
		{"/static", "/static%00/a", NULL},
		{"/a%20b", "/a%20b/c", NULL},
		{"/a%20b", "/a%2520b/c", "c"},
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
		bool directory;
	} cases[] = {
		{"a.css", "a.css", false},
		{"a%20b.css", "a b.css", false},
		{"%41/%62", "A/b", false},
		{"a..b/b..", "a..b/b..", false},
		{"%2fetc/passwd", "etc/passwd", false},
		{"%2f%2fetc", "etc", false},
		{"a//b%2f/c", "a/b/c", false},
		{"", "", false},
		{"a/", "a", true},
		{"a%2f", "a", true},
		{"a//", "a", true},
		{"/", "", false},
		{".well-known/acme", ".well-known/acme", false},
		{"a/.well-known", "a/.well-known", false},
		/* nothing that begins with a dot */
		{"...", NULL, false},
		{".", NULL, false},
		{"..", NULL, false},
		{".git/config", NULL, false},
		{"a/.env", NULL, false},
		{"a/%2eenv", NULL, false},
		{".well-knownx", NULL, false},
		{"../x", NULL, false},
		{"a/../x", NULL, false},
		{"a/..", NULL, false},
		{"%2e%2e/x", NULL, false},
		{"a%2f..%2fx", NULL, false},
		/* no path at all */
		{"a%00b", NULL, false},
		{"a%", NULL, false},
		{"a%4", NULL, false},
		{"a%zz", NULL, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char buf[LIMIT_STATIC_PATH];
		bool directory;
		bool ok = static_path_decode(span_str(cases[i].rest), buf, &directory);

		if (ok != (cases[i].path != NULL) || (ok && strcmp(buf, cases[i].path) != 0) ||
		    (ok && directory != cases[i].directory))
			fail_msg("\"%s\"", cases[i].rest);
	}
}

static void a_path_of_the_app_keeps_its_slash(void **state)
{
	static const struct {
		const char *raw, *path; /* path NULL: refused */
	} cases[] = {
		{"/a%20b", "/a b"}, {"//a//b", "/a/b"},     {"/a/.b", "/a/.b"},
		{"a", "a"},         {"/a/../b", "/a/../b"}, /* whoever asks looks for those */
		{"/a%00", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char buf[LIMIT_STATIC_PATH];
		bool directory;
		bool ok = static_path_unescape(span_str(cases[i].raw), buf, &directory);

		assert_int_equal(ok, cases[i].path != NULL);
		if (ok)
			assert_string_equal(buf, cases[i].path);
	}
}

static void a_path_longer_than_the_limit_is_refused(void **state)
{
	char raw[LIMIT_STATIC_PATH + 10], buf[LIMIT_STATIC_PATH];
	bool directory;

	(void)state;
	memset(raw, 'a', sizeof(raw));
	assert_true(static_path_decode(span_of(raw, LIMIT_STATIC_PATH - 1), buf, &directory));
	assert_false(static_path_decode(span_of(raw, LIMIT_STATIC_PATH), buf, &directory));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mount_holds_whole_segments_only),
		cmocka_unit_test(only_names_below_the_directory_are_decoded),
		cmocka_unit_test(a_path_of_the_app_keeps_its_slash),
		cmocka_unit_test(a_path_longer_than_the_limit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
