/*
 * request_id - see request_id.h.
 */
#include "shared/request_id.h"

#include <sys/random.h>

#include "shared/clock.h"

static uint64_t rotate(uint64_t x, unsigned k)
{
	return (x << k) | (x >> (64 - k));
}

static uint64_t next(uint64_t s[4])
{
	uint64_t result = rotate(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return result;
}

void request_id_seed(struct request_id_source *r)
{
	if (getrandom(r->s, sizeof(r->s), 0) == (ssize_t)sizeof(r->s))
		return;
	/* a kernel without entropy this early: times and pid still tell fronts apart */
	r->s[0] = clock_now_ns();
	r->s[1] = clock_wall_ns();
	r->s[2] = (uint64_t)getpid();
	r->s[3] = 0x9e3779b97f4a7c15ULL;
}

void request_id_make(struct request_id_source *r, char buf[REQUEST_ID_N + 1])
{
	static const char digits[] = "0123456789abcdef";
	uint64_t v = next(r->s);

	for (unsigned i = 0; i < REQUEST_ID_N; i++)
		buf[i] = digits[(v >> (60 - 4 * i)) & 15];
	buf[REQUEST_ID_N] = '\0';
}
