/*
 * uwsgi_lock - uwsgi.lock(), unlock(), is_locked(): see lock.h.
 */
#include "vassal/engine/uwsgi_inner.h"

#include <errno.h>

#include "vassal/engine/lock.h"

static int number_of(PyObject *args, const char *format, unsigned *ret)
{
	int n = 0;

	if (!PyArg_ParseTuple(args, format, &n))
		return -1;
	if (n < 0 || n >= LOCK_COUNT) {
		PyErr_Format(PyExc_ValueError, "locks are numbered from 0 to %d", LOCK_COUNT - 1);
		return -1;
	}
	*ret = (unsigned)n;
	return 0;
}

static PyObject *fail(int r)
{
	errno = -r;
	return PyErr_SetFromErrno(PyExc_OSError);
}

/*
 * Signal handlers, and whatever else is to be raised in this thread: interrupt-timeout leaves it to the evaluation of
 * Python code, of which there is none while we wait.
 */
static int let_python_look(void)
{
	PyObject *none = PyErr_CheckSignals() == 0 ? PyDict_New() : NULL;
	PyObject *r = none ? PyRun_String("None", Py_eval_input, none, none) : NULL;

	Py_XDECREF(none);
	Py_XDECREF(r);
	return r ? 0 : -1;
}

PyObject *uwsgi_lock(PyObject *module, PyObject *args)
{
	unsigned number;
	int r;

	(void)module;
	if (number_of(args, "|i:lock", &number) < 0)
		return NULL;
	do {
		Py_BEGIN_ALLOW_THREADS;
		r = lock_take(number);
		Py_END_ALLOW_THREADS;
	} while (r == -EINTR && let_python_look() == 0);
	if (r == -EINTR)
		return NULL;
	if (r < 0)
		return fail(r);
	Py_RETURN_NONE;
}

PyObject *uwsgi_unlock(PyObject *module, PyObject *args)
{
	unsigned number;
	int r;

	(void)module;
	if (number_of(args, "|i:unlock", &number) < 0)
		return NULL;
	r = lock_give(number);
	if (r < 0)
		return fail(r);
	Py_RETURN_NONE;
}

PyObject *uwsgi_is_locked(PyObject *module, PyObject *args)
{
	unsigned number;
	int r;

	(void)module;
	if (number_of(args, "|i:is_locked", &number) < 0)
		return NULL;
	r = lock_is_taken(number);
	return r < 0 ? fail(r) : PyBool_FromLong(r);
}
