/*
 * app - finds the WSGI callable that the ini names: module, wsgi-file, callable.
 */
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "shared/base.h"
#include "shared/msg.h"
#include <Python.h>

struct engine;

/*
 * Imports the app into e->application and makes e->environ. Holds the GIL. FAIL_NONE, or what failed with its reason
 * and the traceback's end in text; the whole traceback has then been printed.
 */
enum fail_phase app_load(struct engine *e, char *text, size_t size);
/*
 * The app for this request: what its path mounts, else the default one. Borrowed; a mount's path goes from env's
 * PATH_INFO to SCRIPT_NAME. NULL with an exception, or without one: there is no app there.
 */
PyObject *app_for(const struct engine *e, PyObject *env);
