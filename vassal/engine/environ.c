/*
 * environ - see environ.h.
 */
#include "vassal/engine/environ.h"

#include "shared/base.h"
#include "shared/vars.h"
#include "vassal/engine/filewrapper.h"

/* Names that nearly every request has: interned, so that an app's own constants are the very same objects. */
static const char *const known_names[] = {
	"REQUEST_METHOD",
	"SCRIPT_NAME",
	"PATH_INFO",
	"QUERY_STRING",
	"REQUEST_URI",
	"SERVER_NAME",
	"SERVER_PORT",
	"SERVER_PROTOCOL",
	"REMOTE_ADDR",
	"REMOTE_PORT",
	"CONTENT_TYPE",
	"CONTENT_LENGTH",
	"HTTPS",
	"REQUEST_SCHEME",
	"DOCUMENT_ROOT",
	"REMOTE_USER",
	"HTTP_HOST",
	"HTTP_USER_AGENT",
	"HTTP_ACCEPT",
	"HTTP_ACCEPT_ENCODING",
	"HTTP_ACCEPT_LANGUAGE",
	"HTTP_CONNECTION",
	"HTTP_COOKIE",
	"HTTP_REFERER",
	"HTTP_ORIGIN",
	"HTTP_AUTHORIZATION",
	"HTTP_CACHE_CONTROL",
	"HTTP_IF_NONE_MATCH",
	"HTTP_IF_MODIFIED_SINCE",
	"HTTP_X_FORWARDED_FOR",
	"HTTP_X_FORWARDED_PROTO",
	"HTTP_X_FORWARDED_HOST",
	"HTTP_X_REAL_IP",
	"HTTP_X_REQUESTED_WITH",
	"HTTP_X_REQUEST_ID",
	"HTTP_X_CSRFTOKEN",
	"HTTP_UPGRADE_INSECURE_REQUESTS",
	"HTTP_SEC_FETCH_SITE",
	"HTTP_SEC_FETCH_MODE",
	"HTTP_SEC_FETCH_DEST",
	"HTTP_SEC_FETCH_USER",
};

/* The template's table grows within this many steps in every Python known; a slower copy is all that is at stake. */
#define WIDEN_TRIES 64

static struct environ_name *find_set(struct environ_maker *m, struct span key)
{
	uint64_t tail = 0;
	uint64_t hash;

	/* Names differ at their ends; "HTTP_" is common to all. */
	memcpy(&tail, key.n >= 8 ? key.p + key.n - 8 : key.p, MIN(key.n, (size_t)8));
	hash = (tail ^ (key.n * 0x9e3779b97f4a7c15ULL)) * 0xff51afd7ed558ccdULL;
	return &m->names[2 * ((hash >> 40) % ENVIRON_SETS)];
}

static bool holds(PyObject *s, struct span bytes)
{
	return (size_t)PyUnicode_GET_LENGTH(s) == bytes.n &&
	       memcmp(PyUnicode_1BYTE_DATA(s), bytes.p, bytes.n) == 0;
}

/* The entry of key, made if need be: the older of the set's two then goes. NULL with an exception set. */
static struct environ_name *find_name(struct environ_maker *m, struct span key, bool intern)
{
	struct environ_name *set = find_set(m, key);
	struct environ_name swap;
	PyObject *name;

	if (set[0].name && holds(set[0].name, key))
		return &set[0];
	if (set[1].name && holds(set[1].name, key)) {
		swap = set[0];
		set[0] = set[1];
		set[1] = swap;
		return &set[0];
	}
	name = PyUnicode_DecodeLatin1(key.p, (Py_ssize_t)key.n, NULL);
	if (!name)
		return NULL;
	/* Never for names that clients invent: newer Pythons keep interned strings for ever. */
	if (intern)
		PyUnicode_InternInPlace(&name);
	swap = set[1];
	set[1] = set[0];
	set[0] = (struct environ_name){.name = name};
	Py_XDECREF(swap.name);
	Py_XDECREF(swap.value);
	return &set[0];
}

/* A new reference. Latin-1 is what PEP 3333 calls a native string: one character for each byte. */
static PyObject *make_value(struct environ_name *n, struct span value)
{
	PyObject *v;

	if (n->value && holds(n->value, value)) {
		Py_INCREF(n->value);
		return n->value;
	}
	v = PyUnicode_DecodeLatin1(value.p, (Py_ssize_t)value.n, NULL);
	if (v && value.n <= ENVIRON_VALUE_MAX) {
		Py_INCREF(v);
		Py_XSETREF(n->value, v);
	}
	return v;
}

static int put_vars(struct environ_maker *m, PyObject *env, const struct environ_source *s)
{
	struct span key;
	struct span value;
	size_t at = 0;

	while (vars_next(s->vars, s->vars_n, &at, &key, &value)) {
		struct environ_name *n = find_name(m, key, false);
		PyObject *v = n ? make_value(n, value) : NULL;
		int r = v ? PyDict_SetItem(env, n->name, v) : -1;

		Py_XDECREF(v);
		if (r < 0)
			return -1;
	}
	if (at == s->vars_n)
		return 0;
	PyErr_SetString(PyExc_SystemError, "request variables are damaged");
	return -1;
}

/* Other servers' name for what nobody has decoded. */
static int put_raw_uri(struct environ_maker *m, PyObject *env)
{
	PyObject *uri = PyDict_GetItemWithError(env, m->uri_key); /* borrowed */

	if (uri)
		return PyDict_SetItem(env, m->raw_uri_key, uri);
	return PyErr_Occurred() ? -1 : 0;
}

PyObject *environ_make(struct environ_maker *m, const struct environ_source *s, PyObject *input)
{
	PyObject *env = PyDict_Copy(m->constants);
	PyObject *id = env ? PyUnicode_DecodeLatin1(s->id, (Py_ssize_t)strlen(s->id), NULL) : NULL;

	if (!id || PyDict_SetItem(env, m->id_key, id) < 0 ||
	    PyDict_SetItem(env, m->input_key, input) < 0 ||
	    (s->https && PyDict_SetItem(env, m->scheme_key, m->https) < 0) ||
	    put_vars(m, env, s) < 0)
		Py_CLEAR(env);
	Py_XDECREF(id);
	if (env && put_raw_uri(m, env) < 0)
		Py_CLEAR(env);
	return env;
}

static int put(PyObject *dict, const char *key, PyObject *value /* stolen */)
{
	int r = value ? PyDict_SetItemString(dict, key, value) : -1;

	Py_XDECREF(value);
	return r;
}

static int put_constants(struct environ_maker *m, bool multithread, bool multiprocess)
{
	PyObject *d = m->constants;
	PyObject *errors = PySys_GetObject("stderr"); /* borrowed */
	PyObject *wrapper = (PyObject *)&filewrapper_type;

	if (!errors)
		errors = Py_None;
	Py_INCREF(errors);
	Py_INCREF(wrapper);
	Py_INCREF(m->http);
	/* What PEP 3333 wants in every environ stands here, should a front ever leave it out. */
	return put(d, "wsgi.version", Py_BuildValue("(ii)", 1, 0)) | put(d, "wsgi.errors", errors) |
	       put(d, "wsgi.url_scheme", m->http) | put(d, "wsgi.file_wrapper", wrapper) |
	       put(d, "wsgi.multithread", PyBool_FromLong(multithread)) |
	       put(d, "wsgi.multiprocess", PyBool_FromLong(multiprocess)) |
	       put(d, "wsgi.run_once", PyBool_FromLong(0)) |
	       put(d, "wsgi.input_terminated", PyBool_FromLong(1)) |
	       put(d, "wsgi.input", PyUnicode_FromString("")) |
	       put(d, "emperor.request_id", PyUnicode_FromString("")) |
	       put(d, "wsgi.early_hints", PyUnicode_FromString("")) |
	       put(d, "GATEWAY_INTERFACE", PyUnicode_FromString("CGI/1.1")) |
	       put(d, "SERVER_SOFTWARE", PyUnicode_FromString("emperor/" EMPEROR_VERSION)) |
	       put(d, "SCRIPT_NAME", PyUnicode_FromString("")) |
	       put(d, "PATH_INFO", PyUnicode_FromString("")) |
	       put(d, "QUERY_STRING", PyUnicode_FromString(""));
}

/* Bytes of the table, so that growth shows. -1 with an exception set. */
static Py_ssize_t size_of(PyObject *dict)
{
	PyObject *n = PyObject_CallMethod(dict, "__sizeof__", NULL);
	Py_ssize_t size = n ? PyNumber_AsSsize_t(n, PyExc_OverflowError) : -1;

	Py_XDECREF(n);
	return size;
}

/*
 * Makes the table grow once and then holds no more than before: a copy keeps its size, and a request's names find
 * room there. One filler at a time, because CPython copies a table as a block only while few of its entries are gone.
 */
static int widen(PyObject *dict)
{
	Py_ssize_t before = size_of(dict);
	Py_ssize_t now = before;
	int r = before < 0 ? -1 : 0;

	for (unsigned i = 0; r == 0 && now == before && i < WIDEN_TRIES; i++) {
		PyObject *key = PyUnicode_FromFormat("wsgi.filler%u", i);

		r = key && PyDict_SetItem(dict, key, Py_None) == 0 ? PyDict_DelItem(dict, key) : -1;
		Py_XDECREF(key);
		now = r == 0 ? size_of(dict) : -1;
	}
	return now < 0 ? -1 : r;
}

int environ_start(struct environ_maker *m, bool multithread, bool multiprocess)
{
	m->constants = PyDict_New();
	m->input_key = PyUnicode_InternFromString("wsgi.input");
	m->scheme_key = PyUnicode_InternFromString("wsgi.url_scheme");
	m->id_key = PyUnicode_InternFromString("emperor.request_id");
	m->early_hints_key = PyUnicode_InternFromString("wsgi.early_hints");
	m->http = PyUnicode_InternFromString("http");
	m->https = PyUnicode_InternFromString("https");
	m->uri_key = PyUnicode_InternFromString("REQUEST_URI");
	m->raw_uri_key = PyUnicode_InternFromString("RAW_URI");
	m->script_key = PyUnicode_InternFromString("SCRIPT_NAME");
	m->path_key = PyUnicode_InternFromString("PATH_INFO");
	if (!m->constants || !m->input_key || !m->scheme_key || !m->id_key || !m->early_hints_key ||
	    !m->http || !m->https || !m->uri_key || !m->raw_uri_key || !m->script_key ||
	    !m->path_key)
		return -1;
	if (put_constants(m, multithread, multiprocess) < 0 || widen(m->constants) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(known_names); i++)
		if (!find_name(m, span_str(known_names[i]), true))
			return -1;
	return 0;
}
