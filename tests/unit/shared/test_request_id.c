/* request_id: names of requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/request_id.h"

static void ids_are_sixteen_digits_and_differ(void **state)
{
	struct request_id_source r;
	char last[REQUEST_ID_N + 1] = "", id[REQUEST_ID_N + 1];

	(void)state;
	request_id_seed(&r);
	for (unsigned i = 0; i < 10000; i++) {
		request_id_make(&r, id);
		assert_int_equal(strlen(id), REQUEST_ID_N);
		assert_int_equal(strspn(id, "0123456789abcdef"), REQUEST_ID_N);
		assert_string_not_equal(id, last);
		memcpy(last, id, sizeof(id));
	}
}

static void two_fronts_do_not_begin_alike(void **state)
{
	struct request_id_source a, b;
	char x[REQUEST_ID_N + 1], y[REQUEST_ID_N + 1];

	(void)state;
	request_id_seed(&a);
	request_id_seed(&b);
	request_id_make(&a, x);
	request_id_make(&b, y);
	assert_string_not_equal(x, y);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_sixteen_digits_and_differ),
		cmocka_unit_test(two_fronts_do_not_begin_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
