/*
 * siphash: the vectors of its authors (key 00 01 .. 0f, input 00 01 .. n-1), whole and in pieces.
 */
#include "vassal/front/siphash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const struct siphash_key key = {{0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL}};

static uint64_t digest(const uint8_t *p, size_t n, size_t piece)
{
	struct siphash s;

	siphash_begin(&s, &key);
	for (size_t i = 0; i < n; i += piece)
		siphash_add(&s, p + i, MIN(piece, n - i));
	return siphash_end(&s);
}

static void the_published_vectors_come_out(void **state)
{
	static const struct {
		size_t n;
		uint64_t digest;
	} rows[] = {
		{0, 0x726fdb47dd0e0e31ULL},  {1, 0x74f839c593dc67fdULL},
		{7, 0xab0200f58b01d137ULL},  {8, 0x93f5f5799a932462ULL},
		{9, 0x9e0082df0ba9e4b0ULL},  {15, 0xa129ca6149be45e5ULL},
		{63, 0x958a324ceb064572ULL},
	};
	uint8_t input[64];

	(void)state;
	for (unsigned i = 0; i < sizeof(input); i++)
		input[i] = (uint8_t)i;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t piece = 1; piece <= 64; piece++)
			assert_int_equal(digest(input, rows[i].n, piece), rows[i].digest);
}

static void another_key_gives_another_digest(void **state)
{
	const struct siphash_key other = {{key.k[0] ^ 1, key.k[1]}};
	struct siphash s;

	(void)state;
	siphash_begin(&s, &other);
	siphash_add(&s, "x", 1);
	assert_int_not_equal(siphash_end(&s), digest((const uint8_t *)"x", 1, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_published_vectors_come_out),
		cmocka_unit_test(another_key_gives_another_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
