/*
 * input - see input.h. What the methods give comes from input_bytes.c.
 */
#include "vassal/engine/input_inner.h"

/* None and negative numbers mean "all". */
static int size_argument(PyObject *const *args, Py_ssize_t nargs, const char *name, Py_ssize_t *ret)
{
	*ret = -1;
	if (nargs > 1) {
		PyErr_Format(PyExc_TypeError, "%s() takes at most 1 argument (%zd given)", name,
			     nargs);
		return -1;
	}
	if (nargs == 0 || args[0] == Py_None)
		return 0;
	*ret = PyNumber_AsSsize_t(args[0], PyExc_OverflowError);
	return *ret == -1 && PyErr_Occurred() ? -1 : 0;
}

static PyObject *input_read(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
	Py_ssize_t want;

	if (size_argument(args, nargs, "read", &want) < 0)
		return NULL;
	return input_take((struct input *)self, want < 0 ? UINT64_MAX : (uint64_t)want);
}

static PyObject *input_readline(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
	Py_ssize_t limit;

	if (size_argument(args, nargs, "readline", &limit) < 0)
		return NULL;
	return input_take_line((struct input *)self, limit);
}

static PyObject *input_readlines(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
	struct input *in = (struct input *)self;
	PyObject *lines;
	Py_ssize_t hint;
	Py_ssize_t total = 0;

	if (size_argument(args, nargs, "readlines", &hint) < 0)
		return NULL;
	lines = PyList_New(0);
	while (lines && (hint <= 0 || total < hint)) {
		PyObject *line = input_take_line(in, -1);
		Py_ssize_t n = line ? PyBytes_GET_SIZE(line) : -1;
		int r = n > 0 ? PyList_Append(lines, line) : 0;

		Py_XDECREF(line);
		if (n < 0 || r < 0)
			Py_CLEAR(lines);
		if (n <= 0)
			break;
		total += n;
	}
	return lines;
}

static PyObject *input_next(PyObject *self)
{
	PyObject *line = input_take_line((struct input *)self, -1);

	if (line && PyBytes_GET_SIZE(line) == 0)
		Py_CLEAR(line);
	return line;
}

static PyObject *input_iter(PyObject *self)
{
	Py_INCREF(self);
	return self;
}

static PyObject *input_readinto(PyObject *self, PyObject *target)
{
	struct input *in = (struct input *)self;
	Py_buffer view;
	ssize_t n;

	if (input_check(in) < 0)
		return NULL;
	if (PyObject_GetBuffer(target, &view, PyBUF_WRITABLE) < 0) {
		PyErr_Format(PyExc_TypeError,
			     "readinto() takes a bytes-like object that can be written, not %.100s",
			     Py_TYPE(target)->tp_name);
		return NULL;
	}
	n = input_take_into(in, view.buf, (uint64_t)view.len);
	PyBuffer_Release(&view);
	return n < 0 ? NULL : PyLong_FromSsize_t(n);
}

static PyObject *input_seek(PyObject *self, PyObject *args)
{
	struct input *in = (struct input *)self;
	long long offset;
	long long base;
	int whence = SEEK_SET;

	if (!PyArg_ParseTuple(args, "L|i:seek", &offset, &whence) || input_hold(in) < 0)
		return NULL;
	base = whence == SEEK_CUR ? (long long)in->at : whence == SEEK_END ? (long long)in->n : 0;
	if (whence < SEEK_SET || whence > SEEK_END || __builtin_add_overflow(base, offset, &base) ||
	    base < 0) {
		PyErr_SetString(PyExc_ValueError, "wsgi.input: cannot seek there");
		base = -1;
	} else {
		in->at = (uint64_t)base;
	}
	input_release(in);
	return base < 0 ? NULL : PyLong_FromLongLong(base);
}

static PyObject *input_tell(PyObject *self, PyObject *unused)
{
	(void)unused;
	if (input_check((struct input *)self) < 0)
		return NULL;
	return PyLong_FromUnsignedLongLong(((struct input *)self)->at);
}

static PyObject *input_yes(PyObject *self, PyObject *unused)
{
	(void)self;
	(void)unused;
	Py_RETURN_TRUE;
}

static PyObject *input_no(PyObject *self, PyObject *unused)
{
	(void)self;
	(void)unused;
	Py_RETURN_FALSE;
}

/* close() and flush(): the body is the server's, there is nothing to close. */
static PyObject *input_nothing(PyObject *self, PyObject *unused)
{
	(void)self;
	(void)unused;
	Py_RETURN_NONE;
}

/* What io's own streams answer to what they cannot do. */
static PyObject *input_unsupported(PyObject *self, PyObject *args)
{
	PyObject *io = PyImport_ImportModule("io");
	PyObject *type = io ? PyObject_GetAttrString(io, "UnsupportedOperation") : NULL;

	(void)self;
	(void)args;
	if (type)
		PyErr_SetString(type, "wsgi.input can but be read");
	Py_XDECREF(type);
	Py_XDECREF(io);
	return NULL;
}

static PyObject *input_enter(PyObject *self, PyObject *unused)
{
	(void)unused;
	if (input_check((struct input *)self) < 0)
		return NULL;
	Py_INCREF(self);
	return self;
}

static PyObject *input_exit(PyObject *self, PyObject *unused)
{
	return input_nothing(self, unused);
}

static PyObject *get_closed(PyObject *self, void *unused)
{
	(void)unused;
	return PyBool_FromLong(!((struct input *)self)->attached);
}

void input_detach(struct input *in)
{
	in->attached = false;
	in->memory = NULL;
	in->n = in->at = 0;
	in->window_n = 0;
	if (in->fd >= 0 && !in->busy) {
		(void)close(in->fd);
		in->fd = -1;
	}
}

static void input_dealloc(PyObject *self)
{
	struct input *in = (struct input *)self;

	input_detach(in);
	PyMem_Free(in->window);
	(void)pthread_mutex_destroy(&in->lock);
	PyObject_Free(self);
}

/* Through void *: these functions have other types than the table's, as METH_FASTCALL wants. */
#define FASTCALL(fn) ((PyCFunction)(void (*)(void))(fn))

static PyMethodDef input_methods[] = {
	{"read", FASTCALL(input_read), METH_FASTCALL, "read([size]) -> bytes"},
	{"read1", FASTCALL(input_read), METH_FASTCALL, "read1([size]) -> bytes"},
	{"readline", FASTCALL(input_readline), METH_FASTCALL, "readline([size]) -> bytes"},
	{"readlines", FASTCALL(input_readlines), METH_FASTCALL,
	 "readlines([hint]) -> list of bytes"},
	{"readinto", input_readinto, METH_O, "readinto(buffer) -> number of bytes"},
	{"readinto1", input_readinto, METH_O, "readinto1(buffer) -> number of bytes"},
	{"seek", input_seek, METH_VARARGS, "seek(offset[, whence]) -> position"},
	{"tell", input_tell, METH_NOARGS, "tell() -> position"},
	{"readable", input_yes, METH_NOARGS, "True"},
	{"seekable", input_yes, METH_NOARGS, "True"},
	{"writable", input_no, METH_NOARGS, "False"},
	{"isatty", input_no, METH_NOARGS, "False"},
	{"flush", input_nothing, METH_NOARGS, "Does nothing."},
	{"close", input_nothing, METH_NOARGS, "Does nothing: the body belongs to the server."},
	{"__enter__", input_enter, METH_NOARGS, "Itself."},
	{"__exit__", input_exit, METH_VARARGS, "Does nothing, as close()."},
	{"fileno", input_unsupported, METH_VARARGS, "There is none."},
	{"write", input_unsupported, METH_VARARGS, "Not to be written."},
	{"writelines", input_unsupported, METH_VARARGS, "Not to be written."},
	{"truncate", input_unsupported, METH_VARARGS, "Not to be written."},
	{"detach", input_unsupported, METH_VARARGS, "Nothing is below."},
	{NULL, NULL, 0, NULL},
};

static PyGetSetDef input_attributes[] = {
	{"closed", get_closed, NULL, "True once the request is over.", NULL},
	{NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject input_type = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "emperor.Input",
	.tp_doc = "wsgi.input (PEP 3333)",
	.tp_basicsize = sizeof(struct input),
	.tp_flags = Py_TPFLAGS_DEFAULT,
	.tp_dealloc = input_dealloc,
	.tp_iter = input_iter,
	.tp_iternext = input_next,
	.tp_methods = input_methods,
	.tp_getset = input_attributes,
};

/* It is one by what it does; libraries ask isinstance(). */
static int register_as_stream(void)
{
	PyObject *io = PyImport_ImportModule("io");
	PyObject *base = io ? PyObject_GetAttrString(io, "BufferedIOBase") : NULL;
	PyObject *r = base ? PyObject_CallMethod(base, "register", "O", &input_type) : NULL;

	Py_XDECREF(r);
	Py_XDECREF(base);
	Py_XDECREF(io);
	return r ? 0 : -1;
}

int input_start(void)
{
	return PyType_Ready(&input_type) == 0 ? register_as_stream() : -1;
}

struct input *input_new(void)
{
	struct input *in = PyObject_New(struct input, &input_type);

	if (!in)
		return NULL;
	memset((char *)in + sizeof(PyObject), 0, sizeof(*in) - sizeof(PyObject));
	in->fd = -1;
	(void)pthread_mutex_init(&in->lock, NULL);
	return in;
}

void input_attach(struct input *in, const uint8_t *memory, uint64_t body_n, input_open_fn *open,
		  void *arg)
{
	static const uint8_t nothing[1];

	in->attached = true;
	in->memory = body_n == 0 ? nothing : memory;
	in->n = body_n;
	in->at = 0;
	in->open = open;
	in->arg = arg;
}
