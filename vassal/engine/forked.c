/*
 * forked - see forked.h.
 */
#include "vassal/engine/engine.h"

#include <pthread.h>

#include "shared/log.h"
#include "vassal/engine/forked.h"
#include "vassal/engine/interp.h"
#include "vassal/engine/signals.h"
#include "vassal/engine/traceback.h"

#define LOG_FLUSH_MS 200 /* our own last lines, should the pipe be full */

/* Fork handlers have no argument: this is all the state they need. */
static bool is_copy;
static bool watched;

static void on_fork_in_child(void)
{
	is_copy = true;
}

void forked_watch(void)
{
	/* of libc and not of Python: an extension's fork() counts too */
	if (!watched)
		watched = pthread_atfork(NULL, NULL, on_fork_in_child) == 0;
	is_copy = false;
}

bool forked_is(void)
{
	return is_copy;
}

/* As Python itself ends: None is 0, a number is itself, anything else is printed and is 1. */
static int status_of_exit(PyObject *exception)
{
	PyObject *code = PyObject_GetAttrString(exception, "code");
	int status = 1;

	if (code == Py_None)
		status = 0;
	else if (code && PyLong_Check(code))
		status = (int)PyLong_AsUnsignedLongMask(code) & 0xff;
	else if (code)
		PySys_FormatStderr("%S\n", code);
	Py_XDECREF(code);
	PyErr_Clear();
	return status;
}

_Noreturn void forked_leave(const struct engine *e)
{
	int status = 0;

	signals_exit_after(INTERP_EXIT_S, 1);
	if (!PyErr_Occurred()) {
		log_warning("process %d, which the app forked, came back from the app; it ends",
			    (int)getpid());
	} else if (PyErr_ExceptionMatches(PyExc_SystemExit)) {
		PyObject *exception = traceback_take_exception();

		status = status_of_exit(exception);
		Py_DECREF(exception);
	} else {
		traceback_report(e, "exception in a process that the app forked");
		status = 1;
	}
	interp_flush();
	log_flush(LOG_FLUSH_MS);
	_exit(status);
}
