/*
 * pressure - see pressure.h. Waiting is what counts, not how many are busy: two workers that answer a
 * hundred requests at once, each soon enough, are enough.
 */
#include "vassal/front/pressure.h"

#include "vassal/front/state.h"
#include "vassal/pool/pool.h"

unsigned pressure_look(const struct front *f, uint64_t *ret_oldest_ns)
{
	unsigned left = f->jobs_n, waiting = f->queued_n;
	uint64_t oldest_ns = f->queue_first ? f->queue_first->complete_ns : UINT64_MAX;

	for (unsigned slot = 0; slot < f->shape.slots && left > 0; slot++) {
		const struct job *job = &f->jobs[slot];

		if (!job->used)
			continue;
		left--;
		if (!job->conn || exchange_taken_ns(f->exchange, slot) > 0 ||
		    exchange_holder(f->exchange, slot) >= 0)
			continue;
		waiting++;
		oldest_ns = MIN(oldest_ns, job->queued_ns);
	}
	*ret_oldest_ns = waiting > 0 ? oldest_ns : 0;
	return waiting;
}

void pressure_tell(struct front *f)
{
	if (f->jobs_n + f->queued_n > 0 && f->pool && pool_wants_pressure(f->pool))
		pool_pressure(f->pool);
}
