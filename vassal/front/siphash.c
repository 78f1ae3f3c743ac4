/*
 * siphash - see siphash.h. Words are little-endian, as the paper has it.
 */
#include "vassal/front/siphash.h"

#include <endian.h>

static uint64_t rotate(uint64_t x, unsigned k)
{
	return (x << k) | (x >> (64 - k));
}

static void round_of(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static void take(struct siphash *s, uint64_t word)
{
	s->v[3] ^= word;
	round_of(s->v);
	round_of(s->v);
	s->v[0] ^= word;
}

void siphash_begin(struct siphash *s, const struct siphash_key *key)
{
	*s = (struct siphash){
		.v = {key->k[0] ^ 0x736f6d6570736575ULL, key->k[1] ^ 0x646f72616e646f6dULL,
		      key->k[0] ^ 0x6c7967656e657261ULL, key->k[1] ^ 0x7465646279746573ULL}};
}

void siphash_add(struct siphash *s, const void *data, size_t n)
{
	const uint8_t *p = data;

	/* up to a whole word, word by word, what is left */
	for (; n > 0 && s->n % 8 != 0; n--, s->n++) {
		s->tail |= (uint64_t)*p++ << (8 * (s->n % 8));
		if (s->n % 8 == 7) {
			take(s, s->tail);
			s->tail = 0;
		}
	}
	for (; n >= 8; n -= 8, p += 8, s->n += 8) {
		uint64_t word;

		memcpy(&word, p, sizeof(word));
		take(s, le64toh(word));
	}
	for (; n > 0; n--, s->n++)
		s->tail |= (uint64_t)*p++ << (8 * (s->n % 8));
}

uint64_t siphash_end(struct siphash *s)
{
	take(s, s->tail | s->n << 56);
	s->v[2] ^= 0xff;
	for (unsigned i = 0; i < 4; i++)
		round_of(s->v);
	return s->v[0] ^ s->v[1] ^ s->v[2] ^ s->v[3];
}
