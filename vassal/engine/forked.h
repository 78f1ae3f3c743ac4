/*
 * forked - is this process the engine that the front knows, or a copy that the app made of it with fork()?
 *
 * A copy may do what it likes inside the app: daemons, os._exit, exec. Once it comes back to us it ends: the lane,
 * the channel to the front and the scoreboard belong to the original, and two processes on one lane answer one
 * client with another one's page.
 */
#pragma once
#include <stdbool.h>

struct engine;

/* This process is an original from now on. Call it again in each process that we fork ourselves. */
void forked_watch(void);
/* Costs no system call. */
bool forked_is(void);
/*
 * Ends a copy: status of the raised SystemExit, 1 after any other exception (which is reported), else 0. Flushes
 * Python's files; runs no atexit functions: they are the original's to run. Holds the GIL.
 */
_Noreturn void forked_leave(const struct engine *e);
