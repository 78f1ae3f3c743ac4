/*
 * http_range - Range of a GET (RFC 9110 14), resolved against the size of what is there.
 */
#pragma once
#include "shared/limits.h"
#include "shared/span.h"

struct http_range {
	uint64_t first, n; /* n > 0, first + n <= size */
};

struct http_ranges {
	unsigned n;
	struct http_range v[LIMIT_RANGES]; /* in the order they were asked for */
};

enum http_range_result {
	HTTP_RANGE_WHOLE,         /* no Range, one to be ignored, or one that is no gain: 200 */
	HTTP_RANGE_PART,          /* 206 */
	HTTP_RANGE_UNSATISFIABLE, /* 416 */
};

/*
 * Ignored: another unit, a malformed set, more than LIMIT_RANGES, and sets that together are more than the whole, which
 * only those ask for who want to make us work (14.2, 17.15).
 */
enum http_range_result http_range_parse(struct span field, uint64_t size, struct http_ranges *ret);
