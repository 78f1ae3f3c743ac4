/*
 * Tests of shared/buf against a plain model of what it should hold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>

#include "shared/buf.h"

static void a_zeroed_buf_is_empty_and_may_be_ended(void **state)
{
	struct buf b = {0};

	(void)state;
	assert_int_equal(buf_span(&b).n, 0);
	assert_non_null(buf_span(&b).p);
	buf_consume(&b, 10);
	buf_done(&b);
	buf_done(&b);
	assert_null(b.p);
}

static void what_was_appended_is_consumed_in_order(void **state)
{
	struct buf b = {0};
	unsigned char in = 0;
	unsigned char out = 0;
	unsigned random = 1;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		unsigned char data[97];
		size_t n;

		random = random * 1103515245 + 12345;
		n = (random >> 16) % sizeof(data);
		if (b.n + n <= 1000) {
			for (size_t i = 0; i < n; i++)
				data[i] = in++;
			assert_int_equal(buf_append(&b, data, n, 1000), 0);
		}
		n = MIN(b.n, (size_t)((random >> 24) % 90));
		for (size_t i = 0; i < n; i++)
			assert_int_equal((unsigned char)buf_span(&b).p[i], out++);
		buf_consume(&b, n);
		assert_true(b.start + b.n <= b.room && b.room <= 1000);
	}
	buf_done(&b);
}

static void the_limit_holds_to_the_byte(void **state)
{
	struct buf b = {0};
	char data[700] = {0};

	(void)state;
	assert_int_equal(buf_append(&b, data, sizeof(data), 699), -ENOBUFS);
	assert_int_equal(b.n, 0);
	assert_int_equal(buf_append(&b, data, sizeof(data), 700), 0);
	assert_null(buf_reserve(&b, 1, 700));
	assert_non_null(buf_reserve(&b, 0, 700));
	assert_int_equal(buf_append(&b, data, 1, 700), -ENOBUFS);
	assert_null(buf_reserve(&b, SIZE_MAX, SIZE_MAX));
	assert_null(buf_reserve(&b, SIZE_MAX, 800));
	assert_null(buf_reserve(&b, 1, 10)); /* a limit that has shrunk below what is there */
	assert_int_equal(b.n, 700);
	buf_consume(&b, 1);
	assert_int_equal(buf_append(&b, data, 1, 700), 0);
	assert_int_equal(b.room, 700);
	buf_done(&b);
}

static void reserved_room_becomes_content_by_commit(void **state)
{
	struct buf b = {0};
	char *p = buf_reserve(&b, 5, 100);

	(void)state;
	assert_non_null(p);
	memcpy(p, "hello", 5);
	assert_int_equal(b.n, 0);
	buf_commit(&b, 5);
	assert_true(span_eq(buf_span(&b), SPAN("hello")));
	buf_consume(&b, 2);
	assert_true(span_eq(buf_span(&b), SPAN("llo")));
	buf_consume(&b, 99); /* more than there is: all of it */
	assert_int_equal(b.n, 0);
	assert_int_equal(b.start, 0);
	buf_done(&b);
}

static void consumed_room_is_used_again_before_it_grows(void **state)
{
	struct buf b = {0};
	char data[512] = {0};
	const char *p;

	(void)state;
	assert_int_equal(buf_append(&b, data, 512, 4096), 0);
	p = b.p;
	buf_consume(&b, 500);
	assert_int_equal(buf_append(&b, data, 500, 4096), 0);
	assert_ptr_equal(b.p, p);
	assert_int_equal(b.room, 512);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_zeroed_buf_is_empty_and_may_be_ended),
		cmocka_unit_test(what_was_appended_is_consumed_in_order),
		cmocka_unit_test(the_limit_holds_to_the_byte),
		cmocka_unit_test(reserved_room_becomes_content_by_commit),
		cmocka_unit_test(consumed_room_is_used_again_before_it_grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
