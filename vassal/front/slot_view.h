/*
 * slot_view - what a request in an exchange slot asked for, read back from there: needed only when something has gone
 * wrong with it, so nothing is kept for it meanwhile. A worker may have written over the slot: what is looked at is a
 * copy, in the front's scratch memory, good until the next request is parsed.
 */
#pragma once
#include "shared/span.h"

struct front;

struct slot_view {
	struct span method, target; /* empty: not to be found */
	struct span body;           /* what of it is in memory */
};

void slot_view(struct front *f, unsigned slot, struct slot_view *ret);
