/*
 * input - see input.h.
 *
 * A body in a file is read with pread, without the GIL, straight into the bytes that the app gets; only readline()
 * goes through a window, since it does not know how far it has to read.
 */
#include "vassal/engine/input.h"

#include <errno.h>

#include "vassal/engine/forked.h"

#define WINDOW_BYTES 16384 /* of a file, for readline */

struct input {
	PyObject_HEAD bool attached;
	const uint8_t *memory; /* the slot's; NULL: a file */
	uint64_t n, at;
	int fd;        /* owned; -1 not opened yet */
	unsigned busy; /* reads that go on without the GIL: the descriptor must outlive them */
	input_open_fn *open;
	void *arg;
	uint8_t *window; /* owned; WINDOW_BYTES */
	uint64_t window_at;
	size_t window_n;
};

/* A process that the app forked may outlive the request: the memory of its body is then another one's. */
static int check_attached(const struct input *in)
{
	if (in->attached && !forked_is())
		return 0;
	PyErr_SetString(PyExc_ValueError,
			in->attached ? "wsgi.input: the request is not this forked process's"
				     : "wsgi.input: the request is over");
	return -1;
}

static int open_file(struct input *in)
{
	_cleanup_(fd_closep) int fd = -1;

	if (in->fd >= 0)
		return 0;
	if (in->open(in->arg, &fd) < 0)
		return -1;
	/* The GIL was free meanwhile: the request may be over, or another thread has opened it too. */
	if (check_attached(in) < 0)
		return -1;
	if (in->fd < 0)
		in->fd = TAKE_FD(fd);
	return 0;
}

/* want bytes of the file from at on. -1 with an exception set when they are not there. */
static int read_file(struct input *in, uint8_t *p, size_t want, uint64_t at)
{
	size_t got = 0;
	int saved = 0;

	if (open_file(in) < 0)
		return -1;
	in->busy++;
	Py_BEGIN_ALLOW_THREADS;
	while (got < want) {
		ssize_t r = pread(in->fd, p + got, want - got, (off_t)(at + got));

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			saved = r < 0 ? errno : EIO;
			break;
		}
		got += (size_t)r;
	}
	Py_END_ALLOW_THREADS;
	in->busy--;
	if (!in->attached && in->busy == 0 && in->fd >= 0) {
		(void)close(in->fd);
		in->fd = -1;
	}
	if (check_attached(in) < 0)
		return -1;
	if (saved == 0)
		return 0;
	errno = saved;
	(void)PyErr_SetFromErrno(PyExc_OSError);
	return -1;
}

static int copy(struct input *in, uint8_t *p, size_t want)
{
	if (want == 0)
		return 0;
	if (!in->memory)
		return read_file(in, p, want, in->at);
	memcpy(p, in->memory + in->at, want);
	return 0;
}

static uint64_t left(const struct input *in)
{
	return in->at < in->n ? in->n - in->at : 0;
}

static PyObject *take(struct input *in, uint64_t want)
{
	PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)want);

	if (!bytes)
		return NULL;
	if (copy(in, (uint8_t *)PyBytes_AS_STRING(bytes), want) < 0) {
		Py_DECREF(bytes);
		return NULL;
	}
	in->at += want;
	return bytes;
}

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
	struct input *in = (struct input *)self;
	Py_ssize_t want;

	if (size_argument(args, nargs, "read", &want) < 0 || check_attached(in) < 0)
		return NULL;
	return take(in, want < 0 ? left(in) : MIN((uint64_t)want, left(in)));
}

/* The bytes that are at hand from at on, at most to end: in memory all of them, of a file what the window holds. */
static int look(struct input *in, uint64_t at, uint64_t end, const uint8_t **ret_p, size_t *ret_n)
{
	size_t n;

	if (in->memory) {
		*ret_p = in->memory + at;
		*ret_n = (size_t)(end - at);
		return 0;
	}
	if (at < in->window_at || at >= in->window_at + in->window_n) {
		n = (size_t)MIN((uint64_t)WINDOW_BYTES, in->n - at);
		in->window_n = 0;
		if (read_file(in, in->window, n, at) < 0)
			return -1;
		in->window_at = at;
		in->window_n = n;
	}
	*ret_p = in->window + (at - in->window_at);
	*ret_n = (size_t)MIN(end - at, in->window_at + in->window_n - at);
	return 0;
}

/* Bytes up to and including the next newline, at most limit. */
static int find_line(struct input *in, uint64_t limit, uint64_t *ret_n)
{
	uint64_t end = in->at + MIN(limit, left(in));
	uint64_t at = in->at;

	while (at < end) {
		const uint8_t *p;
		const uint8_t *nl;
		size_t n;

		if (look(in, at, end, &p, &n) < 0)
			return -1;
		nl = memchr(p, '\n', n);
		if (nl) {
			*ret_n = at + (uint64_t)(nl - p) + 1 - in->at;
			return 0;
		}
		at += n;
	}
	*ret_n = end - in->at;
	return 0;
}

/* The line from the window if it is all there: a second pread for each line would be a waste. */
static PyObject *take_line(struct input *in, uint64_t n)
{
	PyObject *bytes;

	if (in->memory || in->at < in->window_at || in->at + n > in->window_at + in->window_n)
		return take(in, n);
	bytes = PyBytes_FromStringAndSize((const char *)in->window + (in->at - in->window_at),
					  (Py_ssize_t)n);
	if (bytes)
		in->at += n;
	return bytes;
}

static PyObject *read_line(struct input *in, Py_ssize_t limit)
{
	uint64_t n;

	if (check_attached(in) < 0)
		return NULL;
	if (!in->memory && !in->window) {
		in->window = PyMem_Malloc(WINDOW_BYTES);
		if (!in->window)
			return PyErr_NoMemory();
	}
	if (find_line(in, limit < 0 ? UINT64_MAX : (uint64_t)limit, &n) < 0)
		return NULL;
	return take_line(in, n);
}

static PyObject *input_readline(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
	Py_ssize_t limit;

	if (size_argument(args, nargs, "readline", &limit) < 0)
		return NULL;
	return read_line((struct input *)self, limit);
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
		PyObject *line = read_line(in, -1);
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
	PyObject *line = read_line((struct input *)self, -1);

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
	uint64_t n;
	int r;

	if (check_attached(in) < 0)
		return NULL;
	if (PyObject_GetBuffer(target, &view, PyBUF_WRITABLE) < 0) {
		PyErr_Format(PyExc_TypeError,
			     "readinto() takes a bytes-like object that can be written, not %.100s",
			     Py_TYPE(target)->tp_name);
		return NULL;
	}
	n = MIN((uint64_t)view.len, left(in));
	r = copy(in, view.buf, n);
	PyBuffer_Release(&view);
	if (r < 0)
		return NULL;
	in->at += n;
	return PyLong_FromUnsignedLongLong(n);
}

static PyObject *input_seek(PyObject *self, PyObject *args)
{
	struct input *in = (struct input *)self;
	long long offset;
	long long base;
	int whence = SEEK_SET;

	if (!PyArg_ParseTuple(args, "L|i:seek", &offset, &whence) || check_attached(in) < 0)
		return NULL;
	base = whence == SEEK_CUR ? (long long)in->at : whence == SEEK_END ? (long long)in->n : 0;
	if (whence < SEEK_SET || whence > SEEK_END || __builtin_add_overflow(base, offset, &base) ||
	    base < 0) {
		PyErr_SetString(PyExc_ValueError, "wsgi.input: cannot seek there");
		return NULL;
	}
	in->at = (uint64_t)base;
	return PyLong_FromLongLong(base);
}

static PyObject *input_tell(PyObject *self, PyObject *unused)
{
	(void)unused;
	if (check_attached((struct input *)self) < 0)
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
	if (check_attached((struct input *)self) < 0)
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
	if (in->fd >= 0 && in->busy == 0) {
		(void)close(in->fd);
		in->fd = -1;
	}
}

static void input_dealloc(PyObject *self)
{
	struct input *in = (struct input *)self;

	input_detach(in);
	PyMem_Free(in->window);
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
