/* static_types: what an ending is called, by whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "shared/limits.h"
#include "vassal/front/static_types.h"

static const char file[] = "# comment\n"
			   "text/x-python py PYW\n"
			   "text/css css # ours has a charset\n"
			   "  image/x-one\tone\r\n"
			   "image/x-two one two\n"
			   "application/vnd.a+b;q=1 no\n"
			   "nonsense zip\n"
			   "a/b/c cc\n"
			   "empty/none\n"
			   "audio/last last";

static void assert_type(const struct static_types *t, const char *path, const char *type)
{
	struct span found = static_types_find(t, path);

	if (!span_eq(found, span_str(type)))
		fail_msg("%s is %.*s, not %s", path, (int)found.n, found.p, type);
}

static void endings_decide_whatever_their_case(void **state)
{
	struct static_types t = {0};

	(void)state;
	assert_type(&t, "a/b.CSS", "text/css; charset=utf-8");
	assert_type(&t, "x.tar.gz", "application/gzip");
	assert_type(&t, "noending", "application/octet-stream");
	assert_type(&t, "x.", "application/octet-stream");
	assert_type(&t, "a.css/file", "application/octet-stream");
	assert_type(&t, "x.unknown", "application/octet-stream");
	assert_type(&t, "x.anendingthatislongerthanthirtyonebytes", "application/octet-stream");
}

static void a_file_adds_to_the_built_in_ones(void **state)
{
	struct static_types t = {0};

	(void)state;
	assert_int_equal(static_types_add(&t, span_str(file)), 0);
	assert_type(&t, "a.css", "text/css; charset=utf-8");
	assert_type(&t, "a.py", "text/x-python");
	assert_type(&t, "a.pyw", "text/x-python");
	assert_type(&t, "a.one", "image/x-one");
	assert_type(&t, "a.two", "image/x-two");
	assert_type(&t, "a.last", "audio/last");
	assert_type(&t, "a.no", "application/octet-stream");
	assert_type(&t, "a.cc", "application/octet-stream");
	assert_type(&t, "a.zip", "application/zip");
	static_types_done(&t);
}

static void what_the_operator_names_comes_first(void **state)
{
	struct static_types t = {.first = true};

	(void)state;
	assert_int_equal(static_types_add(&t, span_str(file)), 0);
	assert_int_equal(static_types_add(&t, SPAN("x/y css new\n")), 0);
	assert_type(&t, "a.css", "text/css");
	assert_type(&t, "a.new", "x/y");
	assert_type(&t, "a.js", "text/javascript; charset=utf-8");
	static_types_done(&t);
}

static void only_so_many_are_kept(void **state)
{
	struct static_types t = {0};
	char *text = malloc(LIMIT_MIME_TYPES * 16 + 64);
	size_t n = 0;

	(void)state;
	assert_non_null(text);
	for (unsigned i = 0; i <= LIMIT_MIME_TYPES; i++)
		n += (size_t)sprintf(text + n, "x/y e%u\n", i);
	assert_int_equal(static_types_add(&t, span_of(text, n)), 0);
	assert_int_equal(t.n, LIMIT_MIME_TYPES);
	assert_type(&t, "a.e0", "x/y");
	(void)sprintf(text, "a.e%d", LIMIT_MIME_TYPES);
	assert_type(&t, text, "application/octet-stream");
	static_types_done(&t);
	free(text);
}

static void bytes_that_are_no_text_do_no_harm(void **state)
{
	struct static_types t = {0};

	(void)state;
	assert_int_equal(static_types_add(&t, span_of("a/b\0c d\ne/f g\n\0", 15)), 0);
	assert_type(&t, "x.g", "e/f");
	assert_int_equal(static_types_add(&t, SPAN("")), 0);
	static_types_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endings_decide_whatever_their_case),
		cmocka_unit_test(a_file_adds_to_the_built_in_ones),
		cmocka_unit_test(what_the_operator_names_comes_first),
		cmocka_unit_test(only_so_many_are_kept),
		cmocka_unit_test(bytes_that_are_no_text_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
