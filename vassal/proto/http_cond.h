/*
 * http_cond - conditional requests (RFC 9110 13): what the client says it has, against what there is. For GET and HEAD
 * alone.
 */
#pragma once
#include "shared/limits.h"
#include "shared/span.h"

/* A field that may come in several lines; n = 0: it did not come. What is beyond the limit is not there. */
struct http_lines {
	unsigned n;
	struct span v[LIMIT_FIELD_LINES];
};

struct http_cond {
	struct http_lines match, none_match;
	struct http_lines modified_since, unmodified_since, if_range; /* one line, else ignored */
};

/* The representation that was selected. */
struct http_validators {
	struct span etag;   /* with its quotes, and W/ if it is weak; n = 0: none */
	int64_t modified_s; /* HTTP_DATE_NONE: unknown */
	int64_t now_s;
};

enum http_cond_result { HTTP_COND_GO, HTTP_COND_NOT_MODIFIED, HTTP_COND_FAILED }; /* 304, 412 */

void http_lines_add(struct http_lines *l, struct span value);
/* In the order of RFC 9110 13.2.2. */
enum http_cond_result http_cond_check(const struct http_cond *c, const struct http_validators *v);
/* If-Range (13.1.5): may Range count? True without the field. */
bool http_cond_range_holds(const struct http_cond *c, const struct http_validators *v);
