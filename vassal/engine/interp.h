/*
 * interp - starts the Python interpreter as `python3` of the app's virtualenv would be, and knows how it is left.
 */
#pragma once
#include "shared/base.h"

struct engine;
struct err;

/* Afterwards the calling thread, the main thread, holds the GIL. */
int interp_start(struct engine *e, struct err *err);
/* Before a fork: what is in Python's own buffers would be printed twice. Holds the GIL. */
void interp_flush(void);
/* gc.freeze(): what is there now stays shared with the processes that are forked; after a gc.collect(). Holds the GIL. */
int interp_freeze(bool collect);
/*
 * Leaves: runs uwsgi.atexit, joins threads that are not daemons, runs atexit functions, flushes; all of it within INTERP_EXIT_S, then
 * exits with this code in any case. Never finalises the interpreter (but for sanitizers). Holds the GIL.
 */
_Noreturn void interp_exit(struct engine *e, int code);

#define INTERP_EXIT_S 5 /* seconds for an app's atexit functions */
