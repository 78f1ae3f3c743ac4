/*
 * chunked - decodes a chunked body (RFC 9112 7.1) in place, fed in pieces of any size. Extensions are skipped,
 * trailers read and dropped, both bounded. Strict: CRLF only, hexadecimal size without sign, a blank only before ';'.
 */
#pragma once
#include "shared/span.h"
#include <sys/types.h>

struct chunked {       /* zeroed = at the beginning */
	uint64_t left; /* of the current chunk */
	unsigned state;
	unsigned line_n; /* bytes of the current size line or of the trailers, to bound them */
	unsigned extensions_n; /* bytes of all extensions so far, for the same */
	bool done;
	const char *reason; /* when bad; static */
};

/*
 * Takes n bytes at p; decoded payload is moved to the front of p, *ret_payload says how many. Returns how many input
 * bytes were used (less than n only when done: the rest belongs to the next request), or -1 when malformed.
 */
ssize_t chunked_feed(struct chunked *c, char *p, size_t n, size_t *ret_payload);
