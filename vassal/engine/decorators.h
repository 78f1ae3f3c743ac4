/*
 * decorators - the "uwsgidecorators" module: postfork, thread, lock, harakiri. The others of uWSGI need what is not here,
 * and have no name in it.
 */
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* For PyImport_AppendInittab. */
PyObject *decorators_init(void);
