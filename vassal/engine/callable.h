/*
 * callable - start_response, write and wsgi.early_hints as an app sees them: small callables of a lane, used again for every
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
/* Of one argument, handed to fn together with the lane. */
typedef PyObject *callable_fn(struct lane *l, PyObject *argument);
struct callable *callable_new_early_hints(struct lane *l, callable_fn *fn);
/* After a request: drops *c if the app kept it (it then answers with an exception), keeps it otherwise. */
void callable_release(struct callable **c);
