/*
 * refusals - the answers that the gate gives itself, as lines of the log: whom, what and why. Anybody can make it answer, so
 * only LIMIT_GATE_LINES a second are written, and how many were not. Pure.
 */
#pragma once
#include "emperor/gate/answer.h"
#include "shared/span.h"

#define REFUSALS_LINE 512

struct refusals { /* zeroed at first */
	uint64_t second;
	unsigned said, unsaid; /* in it; before it, and not told yet */
};

/* May one more be written? Then *ret_unsaid went without since the last one. */
bool refusals_may_say(struct refusals *r, uint64_t now_ns, unsigned *ret_unsaid);
/*
 * client: an address, or "" by a UNIX socket. request: what came, of which the first line is shown; host: as the request
 * names it, or n = 0. Whatever commands a terminal is shown as '?'.
 */
void refusals_format(char buf[REFUSALS_LINE], const char *client, const struct answer *a,
		     struct span request, struct span host);
