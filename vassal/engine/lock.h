/*
 * lock - numbered locks that all workers of a generation share; let go by the kernel when their holder dies. Byte ranges
 * of the exchange's memory, which is theirs: the scoreboard, which outlives them, the app's user may not open.
 */
#pragma once
#include "shared/base.h"

#define LOCK_COUNT 64 /* 0 .. 63: apps use one or two */

/* Once, in the first mold; every process that is forked from then on holds nothing and has a handle of its own. 0 or -errno. */
int lock_start(void);
/*
 * Waits: call it without the GIL. 0, or -errno; -EINTR: a signal came, or a while has passed in which another thread of
 * this process held it. See to what Python has to do, and call again. Who holds it waits for ever: not recursive.
 */
int lock_take(unsigned number);
int lock_give(unsigned number);
/* Does anybody hold it? */
int lock_is_taken(unsigned number);
