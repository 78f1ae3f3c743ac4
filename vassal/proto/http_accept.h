/*
 * http_accept - Accept-Encoding (RFC 9110 12.5.3): which of the forms that there are the client would have.
 */
#pragma once
#include "shared/span.h"

/* In the order in which we like them, where the client has no preference. */
enum http_coding {
	HTTP_CODING_BR,
	HTTP_CODING_ZSTD,
	HTTP_CODING_GZIP,
	HTTP_CODING_IDENTITY,
	HTTP_CODING_COUNT,
};

struct http_accept {                   /* zeroed: no field came, nothing but identity is sent */
	uint16_t q[HTTP_CODING_COUNT]; /* thousandths */
	bool listed[HTTP_CODING_COUNT];
	uint16_t star;
	bool has_star;
};

/* One line of the field; several add up. Malformed members are skipped. */
void http_accept_add(struct http_accept *a, struct span line);
/* available: 1 << coding. The best one, or HTTP_CODING_COUNT: none of them may be sent. */
enum http_coding http_accept_choose(const struct http_accept *a, unsigned available);
/* "br"; "" for identity. */
const char *http_coding_name(enum http_coding coding);
