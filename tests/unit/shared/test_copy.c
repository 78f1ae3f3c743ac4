/*
 * test_copy - copy_bytes() copies just what it is to, wherever the two lie in their pages.
 */
#include "shared/copy.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ROOM (16 * 1024)

static uint8_t from[ROOM], to[ROOM], expected[ROOM];

static void whatever_the_distance_all_of_it_comes_and_nothing_else(void **state)
{
	const size_t lengths[] = {0, 1, 63, 64, 2047, 2048, 2049, 2111, 4096, 8191};

	(void)state;
	for (size_t i = 0; i < ROOM; i++)
		from[i] = (uint8_t)(i * 31 + i / 256);
	for (size_t at = 0; at < 3; at++) {
		for (size_t behind = 0; behind < 70; behind++) {
			for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
				uint8_t *f = from + at * 7;
				/* in the same place of another page, and so far behind */
				size_t target =
					4096 +
					(((uintptr_t)f - (uintptr_t)to) % 4096 + behind) % 4096;

				memset(to, 0xee, ROOM);
				memset(expected, 0xee, ROOM);
				for (size_t k = 0; k < lengths[i]; k++)
					expected[target + k] = f[k];
				copy_bytes(to + target, f, lengths[i]);
				assert_memory_equal(to, expected, ROOM);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_the_distance_all_of_it_comes_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
