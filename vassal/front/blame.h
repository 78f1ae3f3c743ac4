/*
 * blame - the record of a request that was slow, ran out of time, or went down with its worker: what it was, who had
 * it, what that process was doing and what the app had logged. Written to the scoreboard's ring, where it outlives us.
 *
 * Whoever ends such a request, or finds that it is slow, calls blame_request() while the exchange slot is still the
 * request's and job->conn still stands. The record is written at once, or, where stacks were asked for (pool_stacks,
 * pool_kill), when they have come. The log's lines are the caller's business, as before.
 */
#pragma once
#include "shared/base.h"
#include "shared/scoreboard.h"
#include <sys/types.h>

struct front;
struct job;
struct pool_death;

#define BLAME_NO_LANE UINT32_MAX

struct blame_cause {
	enum board_blame_kind kind;
	unsigned lane;   /* that has or had it; BLAME_NO_LANE: nobody knows */
	unsigned status; /* that the client gets; 0: none yet, or it has gone */
	bool stacks;     /* of its worker were asked for, or are about to be: wait for them */
	const struct pool_death *death; /* of its worker; NULL: it lives */
	const char *reason;
};

void blame_request(struct front *f, unsigned slot, const struct blame_cause *cause);

/*
 * What the client gets if its answer has not begun; what it was told already, also by what ended the request before; 0 if
 * it has gone.
 */
unsigned blame_status(const struct job *job, unsigned status);
/* Did the worker crash, run into a limit of its own, or was it killed by us? */
enum board_blame_kind blame_kind_of(const struct pool_death *death);

/* They have come ("" if it did not answer). */
void blame_stacks(struct front *f, unsigned worker, pid_t pid, const char *text);
/* Writes what has waited long enough. */
void blame_tick(struct front *f);
bool blame_waits(const struct front *f);
/* Writes whatever waits. */
void blame_end(struct front *f);
