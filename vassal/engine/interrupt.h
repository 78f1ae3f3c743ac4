/*
 * interrupt - ends a request that takes too long, and not its worker: emperor.RequestTimeout is raised in the app.
 *
 * The front names the request in shared memory and sends a signal; a Python handler on the main thread looks whether
 * that very request is still in the app. On the main thread (one thread per worker) raising breaks sleep, recv and
 * regex backtracking; into another thread it is only set, and comes with the thread's next bytecode.
 */
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "shared/base.h"
#include "shared/limits.h"

struct engine;
struct lane;

/* The lanes of one worker, borrowed; lives as long as the process. */
struct interrupt_crew {
	struct engine *engine;
	unsigned n;
	struct lane *lanes[LIMIT_THREADS];
};

/* In the mold, before the app is imported: makes the exception, which the app imports as emperor.RequestTimeout. 0, -1. */
int interrupt_start(struct engine *e);
/* In the worker, on its main thread. 0, or -1 with an exception set. */
int interrupt_listen(struct interrupt_crew *c);
/* The lane's request has left the app: what was raised for it hits no other. On the lane's thread. */
void interrupt_forget(struct lane *l);
/* Is the exception that is set ours? */
bool interrupt_is_raised(const struct lane *l);
