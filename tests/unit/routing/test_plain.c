/* test_plain - one name for a path and a target, however they are written. */
#include "vassal/routing/plain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void one_place_has_one_name(void **state)
{
	static const struct {
		const char *path, *uri, *plain_path, *plain_uri;
	} rows[] = {
		{"/a/b", "/a/b?c", "/a/b", "/a/b?c"},
		{"//a///b//", "//a///b//?c//d", "/a/b/", "//a///b//?c//d"},
		{"", "/blog", "/", "/blog"},
		{"", "*", "/", "*"},
		{"/x", "http://a.test/x?y=://z", "/x", "/x?y=://z"},
		{"/", "HTTPS://a.test:1", "/", "/"},
		{"/", "http://a.test?y", "/", "?y"},
		{"/x", "/x?to=http://b.test/", "/x", "/x?to=http://b.test/"},
		{"/a/../b", "/a/../b", "/a/../b", "/a/../b"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t buf[512];
		struct vars vars;
		size_t n;

		vars_init(&vars, buf, sizeof(buf));
		vars_add(&vars, SPAN("PATH_INFO"), span_str(rows[i].path));
		vars_add(&vars, SPAN("REQUEST_URI"), span_str(rows[i].uri));
		n = vars.n;
		plain_vars(&vars);
		assert_true(span_eq(plain_variable(&vars, SPAN("PATH_INFO")),
				    span_str(rows[i].plain_path)));
		assert_true(span_eq(plain_variable(&vars, SPAN("REQUEST_URI")),
				    span_str(rows[i].plain_uri)));
		/* what the app gets is untouched */
		vars.n = n;
		assert_true(
			span_eq(plain_variable(&vars, SPAN("PATH_INFO")), span_str(rows[i].path)));
		assert_true(
			span_eq(plain_variable(&vars, SPAN("REQUEST_URI")), span_str(rows[i].uri)));
	}
}

static void what_does_not_fit_is_said(void **state)
{
	uint8_t buf[2 * (VARS_ITEM_HEAD + 9 + 4)];
	struct vars vars;

	(void)state;
	vars_init(&vars, buf, sizeof(buf));
	vars_add(&vars, SPAN("PATH_INFO"), SPAN("//ab"));
	plain_vars(&vars);
	assert_true(vars.overflow);
	assert_true(span_eq(plain_variable(&vars, SPAN("HTTP_HOST")), span_of("", 0)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_place_has_one_name),
		cmocka_unit_test(what_does_not_fit_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
