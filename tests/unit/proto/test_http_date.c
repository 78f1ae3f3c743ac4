/* http_date: the three forms of RFC 9110 5.6.7, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vassal/proto/http_date.h"

#define NOW 1795230492 /* 2026-11-21 */

static void each_form_is_read(void **state)
{
	static const struct {
		const char *text;
		int64_t s; /* HTTP_DATE_NONE: no date */
	} cases[] = {
		{"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
		{"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
		{"Sun Nov  6 08:49:37 1994", 784111777},
		{"Wed Nov 16 08:49:37 1994", 784975777},
		{"Thu, 01 Jan 1970 00:00:00 GMT", 0},
		{"Wed, 31 Dec 1969 23:59:59 GMT", -1},
		{"Thu, 29 Feb 2024 12:00:00 GMT", 1709208000},
		{"Tue, 29 Feb 2000 00:00:00 GMT", 951782400},
		{"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799},
		{"Mon, 06 Nov 1994 08:49:37 GMT", 784111777}, /* it was a Sunday */
		{"Sat, 31 Dec 2016 23:59:60 GMT", 1483228800},
		/* two digits: at most 50 years ahead */
		{"Monday, 06-Nov-34 08:49:37 GMT", 2046415777},
		{"Saturday, 06-Nov-76 08:49:37 GMT", 3371878177},
		{"Sunday, 06-Nov-77 08:49:37 GMT", 247654177},
		/* no dates */
		{"", HTTP_DATE_NONE},
		{"0", HTTP_DATE_NONE},
		{"Sun, 06 Nov 1994 08:49:37 UTC", HTTP_DATE_NONE},
		{"Sun, 06 Nov 1994 08:49:37 GMT ", HTTP_DATE_NONE},
		{"Sun, 06 Nov 1994 08:49:37", HTTP_DATE_NONE},
		{"Sun, 6 Nov 1994 08:49:37 GMT", HTTP_DATE_NONE},
		{"sun, 06 nov 1994 08:49:37 gmt", HTTP_DATE_NONE},
		{"Sun, 30 Feb 1994 08:49:37 GMT", HTTP_DATE_NONE},
		{"Thu, 29 Feb 1900 12:00:00 GMT", HTTP_DATE_NONE},
		{"Sun, 00 Nov 1994 08:49:37 GMT", HTTP_DATE_NONE},
		{"Sun, 06 Nov 1994 24:49:37 GMT", HTTP_DATE_NONE},
		{"Sun, 06 Nov 1994 08:60:37 GMT", HTTP_DATE_NONE},
		{"Sun, 06 Nov 0000 08:49:37 GMT", HTTP_DATE_NONE},
		{"Sun, 06-Nov-94 08:49:37 GMT", HTTP_DATE_NONE},
		{"Sun Nov 6 08:49:37 1994", HTTP_DATE_NONE},
		{"Sun Nov  6 08:49:37 1994 GMT", HTTP_DATE_NONE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t s = http_date_parse(span_str(cases[i].text), NOW);

		if (s != cases[i].s)
			fail_msg("\"%s\": %lld, not %lld", cases[i].text, (long long)s,
				 (long long)cases[i].s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_form_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
