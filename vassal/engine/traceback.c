/*
 * traceback - see traceback.h.
 */
#include "vassal/engine/traceback.h"

#include <stdio.h>

#include "shared/fd.h"
#include "shared/log.h"
#include "vassal/engine/absent.h"
#include "vassal/engine/engine.h"
#include "vassal/engine/spec.h"

int traceback_start(struct engine *e)
{
	PyObject *module = PyImport_ImportModule("traceback");

	e->format_exception = module ? PyObject_GetAttrString(module, "format_exception") : NULL;
	Py_XDECREF(module);
	return e->format_exception ? 0 : -1;
}

PyObject *traceback_take_exception(void)
{
#if PY_VERSION_HEX >= 0x030C0000
	return PyErr_GetRaisedException();
#else
	PyObject *type;
	PyObject *value;
	PyObject *tb;

	PyErr_Fetch(&type, &value, &tb);
	if (!type)
		return NULL;
	PyErr_NormalizeException(&type, &value, &tb);
	if (tb && value && PyExceptionInstance_Check(value))
		(void)PyException_SetTraceback(value, tb);
	Py_XDECREF(tb);
	Py_DECREF(type);
	return value;
#endif
}

void traceback_put_exception(PyObject *exception)
{
#if PY_VERSION_HEX >= 0x030C0000
	PyErr_SetRaisedException(exception);
#else
	PyObject *type = (PyObject *)Py_TYPE(exception);

	Py_INCREF(type);
	PyErr_Restore(type, exception, PyException_GetTraceback(exception));
#endif
}

int traceback_forgive(void)
{
	if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception))
		return -1;
	PyErr_Clear();
	return 0;
}

static PyObject *format(const struct engine *e, PyObject *exception)
{
	PyObject *tb = PyException_GetTraceback(exception);
	PyObject *empty = PyUnicode_FromString("");
	PyObject *lines =
		empty ? PyObject_CallFunctionObjArgs(e->format_exception, Py_TYPE(exception),
						     exception, tb ? tb : Py_None, NULL)
		      : NULL;
	PyObject *text = lines ? PyUnicode_Join(empty, lines) : NULL;
	PyObject *bytes =
		text ? PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace") : NULL;

	Py_XDECREF(text);
	Py_XDECREF(lines);
	Py_XDECREF(empty);
	Py_XDECREF(tb);
	return bytes;
}

char *traceback_text(const struct engine *e, PyObject *exception)
{
	PyObject *bytes = format(e, exception);
	char *text = NULL;

	PyErr_Clear();
	if (!bytes) { /* its __str__ raised, or there is no memory: its type is still worth saying */
		if (asprintf(&text, "%s (its text cannot be shown)\n",
			     Py_TYPE(exception)->tp_name) < 0)
			return NULL;
		return text;
	}
	text = malloc(TRACEBACK_MAX + 2);
	if (text) {
		spec_tail(span_of(PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)), text,
			  TRACEBACK_MAX);
		memcpy(text + strlen(text), "\n", 2);
	}
	Py_DECREF(bytes);
	return text;
}

static void print(const char *heading, const char *text)
{
	char *whole = NULL;
	int n = asprintf(&whole, "%s\n%s", heading, text ? text : "(out of memory)\n");

	if (n < 0)
		return;
	/* The pipe may be full: nobody else has to wait for that. */
	Py_BEGIN_ALLOW_THREADS;
	(void)fd_write_all(STDERR_FILENO, whole, (size_t)n);
	Py_END_ALLOW_THREADS;
	free(whole);
}

/* The last line of a traceback: "ModuleNotFoundError: No module named 'shop'". */
static struct span last_line(const char *text)
{
	size_t n = strlen(text);
	const char *nl;

	while (n > 0 && text[n - 1] == '\n')
		n--;
	nl = memrchr(text, '\n', n);
	return nl ? span_of(nl + 1, (size_t)(text + n - nl - 1)) : span_of(text, n);
}

void traceback_report(const struct engine *e, const char *heading)
{
	PyObject *exception = traceback_take_exception();
	char absent[ABSENT_MAX];
	char *text;

	if (!exception)
		return;
	text = traceback_text(e, exception);
	print(heading, text);
	absent_explain(text ? last_line(text) : SPAN(""), absent);
	if (absent[0])
		log_warning("%s", absent);
	free(text);
	Py_DECREF(exception);
}

void traceback_explain(const struct engine *e, const char *prefix, char *text, size_t size)
{
	PyObject *exception = traceback_take_exception();
	_cleanup_(freep) char *whole = exception ? traceback_text(e, exception) : NULL;
	struct span reason = whole ? last_line(whole) : SPAN("failed without an exception");
	char absent[ABSENT_MAX];
	int n;

	absent_explain(reason, absent);
	n = snprintf(text, size, "%s: %.*s%s%s\n", prefix, (int)MIN(reason.n, size / 3), reason.p,
		     absent[0] ? "; " : "", absent);
	print(prefix, whole);
	/* An exception without a traceback has been said in full. */
	if (whole && n > 0 && (size_t)n < size && reason.p != whole)
		spec_tail(span_str(whole), text + n, size - (size_t)n);
	Py_XDECREF(exception);
}
