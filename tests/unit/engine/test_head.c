/*
 * test_head - what an app may say about its answer and what it may not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/err.h"
#include "vassal/engine/head.h"

static uint8_t room[HEAD_SIZE];

static void a_head_is_laid_out_as_the_exchange_says(void **state)
{
	struct head h = {.p = room};
	struct frame_head f;

	(void)state;
	assert_int_equal(head_begin(&h, SPAN("404 Not Found"), NULL), 0);
	assert_int_equal(head_field(&h, SPAN("Content-Type"), SPAN(" text/html "), NULL), 0);
	assert_int_equal(head_field(&h, SPAN("content-LENGTH"), SPAN(" 12 "), NULL), 0);
	assert_int_equal(head_field(&h, SPAN("DATE"), SPAN("now"), NULL), 0);
	head_finish(&h);
	memcpy(&f, room, sizeof(f));
	assert_int_equal(f.status, 404);
	assert_int_equal(f.length, 12);
	assert_int_equal(f.flags, FRAME_HAS_DATE);
	assert_int_equal(h.n, sizeof(f) + f.reason_n + f.fields_n);
	assert_memory_equal(room + sizeof(f), "Not FoundContent-Type: text/html\r\nDATE: now\r\n",
			    f.reason_n + f.fields_n);
}

static void a_new_beginning_forgets_everything(void **state)
{
	struct head h = {.p = room};

	(void)state;
	assert_int_equal(head_begin(&h, SPAN("200 OK"), NULL), 0);
	assert_int_equal(head_field(&h, SPAN("Content-Length"), SPAN("3"), NULL), 0);
	assert_int_equal(head_field(&h, SPAN("Server"), SPAN("x"), NULL), 0);
	assert_int_equal(head_begin(&h, SPAN("500"), NULL), 0);
	head_finish(&h);
	assert_int_equal(h.frame.length, -1);
	assert_int_equal(h.frame.flags, 0);
	assert_int_equal(h.frame.fields_n, 0);
	assert_int_equal(h.frame.reason_n, 0);
}

static void every_byte_is_judged_as_rfc_9110_does(void **state)
{
	static const char token[] =
		"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		const char byte[3] = {'a', (char)c, 'b'};
		bool in_token = c != 0 && strchr(token, (int)c);
		bool in_value = c == '\t' || (c >= 0x20 && c != 0x7f);
		struct head h = {.p = room};
		struct err err;

		assert_int_equal(head_begin(&h, SPAN("200"), NULL), 0);
		assert_int_equal(head_field(&h, span_of(byte, 3), SPAN("v"), &err),
				 in_token ? 0 : -22);
		assert_int_equal(head_field(&h, SPAN("n"), span_of(byte, 3), &err),
				 in_value ? 0 : -22);
	}
}

static void lengths_that_are_none_or_disagree_are_refused(void **state)
{
	static const struct {
		const char *first, *second;
		bool good;
	} cases[] = {
		{"0", "0", true},   {"5", "5", true},   {"5", "05", true},
		{"5", "6", false},  {"", "0", false},   {"-1", "0", false},
		{"+1", "1", false}, {"1x", "1", false}, {"9999999999999999999", "1", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct head h = {.p = room};
		int r;

		assert_int_equal(head_begin(&h, SPAN("200"), NULL), 0);
		r = head_field(&h, SPAN("Content-Length"), span_str(cases[i].first), NULL);
		if (r == 0)
			r = head_field(&h, SPAN("Content-Length"), span_str(cases[i].second), NULL);
		assert_int_equal(r == 0, cases[i].good);
	}
}

static void a_head_that_is_too_large_is_refused_and_never_overflows(void **state)
{
	static char value[1000];
	struct head h = {.p = room};
	unsigned n = 0;

	(void)state;
	memset(value, 'v', sizeof(value));
	assert_int_equal(head_begin(&h, SPAN("200"), NULL), 0);
	while (head_field(&h, SPAN("X"), span_of(value, sizeof(value)), NULL) == 0)
		n++;
	assert_int_equal(n, (HEAD_SIZE - sizeof(struct frame_head)) / (sizeof(value) + 5));
	assert_true(h.n <= HEAD_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_is_laid_out_as_the_exchange_says),
		cmocka_unit_test(a_new_beginning_forgets_everything),
		cmocka_unit_test(every_byte_is_judged_as_rfc_9110_does),
		cmocka_unit_test(lengths_that_are_none_or_disagree_are_refused),
		cmocka_unit_test(a_head_that_is_too_large_is_refused_and_never_overflows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
