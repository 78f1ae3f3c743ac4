/*
 * fusebox - the front's side of the fuse (fuse.h): knows requests by their exchange slots, answers 503 for those that
 * are fused, and tells people.
 *
 * Costs nothing while nobody is suspected: callers look at fusebox_watches() first.
 */
#pragma once
#include "vassal/front/state.h"

struct pool_death;

void fusebox_start(struct front *f);

static inline bool fusebox_watches(const struct front *f)
{
	return f->fuse.n > 0;
}

/*
 * The slot is filled and about to be submitted for this connection. True: it is fused, the slot is given back and the
 * client has its 503.
 */
bool fusebox_refuses(struct conn *c, unsigned slot);
/* A worker has answered the request in this slot, which was watched. */
void fusebox_survived(struct front *f, unsigned slot);
/* A worker died: what it has in its hands is suspected. Before its burial, and not of who died by time alone. */
void fusebox_died(struct front *f, const struct pool_death *death);
/* After a burial: what was fused by it and still waits is answered. */
void fusebox_sweep(struct front *f);
/* By command: all may pass again. */
void fusebox_clear(struct front *f);
