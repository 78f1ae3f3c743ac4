/*
 * traceback - an exception that nobody caught, as text. The one place where exceptions become log lines.
 * All calls hold the GIL.
 */
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "shared/base.h"

struct engine;

/* Bytes of one that are printed: deep recursion with long lines can make megabytes. */
#define TRACEBACK_MAX (64UL * 1024)

int traceback_start(struct engine *e);

/* Takes the raised exception away (its traceback with it) and puts it back. NULL if there is none. */
PyObject *traceback_take_exception(void);
void traceback_put_exception(PyObject *exception);
/* Clears what is an Exception, if anything is raised. What ends a request or the process is none, and stays: -1. */
int traceback_forgive(void);

/*
 * The exception's text in the usual form, UTF-8, ending in a newline, cut to TRACEBACK_MAX (the end is kept). The
 * caller's to free; NULL if out of memory. No exception is set afterwards.
 */
char *traceback_text(const struct engine *e, PyObject *exception);

/*
 * Prints the raised exception with a heading, as one piece, to the log (descriptor 2), and clears it. Does not go
 * through sys.stderr: an app may have replaced it, and a log that is lost is worse than one that is not captured.
 */
void traceback_report(const struct engine *e, const char *heading);

/* Takes the raised exception: prints it, and "prefix: reason" with the traceback's end into text. */
void traceback_explain(const struct engine *e, const char *prefix, char *text, size_t size);
