/*
 * test_spec - how an ini names its app, and what of a traceback an operator is shown.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/err.h"
#include "vassal/engine/spec.h"

static void a_module_line_is_taken_apart(void **state)
{
	static const struct {
		const char *text, *module, *object;
		bool call, good;
	} cases[] = {
		{"app", "app", "", false, true},
		{"pkg.mod", "pkg.mod", "", false, true},
		{"pkg.mod:obj", "pkg.mod", "obj", false, true},
		{" pkg.mod : obj.attr ", "pkg.mod", "obj.attr", false, true},
		{"pkg:make()", "pkg", "make", true, true},
		{"pkg:a.make ()", "pkg", "a.make", true, true},
		{"m\xc3\xbcll", "m\xc3\xbcll", "", false, true},
		{"", "", "", false, false},
		{":obj", "", "", false, false},
		{"pkg:", "", "", false, false},
		{"pkg..mod", "", "", false, false},
		{".mod", "", "", false, false},
		{"mod.", "", "", false, false},
		{"1mod", "", "", false, false},
		{"dir/mod", "", "", false, false},
		{"pkg:make(1)", "", "", false, false},
		{"pkg:make)", "", "", false, false},
		{"pkg:()", "", "", false, false},
		{"pkg:a:b", "", "", false, false},
		{"pkg:a b", "", "", false, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct spec s = {0};
		struct err err = {0};
		int r = spec_parse(cases[i].text, &s, &err);

		if ((r == 0) != cases[i].good || !str_eq(s.module, cases[i].module) ||
		    !str_eq(s.object, cases[i].object) || s.call != cases[i].call)
			fail_msg("\"%s\": %d %s|%s", cases[i].text, r, s.module, s.object);
		assert_int_equal(err.text[0] != '\0', !cases[i].good);
	}
}

static void a_module_line_of_any_length_is_bounded(void **state)
{
	char text[2 * SPEC_MAX];
	struct spec s;

	(void)state;
	memset(text, 'a', sizeof(text));
	text[SPEC_MAX - 1] = '\0';
	assert_int_equal(spec_parse(text, &s, NULL), 0);
	text[SPEC_MAX - 1] = 'a';
	text[SPEC_MAX] = '\0';
	assert_true(spec_parse(text, &s, NULL) < 0);
}

static void a_file_gets_the_module_name_that_uwsgi_gives_it(void **state)
{
	static const struct {
		const char *path, *name;
	} cases[] = {
		{"app.py", "uwsgi_file_app"},
		{"/srv/my-app/wsgi.py", "uwsgi_file__srv_my_app_wsgi"},
		{"app.wsgi", "uwsgi_file_app_wsgi"},
		{".py", "uwsgi_file__py"},
	};
	char buf[SPEC_MAX];
	char path[2 * SPEC_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		spec_file_module(cases[i].path, buf);
		assert_string_equal(buf, cases[i].name);
	}
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	spec_file_module(path, buf);
	assert_int_equal(strlen(buf), SPEC_MAX - 1);
}

static void the_last_line_of_a_traceback_survives_every_cut(void **state)
{
	static const char text[] =
		"Traceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 'x'\n\n";
	char buf[sizeof(text)];

	(void)state;
	for (size_t size = 14; size <= sizeof(buf); size++) {
		spec_tail(span_str(text), buf, size);
		assert_true(strlen(buf) < size);
		assert_ptr_equal(strstr(buf, "KeyError: 'x'"), buf + strlen(buf) - 13);
		assert_true(buf[0] == 'K' || buf[0] == ' ' || buf[0] == 'T'); /* begins at a line */
	}
	spec_tail(span_str(text), buf, 9);
	assert_string_equal(buf, "KeyError"); /* longer than the room: its beginning */
	spec_tail(SPAN(""), buf, sizeof(buf));
	assert_string_equal(buf, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_module_line_is_taken_apart),
		cmocka_unit_test(a_module_line_of_any_length_is_bounded),
		cmocka_unit_test(a_file_gets_the_module_name_that_uwsgi_gives_it),
		cmocka_unit_test(the_last_line_of_a_traceback_survives_every_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
