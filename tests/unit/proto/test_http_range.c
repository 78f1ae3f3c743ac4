/* http_range: RFC 9110 14.1 and 14.2 against a file of 1000 bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "vassal/proto/http_range.h"

static void each_set_is_resolved_or_ignored(void **state)
{
	static const struct {
		const char *field;
		enum http_range_result result;
		const char *ranges; /* "first+n ..." */
	} cases[] = {
		{"bytes=0-0", HTTP_RANGE_PART, "0+1 "},
		{"bytes=0-999", HTTP_RANGE_PART, "0+1000 "},
		{"bytes=0-", HTTP_RANGE_PART, "0+1000 "},
		{"bytes=500-", HTTP_RANGE_PART, "500+500 "},
		{"bytes=999-", HTTP_RANGE_PART, "999+1 "},
		{"bytes=990-5000", HTTP_RANGE_PART, "990+10 "},
		{"bytes=-1", HTTP_RANGE_PART, "999+1 "},
		{"bytes=-1000", HTTP_RANGE_PART, "0+1000 "},
		{"bytes=-5000", HTTP_RANGE_PART, "0+1000 "},
		{"BYTES=1-2", HTTP_RANGE_PART, "1+2 "},
		{"bytes= 1-2 , 5-6 ", HTTP_RANGE_PART, "1+2 5+2 "},
		{"bytes=,,1-2,,5-6,", HTTP_RANGE_PART, "1+2 5+2 "},
		{"bytes=5-6,1-2", HTTP_RANGE_PART, "5+2 1+2 "},
		{"bytes=0-1,-1", HTTP_RANGE_PART, "0+2 999+1 "},
		{"bytes=1000-,5-6", HTTP_RANGE_PART, "5+2 "},
		{"bytes=0-18446744073709551616", HTTP_RANGE_PART, "0+1000 "},
		{"bytes=-99999999999999999999999", HTTP_RANGE_PART, "0+1000 "},
		{"bytes=1000-", HTTP_RANGE_UNSATISFIABLE, ""},
		{"bytes=1000-2000,-0", HTTP_RANGE_UNSATISFIABLE, ""},
		{"bytes=-0", HTTP_RANGE_UNSATISFIABLE, ""},
		{"bytes=99999999999999999999-", HTTP_RANGE_UNSATISFIABLE, ""},
		/* another unit, or malformed: as if it had not come (14.2) */
		{"", HTTP_RANGE_WHOLE, ""},
		{"items=0-1", HTTP_RANGE_WHOLE, ""},
		{"bytes 0-1", HTTP_RANGE_WHOLE, ""},
		{"bytes=", HTTP_RANGE_WHOLE, ""},
		{"bytes=,", HTTP_RANGE_WHOLE, ""},
		{"bytes=-", HTTP_RANGE_WHOLE, ""},
		{"bytes=5", HTTP_RANGE_WHOLE, ""},
		{"bytes=6-5", HTTP_RANGE_WHOLE, ""},
		{"bytes=1-2,6-5", HTTP_RANGE_WHOLE, ""},
		{"bytes=1-2 5-6", HTTP_RANGE_WHOLE, ""},
		{"bytes=1-2,x", HTTP_RANGE_WHOLE, ""},
		{"bytes=0x1-2", HTTP_RANGE_WHOLE, ""},
		{"bytes=+1-2", HTTP_RANGE_WHOLE, ""},
		{"bytes=1--2", HTTP_RANGE_WHOLE, ""},
		{"bytes=1 -2", HTTP_RANGE_WHOLE, ""},
		/* together more than the whole */
		{"bytes=0-,0-0", HTTP_RANGE_WHOLE, ""},
		{"bytes=0-600,400-999", HTTP_RANGE_WHOLE, ""},
		{"bytes=0-499,500-999", HTTP_RANGE_PART, "0+500 500+500 "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_ranges r;
		char text[512];
		size_t n = 0;
		enum http_range_result result =
			http_range_parse(span_str(cases[i].field), 1000, &r);

		text[0] = '\0';
		for (unsigned k = 0; k < r.n; k++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%llu+%llu ",
					      (unsigned long long)r.v[k].first,
					      (unsigned long long)r.v[k].n);
		if (result != cases[i].result || strcmp(text, cases[i].ranges) != 0)
			fail_msg("\"%s\": %d, %s", cases[i].field, (int)result, text);
	}
}

static void only_so_many_are_served(void **state)
{
	char field[1024] = "bytes=";
	struct http_ranges r;

	(void)state;
	for (unsigned i = 0; i < LIMIT_RANGES; i++)
		(void)snprintf(field + strlen(field), sizeof(field) - strlen(field), "%u-%u,",
			       10 * i, 10 * i);
	assert_int_equal(http_range_parse(span_str(field), 1000, &r), HTTP_RANGE_PART);
	assert_int_equal(r.n, LIMIT_RANGES);
	strcat(field, "999-");
	assert_int_equal(http_range_parse(span_str(field), 1000, &r), HTTP_RANGE_WHOLE);
	assert_int_equal(r.n, 0);
}

static void nothing_has_no_parts(void **state)
{
	struct http_ranges r;

	(void)state;
	assert_int_equal(http_range_parse(SPAN("bytes=0-"), 0, &r), HTTP_RANGE_WHOLE);
	assert_int_equal(http_range_parse(SPAN("bytes=-1"), 0, &r), HTTP_RANGE_WHOLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_set_is_resolved_or_ignored),
		cmocka_unit_test(only_so_many_are_served),
		cmocka_unit_test(nothing_has_no_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
