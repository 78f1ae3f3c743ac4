/*
 * callable - see callable.h.
 */
#include "vassal/engine/callable.h"

#include "shared/base.h"
#include "vassal/engine/lane.h"
#include "vassal/engine/response.h"

struct callable {
	PyObject_HEAD vectorcallfunc call;
	struct lane *lane; /* NULL: its request is over */
	callable_fn *fn;   /* of early hints */
};

static struct lane *get_lane(PyObject *self)
{
	struct lane *l = ((struct callable *)self)->lane;

	if (!l)
		PyErr_SetString(PyExc_RuntimeError, "the request is over");
	return l;
}

static PyObject *call_write(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
	struct lane *l = get_lane(self);

	if (!l)
		return NULL;
	if (PyVectorcall_NARGS(nargsf) != 1 || (kwnames && PyTuple_GET_SIZE(kwnames) > 0)) {
		PyErr_SetString(PyExc_TypeError, "write() takes exactly one argument, the data");
		return NULL;
	}
	if (response_write(l, args[0]) < 0)
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *call_early_hints(PyObject *self, PyObject *const *args, size_t nargsf,
				  PyObject *kwnames)
{
	struct lane *l = get_lane(self);

	if (!l)
		return NULL;
	if (PyVectorcall_NARGS(nargsf) != 1 || (kwnames && PyTuple_GET_SIZE(kwnames) > 0)) {
		PyErr_SetString(PyExc_TypeError,
				"wsgi.early_hints() takes exactly one argument, the headers");
		return NULL;
	}
	return ((struct callable *)self)->fn(l, args[0]);
}

/* exc_info is the only argument that apps pass by name. Borrowed; None if absent. NULL with an exception. */
static PyObject *find_exc_info(PyObject *const *args, Py_ssize_t n, PyObject *kwnames)
{
	Py_ssize_t named = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;

	if (n == 2 && named == 0)
		return Py_None;
	if (n == 3 && named == 0)
		return args[2];
	if (n == 2 && named == 1 &&
	    PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(kwnames, 0), "exc_info") == 0)
		return args[2];
	PyErr_SetString(PyExc_TypeError, "start_response() takes status, headers and exc_info");
	return NULL;
}

/* PEP 3333: once the head has gone, exc_info's own exception goes up through the app. */
static void reraise(PyObject *exc_info)
{
	PyObject *item[3];

	for (int i = 0; i < 3; i++) {
		item[i] = PyTuple_GET_ITEM(exc_info, i);
		if (item[i] == Py_None)
			item[i] = NULL;
		Py_XINCREF(item[i]);
	}
	PyErr_Restore(item[0], item[1], item[2]);
}

static bool is_exc_info(PyObject *o)
{
	return PyTuple_Check(o) && PyTuple_GET_SIZE(o) == 3 &&
	       PyExceptionClass_Check(PyTuple_GET_ITEM(o, 0)) &&
	       (PyTuple_GET_ITEM(o, 2) == Py_None || PyTraceBack_Check(PyTuple_GET_ITEM(o, 2)));
}

/* sys.exc_info() outside an except block: there is nothing to raise again, the rest of its meaning stays. */
static bool is_empty_exc_info(PyObject *o)
{
	return PyTuple_Check(o) && PyTuple_GET_SIZE(o) == 3 && PyTuple_GET_ITEM(o, 0) == Py_None &&
	       PyTuple_GET_ITEM(o, 1) == Py_None && PyTuple_GET_ITEM(o, 2) == Py_None;
}

static int check_again(const struct lane *l, PyObject *exc_info)
{
	if (exc_info == Py_None) {
		if (l->head.n == 0)
			return 0;
		PyErr_SetString(PyExc_AssertionError,
				"start_response() called twice without exc_info");
		return -1;
	}
	if (is_empty_exc_info(exc_info)) {
		if (!l->sent)
			return 0;
		PyErr_SetString(
			PyExc_AssertionError,
			"start_response() called after the head was sent, with no exception");
		return -1;
	}
	if (!is_exc_info(exc_info)) {
		PyErr_SetString(PyExc_TypeError, "exc_info must be what sys.exc_info() returns");
		return -1;
	}
	if (!l->sent)
		return 0;
	reraise(exc_info);
	return -1;
}

static PyObject *call_start_response(PyObject *self, PyObject *const *args, size_t nargsf,
				     PyObject *kwnames)
{
	struct lane *l = get_lane(self);
	PyObject *exc_info;

	if (!l)
		return NULL;
	exc_info = find_exc_info(args, PyVectorcall_NARGS(nargsf), kwnames);
	if (!exc_info || check_again(l, exc_info) < 0 || response_set_head(l, args[0], args[1]) < 0)
		return NULL;
	if (!l->write)
		l->write = callable_new_write(l);
	Py_XINCREF((PyObject *)l->write);
	return (PyObject *)l->write;
}

static void callable_dealloc(PyObject *self)
{
	PyObject_Free(self);
}

static PyTypeObject callable_type = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "emperor.Callable",
	.tp_doc = "start_response, write or wsgi.early_hints of one request",
	.tp_basicsize = sizeof(struct callable),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL,
	.tp_dealloc = callable_dealloc,
	.tp_call = PyVectorcall_Call,
	.tp_vectorcall_offset = offsetof(struct callable, call),
};

int callable_start(void)
{
	return PyType_Ready(&callable_type);
}

static struct callable *make(struct lane *l, vectorcallfunc call)
{
	struct callable *c = PyObject_New(struct callable, &callable_type);

	if (c) {
		c->call = call;
		c->lane = l;
		c->fn = NULL;
	}
	return c;
}

struct callable *callable_new_start_response(struct lane *l)
{
	return make(l, call_start_response);
}

struct callable *callable_new_write(struct lane *l)
{
	return make(l, call_write);
}

struct callable *callable_new_early_hints(struct lane *l, callable_fn *fn)
{
	struct callable *c = make(l, call_early_hints);

	if (c)
		c->fn = fn;
	return c;
}

void callable_release(struct callable **c)
{
	if (!*c || Py_REFCNT((PyObject *)*c) == 1)
		return;
	(*c)->lane = NULL;
	Py_DECREF((PyObject *)*c);
	*c = NULL;
}
