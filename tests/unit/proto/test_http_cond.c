/* http_cond: RFC 9110 13, cell by cell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vassal/proto/http_cond.h"
#include "vassal/proto/http_date.h"

#define SAME   "Sun, 06 Nov 1994 08:49:37 GMT" /* 784111777, when the file was changed */
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define AFTER  "Sun, 06 Nov 1994 08:49:38 GMT"

static const struct http_validators file = {
	.etag = {"\"a,b\"", 5}, .modified_s = 784111777, .now_s = 1795230492};

static struct http_lines lines(const char *one)
{
	struct http_lines l = {0};

	if (one)
		http_lines_add(&l, span_str(one));
	return l;
}

static void the_order_is_that_of_the_standard(void **state)
{
	static const struct {
		const char *match, *unmodified, *none_match, *modified;
		enum http_cond_result result;
	} cases[] = {
		{NULL, NULL, NULL, NULL, HTTP_COND_GO},
		/* If-Match: strong comparison (13.1.1) */
		{"\"a,b\"", NULL, NULL, NULL, HTTP_COND_GO},
		{"*", NULL, NULL, NULL, HTTP_COND_GO},
		{"\"x\", \"a,b\"", NULL, NULL, NULL, HTTP_COND_GO},
		{",, \"x\" ,\"a,b\"", NULL, NULL, NULL, HTTP_COND_GO},
		{"\"x\"", NULL, NULL, NULL, HTTP_COND_FAILED},
		{"W/\"a,b\"", NULL, NULL, NULL, HTTP_COND_FAILED},
		{"a,b", NULL, NULL, NULL, HTTP_COND_FAILED},
		{"\"a", NULL, NULL, NULL, HTTP_COND_FAILED},
		{"\"x\" \"a,b\"", NULL, NULL, NULL, HTTP_COND_FAILED},
		{"\"x\"*", NULL, NULL, NULL, HTTP_COND_FAILED},
		/* If-Unmodified-Since (13.1.4), which If-Match silences (13.2.2) */
		{NULL, SAME, NULL, NULL, HTTP_COND_GO},
		{NULL, AFTER, NULL, NULL, HTTP_COND_GO},
		{NULL, BEFORE, NULL, NULL, HTTP_COND_FAILED},
		{NULL, "yesterday", NULL, NULL, HTTP_COND_GO},
		{"\"a,b\"", BEFORE, NULL, NULL, HTTP_COND_GO},
		{"\"x\"", AFTER, NULL, NULL, HTTP_COND_FAILED},
		/* If-None-Match: weak comparison (13.1.2) */
		{NULL, NULL, "\"a,b\"", NULL, HTTP_COND_NOT_MODIFIED},
		{NULL, NULL, "W/\"a,b\"", NULL, HTTP_COND_NOT_MODIFIED},
		{NULL, NULL, "*", NULL, HTTP_COND_NOT_MODIFIED},
		{NULL, NULL, "\"x\", W/\"a,b\"", NULL, HTTP_COND_NOT_MODIFIED},
		{NULL, NULL, "\"a\", \"b\"", NULL, HTTP_COND_GO},
		{NULL, NULL, "w/\"a,b\"", NULL, HTTP_COND_GO},
		{NULL, NULL, "", NULL, HTTP_COND_GO},
		/* If-Modified-Since (13.1.3), which If-None-Match silences */
		{NULL, NULL, NULL, SAME, HTTP_COND_NOT_MODIFIED},
		{NULL, NULL, NULL, AFTER, HTTP_COND_NOT_MODIFIED},
		{NULL, NULL, NULL, BEFORE, HTTP_COND_GO},
		{NULL, NULL, NULL, "never", HTTP_COND_GO},
		{NULL, NULL, "\"x\"", AFTER, HTTP_COND_GO},
		{NULL, NULL, "\"a,b\"", BEFORE, HTTP_COND_NOT_MODIFIED},
		/* refusal comes first */
		{"\"x\"", NULL, "\"a,b\"", NULL, HTTP_COND_FAILED},
		{NULL, BEFORE, NULL, SAME, HTTP_COND_FAILED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_cond c = {.match = lines(cases[i].match),
				      .unmodified_since = lines(cases[i].unmodified),
				      .none_match = lines(cases[i].none_match),
				      .modified_since = lines(cases[i].modified)};

		if (http_cond_check(&c, &file) != cases[i].result)
			fail_msg("case %zu", i);
	}
}

static void tags_may_come_in_several_lines_and_dates_may_not(void **state)
{
	struct http_cond c = {0};

	(void)state;
	http_lines_add(&c.none_match, SPAN("\"x\""));
	http_lines_add(&c.none_match, SPAN("\"a,b\""));
	assert_int_equal(http_cond_check(&c, &file), HTTP_COND_NOT_MODIFIED);
	c = (struct http_cond){0};
	http_lines_add(&c.modified_since, SPAN(SAME));
	http_lines_add(&c.modified_since, SPAN(SAME));
	assert_int_equal(http_cond_check(&c, &file), HTTP_COND_GO);
	for (unsigned i = 0; i < 100; i++)
		http_lines_add(&c.match, SPAN("\"x\""));
	assert_int_equal(c.match.n, LIMIT_FIELD_LINES);
}

static void what_is_unknown_is_no_condition(void **state)
{
	const struct http_validators bare = {.modified_s = HTTP_DATE_NONE, .now_s = file.now_s};
	struct http_cond c = {.modified_since = lines(AFTER), .unmodified_since = lines(BEFORE)};

	(void)state;
	assert_int_equal(http_cond_check(&c, &bare), HTTP_COND_GO);
	c = (struct http_cond){.none_match = lines("\"a\"")};
	assert_int_equal(http_cond_check(&c, &bare), HTTP_COND_GO);
	c = (struct http_cond){.match = lines("\"a\"")};
	assert_int_equal(http_cond_check(&c, &bare), HTTP_COND_FAILED);
}

static void a_range_counts_if_the_client_has_this_very_file(void **state)
{
	static const struct {
		const char *if_range;
		int64_t now_s;
		bool holds;
	} cases[] = {
		{NULL, 1795230492, true},
		{"\"a,b\"", 1795230492, true},
		{"W/\"a,b\"", 1795230492, false}, /* strong comparison */
		{"\"x\"", 1795230492, false},
		{"\"a,b\", \"x\"", 1795230492, false}, /* no list */
		{"*", 1795230492, false},
		{SAME, 1795230492, true},
		{BEFORE, 1795230492, false},
		{AFTER, 1795230492, false}, /* exact, not "since" */
		{SAME, 784111777, false},   /* changed in this second: a weak date (8.8.2.2) */
		{SAME, 784111778, true},
		{"", 1795230492, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_cond c = {.if_range = lines(cases[i].if_range)};
		struct http_validators v = file;

		v.now_s = cases[i].now_s;
		if (http_cond_range_holds(&c, &v) != cases[i].holds)
			fail_msg("case %zu", i);
	}
}

static void a_weak_tag_allows_no_range(void **state)
{
	const struct http_validators weak = {.etag = SPAN("W/\"a\""), .modified_s = HTTP_DATE_NONE};
	struct http_cond c = {.if_range = lines("W/\"a\"")};

	(void)state;
	assert_false(http_cond_range_holds(&c, &weak));
	http_lines_add(&c.if_range, SPAN("W/\"a\""));
	assert_false(http_cond_range_holds(&c, &weak));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_order_is_that_of_the_standard),
		cmocka_unit_test(tags_may_come_in_several_lines_and_dates_may_not),
		cmocka_unit_test(what_is_unknown_is_no_condition),
		cmocka_unit_test(a_range_counts_if_the_client_has_this_very_file),
		cmocka_unit_test(a_weak_tag_allows_no_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
