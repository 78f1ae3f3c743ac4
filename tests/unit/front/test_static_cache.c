/* static_cache: what is kept open, how long, and how much of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "shared/clock.h"
#include "vassal/front/static_cache.h"

#define NOW (100 * NS_PER_S)

static struct static_found found_file(void)
{
	struct static_found found = {.verdict = STATIC_FILE};

	for (unsigned i = 0; i < HTTP_CODING_COUNT; i++)
		found.forms[i].fd = -1;
	found.forms[HTTP_CODING_IDENTITY].fd = open("/dev/null", O_RDONLY);
	assert_true(found.forms[HTTP_CODING_IDENTITY].fd >= 0);
	return found;
}

static struct static_entry *add(struct static_cache *c, const char *path, uint64_t now_ns)
{
	struct static_found found = found_file();
	struct static_entry *e = static_cache_add(c, 0, path, false, &found, now_ns);

	assert_non_null(e);
	assert_int_equal(found.forms[HTTP_CODING_IDENTITY].fd, -1);
	return e;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void a_file_is_found_for_a_second_by_its_whole_name(void **state)
{
	struct static_cache c = {.limit = 8};
	struct static_entry *e = add(&c, "a", NOW);

	(void)state;
	static_entry_leave(e, NULL);
	assert_ptr_equal(static_cache_find(&c, 0, "a", false, NOW), e);
	static_entry_leave(e, NULL);
	assert_null(static_cache_find(&c, 1, "a", false, NOW));
	assert_null(static_cache_find(&c, 0, "a", true, NOW));
	assert_null(static_cache_find(&c, 0, "ab", false, NOW));
	assert_ptr_equal(static_cache_find(&c, 0, "a", false, NOW + NS_PER_S - 1), e);
	static_entry_leave(e, NULL);
	assert_null(static_cache_find(&c, 0, "a", false, NOW + NS_PER_S));
	assert_int_equal(c.n, 0);
}

static void who_uses_it_keeps_it_open(void **state)
{
	struct static_cache c = {.limit = 8};
	struct static_entry *e = add(&c, "a", NOW);
	int fd = e->found.forms[HTTP_CODING_IDENTITY].fd;

	(void)state;
	static_cache_forget(&c, e);
	assert_int_equal(c.n, 0);
	assert_true(is_open(fd));
	static_cache_forget(&c, e);
	static_entry_leave(e, NULL);
	assert_false(is_open(fd));
}

static void the_one_asked_for_longest_ago_makes_room(void **state)
{
	struct static_cache c = {.limit = 4};
	char name[2] = "a";

	(void)state;
	for (unsigned i = 0; i < 4; i++, name[0]++)
		static_entry_leave(add(&c, name, NOW + i), NULL);
	static_entry_leave(static_cache_find(&c, 0, "a", false, NOW + 10), NULL);
	static_entry_leave(add(&c, "e", NOW + 20), NULL);
	assert_int_equal(c.n, 4);
	assert_null(static_cache_find(&c, 0, "b", false, NOW + 20));
	static_entry_leave(static_cache_find(&c, 0, "a", false, NOW + 20), NULL);
	static_cache_sweep(&c, UINT64_MAX);
	assert_int_equal(c.n, 0);
}

static void a_second_one_takes_the_place_of_the_first(void **state)
{
	struct static_cache c = {.limit = 4};
	struct static_entry *first = add(&c, "a", NOW), *second = add(&c, "a", NOW);

	(void)state;
	assert_int_equal(c.n, 1);
	assert_ptr_equal(static_cache_find(&c, 0, "a", false, NOW), second);
	static_entry_leave(first, NULL);
	static_entry_leave(second, NULL);
	static_entry_leave(second, NULL);
	static_cache_sweep(&c, UINT64_MAX);
}

static void what_nobody_asks_for_is_closed(void **state)
{
	struct static_cache c = {.limit = 4};
	struct static_entry *e = add(&c, "a", NOW);
	int fd = e->found.forms[HTTP_CODING_IDENTITY].fd;

	(void)state;
	static_entry_leave(e, NULL);
	static_cache_sweep(&c, NOW + LIMIT_STATIC_IDLE_S * NS_PER_S - 1);
	assert_true(is_open(fd));
	static_cache_sweep(&c, NOW + LIMIT_STATIC_IDLE_S * NS_PER_S);
	assert_false(is_open(fd));
	assert_int_equal(c.n, 0);
}

static void without_room_nothing_is_kept(void **state)
{
	struct static_cache c = {0};
	struct static_entry *e = add(&c, "a", NOW);
	int fd = e->found.forms[HTTP_CODING_IDENTITY].fd;

	(void)state;
	assert_null(static_cache_find(&c, 0, "a", false, NOW));
	assert_true(is_open(fd));
	static_entry_leave(e, NULL);
	assert_false(is_open(fd));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_found_for_a_second_by_its_whole_name),
		cmocka_unit_test(who_uses_it_keeps_it_open),
		cmocka_unit_test(the_one_asked_for_longest_ago_makes_room),
		cmocka_unit_test(a_second_one_takes_the_place_of_the_first),
		cmocka_unit_test(what_nobody_asks_for_is_closed),
		cmocka_unit_test(without_room_nothing_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
