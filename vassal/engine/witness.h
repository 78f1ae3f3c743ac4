/*
 * witness - a thread of a worker that asks for the GIL now and then, and says in shared memory since when it waits for
 * it. Python code lets go of the GIL every few milliseconds; C code that does not, and never ends, stops every thread of
 * its process, and only somebody who wants the GIL himself can tell. Only where deadlock-timeout is set: a thread more
 * makes a process one that should not fork.
 */
#pragma once
#include "shared/base.h"

struct engine;
struct witness;

/* Holds the GIL. NULL with an exception set. */
struct witness *witness_start(struct engine *e, unsigned worker);
/* Holds the GIL; lets it go while the thread ends. */
void witness_stop(struct witness *w);
