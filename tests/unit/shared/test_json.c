/*
 * json: any bytes become valid JSON text, integers stay integers, and a failed allocation shows at the end.
 */
#include "shared/json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void assert_text(const char *in, size_t n, const char *out)
{
	json_t *t = json_text(in, n);

	assert_non_null(t);
	assert_string_equal(json_string_value(t), out);
	assert_int_equal(json_string_length(t), strlen(out));
	json_decref(t);
}

static void bytes_that_are_not_utf8_are_replaced_one_by_one(void **state)
{
#define R "\xef\xbf\xbd"
	static const struct {
		struct span in;
		const char *out;
	} rows[] = {
		{{"", 0}, ""},
		{{"plain", 5}, "plain"},
		{{"gr\xc3\xbcn", 5}, "gr\xc3\xbcn"},
		{{"\xf0\x9f\x98\x80", 4}, "\xf0\x9f\x98\x80"},
		{{"a\0b", 3}, "a" R "b"},
		{{"\xff\xfe", 2}, R R},
		{{"\xc3", 1}, R},       /* cut */
		{{"\xc0\xaf", 2}, R R}, /* overlong */
		{{"\xe0\x80\xaf", 3}, R R R},
		{{"\xed\xa0\x80", 3}, R R R},       /* surrogate */
		{{"\xf4\x90\x80\x80", 4}, R R R R}, /* above U+10FFFF */
		{{"\xf0\x9f\x98", 3}, R R R},
		{{"x\xc3y", 3}, "x" R "y"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_text(rows[i].in.p, rows[i].in.n, rows[i].out);
}

static void every_byte_pair_gives_text_that_parses_again(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 65536; i++) {
		const char in[2] = {(char)(i >> 8), (char)i};
		json_t *array = json_array();
		json_t *back;
		size_t n = 0;
		char *text;

		json_push(array, json_text(in, 2));
		text = json_dump_text(array, false, &n);
		assert_non_null(text);
		back = json_loads(text, 0, NULL);
		assert_non_null(back);
		assert_true(json_equal(array, back));
		json_decref(back);
		json_decref(array);
		free(text);
	}
}

static void numbers_stay_integers_and_texts_end_with_a_newline(void **state)
{
	json_t *o = json_object();
	size_t n = 0;
	char *text;

	(void)state;
	json_put_u64(o, "n", 12345678901234ULL);
	json_put_u64(o, "max", UINT64_MAX);
	json_put_text(o, "t", "x\ny");
	text = json_dump_text(o, false, &n);
	assert_string_equal(text,
			    "{\"n\":12345678901234,\"max\":9223372036854775807,\"t\":\"x\\ny\"}\n");
	assert_int_equal(n, strlen(text));
	free(text);
	text = json_dump_text(o, true, &n);
	assert_non_null(strstr(text, "\n  \"n\": 12345678901234"));
	free(text);
	json_decref(o);
}

static void the_length_is_only_told_to_who_asks_for_it(void **state)
{
	json_t *o = json_object();
	char *text;

	(void)state;
	json_put_text(o, "t", "x");
	text = json_dump_text(o, false, NULL);
	assert_string_equal(text, "{\"t\":\"x\"}\n");
	free(text);
	json_put(o, "gone", NULL);
	assert_null(json_dump_text(o, false, NULL));
	json_decref(o);
}

static void a_missing_value_anywhere_fails_the_whole_text(void **state)
{
	json_t *root = json_object();
	json_t *list = json_array();
	json_t *inner = json_object();
	size_t n = 7;

	(void)state;
	json_put(inner, "gone", NULL);
	json_push(list, inner);
	json_put(root, "list", list);
	assert_null(json_dump_text(root, false, &n));
	assert_int_equal(n, 7);
	json_decref(root);
	assert_null(json_dump_text(NULL, false, &n));
}

/* jansson's allocator is ours to set: from the k-th on, nothing is left. */
static long left;

static void *failing_malloc(size_t n)
{
	return left-- > 0 ? malloc(n) : NULL;
}

static json_t *build(void)
{
	json_t *root = json_object();
	json_t *list = json_array();

	json_put_text(root, "name", "blog");
	json_push(list, json_text("a\xff", 2));
	json_push(list, json_integer(1));
	json_put(root, "list", list);
	json_put_u64(root, "n", 3);
	return root;
}

static void lack_of_memory_gives_no_text_rather_than_a_wrong_one(void **state)
{
	bool complete = false;

	(void)state;
	json_set_alloc_funcs(failing_malloc, free);
	for (long k = 0; k < 200 && !complete; k++) {
		json_t *root;
		size_t n = 0;
		char *text;

		left = k;
		root = build();
		text = json_dump_text(root, false, &n);
		complete = left >= 0;
		if (text)
			assert_string_equal(
				text,
				"{\"name\":\"blog\",\"list\":[\"a\xef\xbf\xbd\",1],\"n\":3}\n");
		assert_true(text || !complete);
		free(text);
		json_decref(root);
	}
	json_set_alloc_funcs(malloc, free);
	assert_true(complete);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_that_are_not_utf8_are_replaced_one_by_one),
		cmocka_unit_test(every_byte_pair_gives_text_that_parses_again),
		cmocka_unit_test(numbers_stay_integers_and_texts_end_with_a_newline),
		cmocka_unit_test(the_length_is_only_told_to_who_asks_for_it),
		cmocka_unit_test(a_missing_value_anywhere_fails_the_whole_text),
		cmocka_unit_test(lack_of_memory_gives_no_text_rather_than_a_wrong_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
