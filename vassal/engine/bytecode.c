/*
 * bytecode - see bytecode.h. Every function holds the GIL; the file is read with it, as a .pyc is in the page cache or
 * else nobody but the import waits for it.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "vassal/engine/bytecode.h"

#include <fcntl.h>
#include <limits.h>
#include <marshal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "shared/base.h"
#include "shared/fd.h"
#include "shared/limits.h"

#define HEADER_N      16 /* magic, flags, time of the source, size of the source: PEP 552 */
#define MODULE_SUFFIX ".py"

static const char write_rule[] =
	"def install():\n"
	"    import time\n"
	"    from importlib.machinery import SourceFileLoader\n"
	"    original = SourceFileLoader.set_data\n"
	"    def set_data(self, path, data, **options):\n"
	"        if time.time() - int.from_bytes(data[8:12], 'little') >= 2:\n"
	"            original(self, path, data, **options)\n"
	"    SourceFileLoader.set_data = set_data\n"
	"install()\n";

/* What get_code() of Python's loader rests on; owned, as they were at the start. */
static struct loader {
	PyObject *type;     /* importlib.machinery.SourceFileLoader */
	PyObject *get_code; /* Python's own, a function */
	PyObject *get_filename;
	PyObject *path_stats;
	PyObject *get_data;
	PyObject *fix_filename; /* _imp._fix_co_filename */
	char suffix[64];        /* ".cpython-311.pyc" */
} loader;

static int write_with_care(void)
{
	PyObject *globals = PyDict_New();
	PyObject *r = NULL;

	if (globals && PyDict_SetItemString(globals, "__builtins__", PyEval_GetBuiltins()) == 0)
		r = PyRun_String(write_rule, Py_file_input, globals, globals);
	Py_XDECREF(globals);
	Py_XDECREF(r);
	return r ? 0 : -1;
}

static uint32_t word(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* The bytes of a .pyc that is for this Python and this source; NULL without an exception: let Python look. */
static unsigned char *read_cached(const char *cached, const struct stat *source, size_t *ret_n)
{
	_cleanup_(fd_closep) int fd = open(cached, O_RDONLY | O_CLOEXEC);
	_cleanup_(freep) unsigned char *bytes = NULL;
	/* as Python computes it, through a double that may round up to the next second */
	double mtime = (double)source->st_mtim.tv_sec + 1e-9 * (double)source->st_mtim.tv_nsec;
	struct stat st;
	size_t n = 0;
	ssize_t r;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < HEADER_N ||
	    st.st_size > LIMIT_BYTECODE)
		return NULL;
	bytes = malloc((size_t)st.st_size);
	if (!bytes)
		return NULL;
	do {
		r = read(fd, bytes + n, (size_t)st.st_size - n);
		n += r > 0 ? (size_t)r : 0;
	} while (r > 0 && n < (size_t)st.st_size);
	if (n != (size_t)st.st_size || word(bytes) != (uint32_t)PyImport_GetMagicNumber() ||
	    word(bytes + 4) != 0 || word(bytes + 8) != (uint32_t)(int64_t)mtime ||
	    word(bytes + 12) != (uint32_t)source->st_size)
		return NULL;
	*ret_n = n;
	return TAKE_PTR(bytes);
}

/* dir/name.py -> dir/__pycache__/name.cpython-311.pyc */
static bool name_cached(const char *source, char *buf, size_t size)
{
	const char *slash = strrchr(source, '/');
	const char *base = slash ? slash + 1 : source;
	size_t n = strlen(base);
	int r;

	if (n <= sizeof(MODULE_SUFFIX) - 1 ||
	    !str_eq(base + n - (sizeof(MODULE_SUFFIX) - 1), MODULE_SUFFIX))
		return false;
	r = snprintf(buf, size, "%.*s__pycache__/%.*s%s", (int)(base - source), source,
		     (int)(n - (sizeof(MODULE_SUFFIX) - 1)), base, loader.suffix);
	return r > 0 && (size_t)r < size;
}

/* A file may have been compiled where it was called otherwise; its tracebacks name it as it is called here. */
static int fix_filename(PyObject *code, PyObject *path)
{
	PyObject *name = PyObject_GetAttrString(code, "co_filename");
	int same = name ? PyObject_RichCompareBool(name, path, Py_EQ) : -1;
	PyObject *r;

	Py_XDECREF(name);
	if (same != 0)
		return same < 0 ? -1 : 0;
	r = PyObject_CallFunctionObjArgs(loader.fix_filename, code, path, NULL);
	Py_XDECREF(r);
	return r ? 0 : -1;
}

/* A code object, or NULL: without an exception, Python's own loader is to do it. */
static PyObject *load_cached(PyObject *path)
{
	PyObject *encoded = PyUnicode_EncodeFSDefault(path);
	const char *source = encoded ? PyBytes_AS_STRING(encoded) : NULL;
	unsigned char *bytes = NULL;
	PyObject *code = NULL;
	char cached[PATH_MAX];
	struct stat st;
	size_t n = 0;

	if (source && strlen(source) == (size_t)PyBytes_GET_SIZE(encoded) &&
	    name_cached(source, cached, sizeof(cached)) && stat(source, &st) == 0 &&
	    PySys_Audit("open", "ssi", cached, "rb", 0) == 0)
		bytes = read_cached(cached, &st, &n);
	Py_XDECREF(encoded);
	if (bytes)
		code = PyMarshal_ReadObjectFromString((const char *)bytes + HEADER_N,
						      (Py_ssize_t)(n - HEADER_N));
	free(bytes);
	if (code && (!PyCode_Check(code) || fix_filename(code, path) < 0))
		Py_CLEAR(code);
	/* Damaged: Python's loader sees the same and says it in its own words. */
	PyErr_Clear();
	return code;
}

static bool is_still(const char *name, PyObject *original)
{
	PyObject *now = PyObject_GetAttrString(loader.type, name);

	if (!now)
		PyErr_Clear();
	Py_XDECREF(now);
	return now == original;
}

/* The path of a module that this may load; borrowed from loader_self's dictionary, or NULL. */
static PyObject *find_path(PyObject *self, PyObject *fullname)
{
	PyObject **dict = _PyObject_GetDictPtr(self);
	PyObject *prefix = PySys_GetObject("pycache_prefix"); /* borrowed */
	PyObject *name;
	PyObject *path;

	if ((PyObject *)Py_TYPE(self) != loader.type || !dict || !*dict ||
	    (prefix && prefix != Py_None) || !is_still("get_filename", loader.get_filename) ||
	    !is_still("path_stats", loader.path_stats) || !is_still("get_data", loader.get_data))
		return NULL;
	name = PyDict_GetItemString(*dict, "name");
	path = PyDict_GetItemString(*dict, "path");
	if (!name || !path || !PyUnicode_CheckExact(path) || !PyUnicode_CheckExact(fullname) ||
	    !PyUnicode_Check(name) || PyUnicode_Compare(name, fullname) != 0)
		return NULL;
	return path;
}

/* "fullname" by place or by name, as importlib's own takes it. */
static PyObject *get_code(PyObject *self, PyObject *args, PyObject *named)
{
	static char name[] = "fullname";
	static char *names[] = {name, NULL};
	PyObject *fullname, *path, *code;

	if (!PyArg_ParseTupleAndKeywords(args, named, "O:get_code", names, &fullname))
		return NULL;
	path = find_path(self, fullname);
	Py_XINCREF(path);
	code = path ? load_cached(path) : NULL;
	Py_XDECREF(path);
	return code ? code : PyObject_CallFunctionObjArgs(loader.get_code, self, fullname, NULL);
}

static PyMethodDef get_code_method = {"get_code", (PyCFunction)(void (*)(void))get_code,
				      METH_VARARGS | METH_KEYWORDS,
				      "Concrete implementation of InspectLoader.get_code."};

static bool take(PyObject **ret, PyObject *from, const char *name)
{
	*ret = from ? PyObject_GetAttrString(from, name) : NULL;
	return *ret;
}

/* ".cpython-311.pyc"; empty: this Python caches nothing. */
static int take_suffix(void)
{
	PyObject *implementation = PySys_GetObject("implementation"); /* borrowed */
	PyObject *tag = implementation ? PyObject_GetAttrString(implementation, "cache_tag") : NULL;
	const char *text = tag && tag != Py_None ? PyUnicode_AsUTF8(tag) : NULL;
	int n = text ? snprintf(loader.suffix, sizeof(loader.suffix), ".%s.pyc", text) : 0;

	if ((size_t)n >= sizeof(loader.suffix))
		loader.suffix[0] = '\0';
	Py_XDECREF(tag);
	return PyErr_Occurred() ? -1 : 0;
}

/* -O has other names, -v wants to hear of each step: Python's own loader then. */
static bool has_usual_flags(void)
{
	static const char *const names[] = {"optimize", "verbose"};
	PyObject *flags = PySys_GetObject("flags"); /* borrowed */
	bool usual = flags;

	for (size_t i = 0; usual && i < ARRAY_SIZE(names); i++) {
		PyObject *value = PyObject_GetAttrString(flags, names[i]);

		usual = value && PyLong_Check(value) && PyLong_AsLong(value) == 0;
		Py_XDECREF(value);
	}
	return usual;
}

static int read_fast(void)
{
	PyObject *machinery = PyImport_ImportModule("importlib.machinery");
	PyObject *imp = machinery ? PyImport_ImportModule("_imp") : NULL;
	PyObject *method = NULL;
	int r = -1;

	if (take(&loader.type, machinery, "SourceFileLoader") &&
	    take(&loader.get_code, loader.type, "get_code") &&
	    take(&loader.get_filename, loader.type, "get_filename") &&
	    take(&loader.path_stats, loader.type, "path_stats") &&
	    take(&loader.get_data, loader.type, "get_data") &&
	    take(&loader.fix_filename, imp, "_fix_co_filename") && take_suffix() == 0)
		method = PyDescr_NewMethod((PyTypeObject *)loader.type, &get_code_method);
	if (method && (!loader.suffix[0] || !has_usual_flags()))
		r = PyErr_Occurred() ? -1 : 0;
	else if (method)
		r = PyObject_SetAttrString(loader.type, "get_code", method);
	Py_XDECREF(method);
	Py_XDECREF(imp);
	Py_XDECREF(machinery);
	return r;
}

int bytecode_start(void)
{
	return write_with_care() == 0 && read_fast() == 0 ? 0 : -1;
}
