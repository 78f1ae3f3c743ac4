/*
 * filewrapper - see filewrapper.h.
 */
#include "vassal/engine/filewrapper.h"

#include <structmember.h>
#include <sys/stat.h>

#include "shared/fd.h"
#include "vassal/engine/traceback.h"

#define BLOCK_DEFAULT 8192

static PyObject *wrapper_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	static char name_file[] = "filelike";
	static char name_block[] = "blksize";
	static char *names[] = {name_file, name_block, NULL};
	struct filewrapper *w;
	PyObject *file;
	PyObject *read;
	Py_ssize_t block = BLOCK_DEFAULT;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|n:file_wrapper", names, &file, &block))
		return NULL;
	read = PyObject_GetAttrString(file, "read");
	if (!read)
		return NULL;
	w = (struct filewrapper *)type->tp_alloc(type, 0);
	if (!w) {
		Py_DECREF(read);
		return NULL;
	}
	Py_INCREF(file);
	w->file = file;
	w->read = read;
	w->block = block > 0 ? block : BLOCK_DEFAULT;
	return (PyObject *)w;
}

static int wrapper_traverse(PyObject *self, visitproc visit, void *arg)
{
	struct filewrapper *w = (struct filewrapper *)self;

	Py_VISIT(w->file);
	Py_VISIT(w->read);
	return 0;
}

static int wrapper_clear(PyObject *self)
{
	struct filewrapper *w = (struct filewrapper *)self;

	Py_CLEAR(w->file);
	Py_CLEAR(w->read);
	return 0;
}

static void wrapper_dealloc(PyObject *self)
{
	PyObject_GC_UnTrack(self);
	(void)wrapper_clear(self);
	Py_TYPE(self)->tp_free(self);
}

static PyObject *wrapper_iter(PyObject *self)
{
	Py_INCREF(self);
	return self;
}

static PyObject *wrapper_next(PyObject *self)
{
	struct filewrapper *w = (struct filewrapper *)self;
	PyObject *n = PyLong_FromSsize_t(w->block);
	PyObject *data = n ? PyObject_CallFunctionObjArgs(w->read, n, NULL) : NULL;
	int more;

	Py_XDECREF(n);
	if (!data)
		return NULL;
	more = PyObject_IsTrue(data);
	if (more > 0)
		return data;
	Py_DECREF(data);
	return NULL; /* end, or the exception of its truth */
}

static PyObject *wrapper_close(PyObject *self, PyObject *unused)
{
	struct filewrapper *w = (struct filewrapper *)self;
	PyObject *close = PyObject_GetAttrString(w->file, "close");
	PyObject *r;

	(void)unused;
	if (!close && PyErr_ExceptionMatches(PyExc_AttributeError)) {
		PyErr_Clear();
		Py_RETURN_NONE;
	}
	r = close ? PyObject_CallNoArgs(close) : NULL;
	Py_XDECREF(close);
	return r;
}

static PyMethodDef wrapper_methods[] = {
	{"close", wrapper_close, METH_NOARGS, "Closes the wrapped file, if it can be closed."},
	{NULL, NULL, 0, NULL},
};

static PyMemberDef wrapper_members[] = {
	{"filelike", T_OBJECT_EX, offsetof(struct filewrapper, file), READONLY,
	 "The wrapped file."},
	{"blksize", T_PYSSIZET, offsetof(struct filewrapper, block), READONLY,
	 "Bytes of one block."},
	{NULL, 0, 0, 0, NULL},
};

PyTypeObject filewrapper_type = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "emperor.FileWrapper",
	.tp_doc = "wsgi.file_wrapper (PEP 3333)",
	.tp_basicsize = sizeof(struct filewrapper),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
	.tp_new = wrapper_new,
	.tp_dealloc = wrapper_dealloc,
	.tp_traverse = wrapper_traverse,
	.tp_clear = wrapper_clear,
	.tp_iter = wrapper_iter,
	.tp_iternext = wrapper_next,
	.tp_methods = wrapper_methods,
	.tp_members = wrapper_members,
};

int filewrapper_start(void)
{
	return PyType_Ready(&filewrapper_type);
}

static bool is_type_of_io(PyObject *file, const char *name)
{
	PyObject *io = PyImport_ImportModule("io");
	PyObject *type = io ? PyObject_GetAttrString(io, name) : NULL;
	bool same = type && (PyObject *)Py_TYPE(file) == type;

	Py_XDECREF(type);
	Py_XDECREF(io);
	return same;
}

/* Nothing but io's own: what a GzipFile behind a BufferedReader calls its descriptor holds other bytes than it gives. */
static bool is_io_file(PyObject *file)
{
	PyObject *raw;
	bool plain;

	if (is_type_of_io(file, "FileIO"))
		return true;
	if (!is_type_of_io(file, "BufferedReader") && !is_type_of_io(file, "BufferedRandom"))
		return false;
	raw = PyObject_GetAttrString(file, "raw");
	plain = raw && is_type_of_io(raw, "FileIO");
	Py_XDECREF(raw);
	return plain;
}

/* io's own, or the one inside a tempfile.NamedTemporaryFile. A new reference, or NULL. */
static PyObject *find_io_file(PyObject *file)
{
	PyObject *inner = NULL;

	if (strstr(Py_TYPE(file)->tp_name, "_TemporaryFileWrapper"))
		inner = PyObject_GetAttrString(file, "file");
	if (!inner && traceback_forgive() == 0) {
		Py_INCREF(file);
		inner = file;
	}
	if (inner && is_io_file(inner))
		return inner;
	Py_XDECREF(inner);
	return NULL;
}

static bool call_number(PyObject *file, const char *method, long long *ret)
{
	PyObject *n = PyObject_CallMethod(file, method, NULL);
	long long v = n ? PyLong_AsLongLong(n) : -1;

	Py_XDECREF(n);
	*ret = v;
	return v >= 0 && !PyErr_Occurred();
}

/* tell() and not lseek(): a buffered reader has read ahead. flush(): a file that was just written to. */
static bool locate(PyObject *file, int *ret_fd, off_t *ret_at, uint64_t *ret_n)
{
	PyObject *flushed = PyObject_CallMethod(file, "flush", NULL);
	struct stat st;
	long long fd;
	long long at;

	Py_XDECREF(flushed);
	if (!flushed || !call_number(file, "fileno", &fd) || !call_number(file, "tell", &at))
		return false;
	/* one that is far we wait for ourselves: the front must not */
	if (fstat((int)fd, &st) < 0 || !S_ISREG(st.st_mode) || fd_is_far((int)fd))
		return false;
	*ret_fd = (int)fd;
	*ret_at = (off_t)at;
	*ret_n = at < st.st_size ? (uint64_t)(st.st_size - at) : 0;
	/* empty, or one of the kernel's (/proc), which have no size and yet something to read: that is for read() to say */
	return *ret_n > 0;
}

int filewrapper_plain_file(const struct filewrapper *w, int *ret_fd, off_t *ret_at, uint64_t *ret_n)
{
	PyObject *file = w->file ? find_io_file(w->file) : NULL;
	bool plain = file && locate(file, ret_fd, ret_at, ret_n);

	Py_XDECREF(file);
	return traceback_forgive() < 0 ? -1 : plain;
}
