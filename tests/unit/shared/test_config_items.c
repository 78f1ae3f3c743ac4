/* config_items: what goes into the memfd comes out, and nothing damaged does. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/config_items.h"
#include "shared/err.h"

static void fill(struct config_items *items)
{
	assert_int_equal(config_items_add(items, "chdir", "/srv", "blog.ini", 2, true, NULL), 0);
	assert_int_equal(config_items_add(items, "master", "", "blog.ini", 3, false, NULL), 0);
	assert_int_equal(config_items_add(items, "chdir", "/srv/2", "other.ini", 9, true, NULL), 0);
	assert_int_equal(config_items_add(items, "http", ":80", "command line", 0, true, NULL), 0);
	items->v[2].used = true;
}

static void the_last_value_counts(void **state)
{
	struct config_items items = {0};

	(void)state;
	fill(&items);
	assert_string_equal(config_items_get(&items, "chdir"), "/srv/2");
	assert_string_equal(config_items_get(&items, "master"), "");
	assert_null(config_items_get(&items, "chdi"));
	config_items_done(&items);
	assert_null(config_items_get(&items, "chdir"));
}

static void who_says_a_text_and_nothing_else_comes_first(void **state)
{
	struct config_items items = {0};

	(void)state;
	assert_null(config_items_find_text(&items, NULL, ""));
	fill(&items);
	assert_int_equal(config_items_add(&items, "socket", ":8000", "blog.ini", 7, true, NULL), 0);
	assert_int_equal(config_items_find_text(&items, NULL, ":80")->line, 0);
	assert_int_equal(config_items_find_text(&items, NULL, ":800")->line, 7);
	assert_int_equal(config_items_find_text(&items, "socket", ":80")->line, 7);
	assert_int_equal(config_items_find_text(&items, NULL, "/srv")->line, 2);
	assert_int_equal(config_items_find_text(&items, NULL, "srv")->line, 9);
	assert_int_equal(config_items_find_text(&items, "chdir", "")->line, 9);
	assert_null(config_items_find_text(&items, "http", "/srv"));
	config_items_done(&items);
}

static void what_is_encoded_comes_back_whole(void **state)
{
	struct config_items items = {0};
	struct config_items back = {0};
	char *bytes;
	size_t n;

	(void)state;
	fill(&items);
	assert_int_equal(config_items_encode(&items, &bytes, &n, NULL), 0);
	assert_int_equal(config_items_decode(bytes, n, &back, NULL), 0);
	assert_int_equal(back.n, items.n);
	for (size_t i = 0; i < items.n; i++) {
		assert_string_equal(back.v[i].key, items.v[i].key);
		assert_string_equal(back.v[i].value, items.v[i].value);
		assert_string_equal(back.v[i].file, items.v[i].file);
		assert_int_equal(back.v[i].line, items.v[i].line);
		assert_int_equal(back.v[i].has_value, items.v[i].has_value);
		assert_int_equal(back.v[i].used, items.v[i].used);
	}
	free(bytes);
	config_items_done(&items);
	config_items_done(&back);
}

static void every_cut_is_refused(void **state)
{
	struct config_items items = {0};
	char *bytes;
	size_t n;

	(void)state;
	fill(&items);
	assert_int_equal(config_items_encode(&items, &bytes, &n, NULL), 0);
	for (size_t cut = 0; cut < n; cut++) {
		struct config_items back = {0};
		char *copy = malloc(cut + 1); /* its end is the allocation's, for ASan */

		assert_non_null(copy);
		memcpy(copy, bytes, cut);
		assert_int_equal(config_items_decode(copy, cut, &back, NULL), -EBADMSG);
		assert_int_equal(back.n, 0);
		free(copy);
	}
	free(bytes);
	config_items_done(&items);
}

static void every_wrong_length_is_refused_or_harmless(void **state)
{
	struct config_items items = {0};
	char *bytes;
	size_t n;

	(void)state;
	fill(&items);
	assert_int_equal(config_items_encode(&items, &bytes, &n, NULL), 0);
	for (size_t i = 0; i < n; i++) {
		struct config_items back = {0};
		char old = bytes[i];

		bytes[i] = (char)(old ^ 0x55);
		if (config_items_decode(bytes, n, &back, NULL) == 0)
			config_items_done(&back);
		bytes[i] = old;
	}
	free(bytes);
	config_items_done(&items);
}

static void bytes_behind_the_last_item_are_refused(void **state)
{
	struct config_items items = {0};
	struct config_items back = {0};
	char *bytes;
	char *longer;
	size_t n;

	(void)state;
	fill(&items);
	assert_int_equal(config_items_encode(&items, &bytes, &n, NULL), 0);
	longer = calloc(1, n + 1);
	assert_non_null(longer);
	memcpy(longer, bytes, n);
	assert_int_equal(config_items_decode(longer, n + 1, &back, NULL), -EBADMSG);
	free(longer);
	free(bytes);
	config_items_done(&items);
}

static void there_is_a_last_item(void **state)
{
	struct config_items items = {0};
	struct err err = {0};

	(void)state;
	for (int i = 0; i < LIMIT_INI_ITEMS; i++)
		assert_int_equal(config_items_add(&items, "env", "A=1", "x.ini", 1, true, &err), 0);
	assert_int_equal(config_items_add(&items, "env", "A=1", "x.ini", 1, true, &err), -E2BIG);
	assert_int_equal(items.n, LIMIT_INI_ITEMS);
	config_items_done(&items);
}

static void a_configuration_that_is_too_large_is_not_sent(void **state)
{
	static char value[65537];
	struct config_items items = {0};
	char *bytes = NULL;
	size_t n;

	(void)state;
	memset(value, 'x', sizeof(value) - 1);
	for (int i = 0; i <= LIMIT_CONFIG_BLOB / 65536; i++)
		assert_int_equal(config_items_add(&items, "env", value, "x.ini", 1, true, NULL), 0);
	assert_int_equal(config_items_encode(&items, &bytes, &n, NULL), -E2BIG);
	assert_null(bytes);
	config_items_done(&items);
}

static void appended_items_are_copies_with_their_marks(void **state)
{
	struct config_items a = {0};
	struct config_items b = {0};

	(void)state;
	fill(&a);
	assert_int_equal(config_items_append(&b, &a, NULL), 0);
	config_items_done(&a);
	assert_int_equal(b.n, 4);
	assert_string_equal(b.v[2].value, "/srv/2");
	assert_true(b.v[2].used);
	assert_false(b.v[1].has_value);
	config_items_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_value_counts),
		cmocka_unit_test(who_says_a_text_and_nothing_else_comes_first),
		cmocka_unit_test(what_is_encoded_comes_back_whole),
		cmocka_unit_test(every_cut_is_refused),
		cmocka_unit_test(every_wrong_length_is_refused_or_harmless),
		cmocka_unit_test(bytes_behind_the_last_item_are_refused),
		cmocka_unit_test(there_is_a_last_item),
		cmocka_unit_test(a_configuration_that_is_too_large_is_not_sent),
		cmocka_unit_test(appended_items_are_copies_with_their_marks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
