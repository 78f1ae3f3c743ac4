/*
 * record - what is kept of a finished request: counters and histograms of the scoreboard, the access line.
 */
#pragma once
#include "shared/base.h"

struct conn;
struct front;

struct record {
	unsigned status; /* 0: nothing could be sent */
	uint64_t body_bytes;
	uint64_t queue_ns, app_ns;
	unsigned worker;     /* 1-based; 0: no worker had it */
	bool logged;         /* whatever is configured */
	const char *logvars; /* of uwsgi.set_logvar(), until it is logged; NULL or "": none */
};

void record_request(const struct conn *c, const struct record *r);
/* Times of a request that a worker had, whether its client still wanted it or not. */
void record_times(struct front *f, uint64_t queue_ns, uint64_t app_ns);
