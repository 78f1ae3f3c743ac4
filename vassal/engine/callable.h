/*
 * callable - start_response and write as an app sees them: two small callables of a lane, used again for every
 * request unless the app kept one. A kept one is cut off and says so when it is called. All calls hold the GIL.
 */
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>

struct callable;
struct lane;

int callable_start(void);
/* New references, bound to l. */
struct callable *callable_new_start_response(struct lane *l);
struct callable *callable_new_write(struct lane *l);
/* After a request: drops *c if the app kept it (it then answers with an exception), keeps it otherwise. */
void callable_release(struct callable **c);
