/*
 * response_head - what start_response() and wsgi.early_hints() were given, as a head: see response.h. Nothing is sent here.
 */
#include "vassal/engine/response.h"

#include "shared/err.h"
#include "vassal/engine/lane.h"

/* The characters of a str that PEP 3333 allows: all of them fit a byte. */
static int native(PyObject *s, const char *what, struct span *ret)
{
	if (!PyUnicode_Check(s)) {
		PyErr_Format(PyExc_TypeError, "%s must be str, not %.100s", what,
			     Py_TYPE(s)->tp_name);
		return -1;
	}
#if PY_VERSION_HEX < 0x030C0000
	if (PyUnicode_READY(s) < 0)
		return -1;
#endif
	if (PyUnicode_KIND(s) != PyUnicode_1BYTE_KIND) {
		PyErr_Format(PyExc_ValueError, "%s holds characters beyond latin-1: %R", what, s);
		return -1;
	}
	*ret = span_of((const char *)PyUnicode_1BYTE_DATA(s), (size_t)PyUnicode_GET_LENGTH(s));
	return 0;
}

static int raise_err(const struct err *err)
{
	PyObject *text = PyUnicode_DecodeLatin1(err->text, (Py_ssize_t)strlen(err->text), NULL);

	if (text)
		PyErr_SetObject(PyExc_ValueError, text);
	Py_XDECREF(text);
	return -1;
}

static int set_field(struct head *h, PyObject *pair)
{
	struct span name;
	struct span value;
	struct err err;

	if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
		PyErr_Format(PyExc_TypeError,
			     "each header must be a tuple of name and value, not %R", pair);
		return -1;
	}
	if (native(PyTuple_GET_ITEM(pair, 0), "header name", &name) < 0 ||
	    native(PyTuple_GET_ITEM(pair, 1), "header value", &value) < 0)
		return -1;
	return head_field(h, name, value, &err) < 0 ? raise_err(&err) : 0;
}

int response_set_fields(struct head *h, PyObject *headers)
{
	if (!PyList_Check(headers) && !PyTuple_Check(headers)) {
		PyErr_Format(PyExc_TypeError, "headers must be a list, not %.100s",
			     Py_TYPE(headers)->tp_name);
		return -1;
	}
	for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(headers); i++) {
		PyObject *pair = PySequence_Fast_GET_ITEM(headers, i);
		int r;

		/* a str's text is immutable, but what is complained of is shown by code of its own */
		Py_INCREF(pair);
		r = set_field(h, pair);
		Py_DECREF(pair);
		if (r < 0)
			return -1;
	}
	return 0;
}

int response_set_head(struct lane *l, PyObject *status, PyObject *headers)
{
	struct span text;
	struct err err;

	l->head.n = 0;
	if (native(status, "status", &text) < 0)
		return -1;
	if (head_begin(&l->head, text, &err) < 0)
		return raise_err(&err);
	if (response_set_fields(&l->head, headers) == 0)
		return 0;
	l->head.n = 0; /* half a head is none */
	return -1;
}
