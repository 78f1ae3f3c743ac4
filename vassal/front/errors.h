/*
 * errors - the answers that the front makes itself. Every end of a request is an answer while one can still be sent.
 */
#pragma once
#include "shared/span.h"

struct conn;
struct record;

/* Answers a complete request with this status (500, 502, 503, 504 ...) and ends it. */
void error_answer(struct conn *c, unsigned status, unsigned retry_after_s);
/* The same for a request that a worker had: its times and number come from base. */
void error_answer_after(struct conn *c, unsigned status, unsigned retry_after_s,
			const struct record *base);
/* The same with fields of its own, "Name: value\r\n"...: 405 with Allow, 416 with Content-Range, a redirect. */
void error_answer_fields(struct conn *c, unsigned status, struct span fields,
			 const struct record *base);
/* The request is bad or unwanted: answers and closes. reason: for the log, may be NULL. */
void error_refuse(struct conn *c, unsigned status, const char *reason);
/* A begun answer cannot be finished: the client must see that it is cut. */
void error_cut(struct conn *c);
/*
 * No worker has its request any more, and none will answer: it is answered with this status, or cut if an answer has begun.
 * base: as above.
 */
void error_end(struct conn *c, unsigned status, unsigned retry_after_s, const struct record *base);
