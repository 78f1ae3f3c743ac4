/* libs: shared emperor_stats */
/*
 * What a client of a stats socket sends. A request is understood the same way whatever follows it, no prefix of it is
 * refused, and every value lies in its range.
 */
#include "emperor/stats/request.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_good(const struct request *r)
{
	assert(memchr(r->app, '\0', sizeof(r->app)));
	assert(!strchr(r->app, '/'));
	assert(r->n >= 1 && r->n <= LIMIT_STATS_EVENTS);
	assert(r->minutes >= 1 && r->minutes <= LIMIT_STATS_MINUTES);
	assert(r->after_id >= -1);
	assert(r->want != WANT_APP || r->app[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n = MIN(size, (size_t)LIMIT_STATS_HEAD);
	const char *why = "";
	struct request whole;
	struct request part;
	int status = request_parse((const char *)data, n, &whole, &why);

	assert(status == 0 || status == 200 || (status >= 400 && status < 600));
	assert(status != 0 || n < LIMIT_STATS_HEAD);
	if (status >= 400)
		assert(why[0] != '\0');
	/* A third of it, then two thirds, as a slow client sends it. */
	for (size_t k = 1; k < 3; k++) {
		int before = request_parse((const char *)data, n * k / 3, &part, &why);

		assert(status != 200 || before == 0 || before == 200);
		assert(status != 0 || before == 0);
	}
	if (status == 200) {
		check_good(&whole);
		assert(request_status_text(status)[0] == 'O');
	}
	return 0;
}
