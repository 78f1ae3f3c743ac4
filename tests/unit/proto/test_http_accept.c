/* http_accept: RFC 9110 12.5.3, with all four forms at hand and with few. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vassal/proto/http_accept.h"

#define BR   (1U << HTTP_CODING_BR)
#define ZSTD (1U << HTTP_CODING_ZSTD)
#define GZIP (1U << HTTP_CODING_GZIP)
#define ID   (1U << HTTP_CODING_IDENTITY)
#define ALL  (BR | ZSTD | GZIP | ID)

static void the_best_that_there_is_is_chosen(void **state)
{
	static const struct {
		const char *field; /* NULL: none came */
		unsigned available;
		enum http_coding coding;
	} cases[] = {
		{NULL, ALL, HTTP_CODING_IDENTITY},
		{"", ALL, HTTP_CODING_IDENTITY},
		{"gzip", ALL, HTTP_CODING_GZIP},
		{"x-gzip", ALL, HTTP_CODING_GZIP},
		{"GZip", ALL, HTTP_CODING_GZIP},
		{"gzip, deflate, br, zstd", ALL, HTTP_CODING_BR},
		{"gzip, deflate, br, zstd", ZSTD | GZIP | ID, HTTP_CODING_ZSTD},
		{"gzip, deflate, br, zstd", GZIP | ID, HTTP_CODING_GZIP},
		{"gzip, deflate, br, zstd", ID, HTTP_CODING_IDENTITY},
		{"deflate", ALL, HTTP_CODING_IDENTITY},
		/* weights */
		{"br;q=0.5, gzip;q=0.8", ALL, HTTP_CODING_GZIP},
		{"br;q=0.5, gzip;q=0.499", ALL, HTTP_CODING_BR},
		{"br;q=0, gzip", ALL, HTTP_CODING_GZIP},
		{"gzip;q=0", ALL, HTTP_CODING_IDENTITY},
		{"gzip;q=0.5, identity", ALL, HTTP_CODING_IDENTITY},
		{"gzip;q=0.001", ALL, HTTP_CODING_GZIP},
		{"gzip ; q=1.000", ALL, HTTP_CODING_GZIP},
		{"gzip;Q=0", ALL, HTTP_CODING_IDENTITY},
		{"*", ALL, HTTP_CODING_BR},
		{"*;q=0.1", GZIP | ID, HTTP_CODING_GZIP},
		{"br;q=0, *", ALL, HTTP_CODING_ZSTD},
		{"gzip, *;q=0", ALL, HTTP_CODING_GZIP},
		/* identity refused */
		{"identity;q=0", ALL, HTTP_CODING_COUNT},
		{"*;q=0", ALL, HTTP_CODING_COUNT},
		{"gzip, identity;q=0", ID, HTTP_CODING_COUNT},
		{"gzip, identity;q=0", GZIP | ID, HTTP_CODING_GZIP},
		{"*;q=0, identity", ALL, HTTP_CODING_IDENTITY},
		{"*;q=0, identity;q=0.1", GZIP | ID, HTTP_CODING_IDENTITY},
		/* malformed members are not there */
		{"gzip;q=2", ALL, HTTP_CODING_IDENTITY},
		{"gzip;q=1.001", ALL, HTTP_CODING_IDENTITY},
		{"gzip;q=0.1234", ALL, HTTP_CODING_IDENTITY},
		{"gzip;q=.5", ALL, HTTP_CODING_IDENTITY},
		{"gzip;q=", ALL, HTTP_CODING_IDENTITY},
		{"gzip;level=9", ALL, HTTP_CODING_IDENTITY},
		{"gzip;q=x, br", ALL, HTTP_CODING_BR},
		{",, ,gzip,", ALL, HTTP_CODING_GZIP},
		{"gzipp", ALL, HTTP_CODING_IDENTITY},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_accept a = {0};

		if (cases[i].field)
			http_accept_add(&a, span_str(cases[i].field));
		if (http_accept_choose(&a, cases[i].available) != cases[i].coding)
			fail_msg("\"%s\" of %x: %d", cases[i].field ? cases[i].field : "-",
				 cases[i].available,
				 (int)http_accept_choose(&a, cases[i].available));
	}
}

static void lines_add_up(void **state)
{
	struct http_accept a = {0};

	(void)state;
	http_accept_add(&a, SPAN("gzip"));
	http_accept_add(&a, SPAN("br, identity;q=0"));
	assert_int_equal(http_accept_choose(&a, ALL), HTTP_CODING_BR);
	assert_int_equal(http_accept_choose(&a, ID), HTTP_CODING_COUNT);
	assert_int_equal(http_accept_choose(&a, GZIP), HTTP_CODING_GZIP);
}

static void identity_has_no_name_to_be_sent(void **state)
{
	(void)state;
	assert_string_equal(http_coding_name(HTTP_CODING_BR), "br");
	assert_string_equal(http_coding_name(HTTP_CODING_ZSTD), "zstd");
	assert_string_equal(http_coding_name(HTTP_CODING_GZIP), "gzip");
	assert_string_equal(http_coding_name(HTTP_CODING_IDENTITY), "");
	assert_string_equal(http_coding_name(HTTP_CODING_COUNT), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_best_that_there_is_is_chosen),
		cmocka_unit_test(lines_add_up),
		cmocka_unit_test(identity_has_no_name_to_be_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
