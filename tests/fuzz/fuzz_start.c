/* libs: vassal_front */
/*
 * X-Request-Start of a proxy. What is understood lies between 2001 and 2286, in whatever unit it came; blanks around it
 * and "t=" change nothing; and no longer number is taken for a shorter one.
 */
#include "shared/clock.h"
#include "vassal/front/start.h"

static void check(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span value = span_of((const char *)data, size);
	struct start_clock clock = {0};
	char text[96] = " t=";
	uint64_t start_ns = 0, again_ns = 0;
	bool good = start_parse(value, &start_ns);

	if (!good)
		return 0;
	check(start_ns / NS_PER_S < 10000000000ULL);
	check(start_age(&clock, start_ns, start_ns + 5, NS_PER_S) == 5);
	check(start_age(&clock, start_ns + 5, start_ns, NS_PER_S) == 0);
	value = span_trim(value);
	if (span_starts(value, SPAN("t=")))
		value = span_skip(value, 2);
	if (value.n >= sizeof(text) - 8)
		return 0;
	memcpy(text + 3, value.p, value.n);
	text[3 + value.n] = '\t';
	check(start_parse(span_of(text, value.n + 4), &again_ns) && again_ns == start_ns);
	/* a digit more is another unit, a finer fraction or nothing; it is never the same number of what it was */
	text[3 + value.n] = '7';
	if (start_parse(span_of(text, value.n + 4), &again_ns))
		check(memchr(value.p, '.', value.n) && again_ns > start_ns &&
		      again_ns - start_ns < NS_PER_S);
	return 0;
}
