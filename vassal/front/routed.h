/*
 * routed - what the routing table of an ini (route, route-if ...) makes of a request before anything else answers it:
 * redirects, refusals, passwords, files, fields of the answer. A rule that cannot be judged refuses the request.
 *
 * A password that is looked up in a file costs a hash of some 100 ms, which a disk thread makes. Meanwhile nothing of the
 * request is kept but its bytes: when the verdict is known, it is parsed again and finds the verdict here, and so do
 * later requests for some seconds.
 */
#pragma once
#include "shared/span.h"

struct conn;
struct err;
struct front;
struct parsed_head;
struct routed;     /* of a request */
struct routed_job; /* a password is looked up */
struct routing_table;

/* Nothing to do without rules. A pattern that is none: -EINVAL, with its place. */
int routing_open(struct front *f, struct err *err);

enum routed_outcome {
	ROUTED_ON,   /* the request goes on */
	ROUTED_DONE, /* it is being answered, or its connection has ended */
	ROUTED_HELD, /* not a byte of it is used: it will be parsed again (c->held) */
};
enum routed_outcome routed_begin(struct conn *c, const struct parsed_head *in);

/* The request is over; also at the end of its connection, when nobody waits for the verdict any more. */
void routed_forget(struct conn *c);

/* "Name: value\r\n"... that an answer to this request has beside its own. */
struct span routed_fields(const struct conn *c);
/* Who was let in; n = 0: nobody was asked. */
struct span routed_user(const struct conn *c);
/* Its line does not go to the access log. */
bool routed_is_quiet(const struct conn *c);
