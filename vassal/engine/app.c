/*
 * app - see app.h. Every function here holds the GIL.
 */
#include "vassal/engine/engine.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "shared/err.h"
#include "shared/log.h"
#include "vassal/engine/app.h"
#include "vassal/engine/mount.h"
#include "vassal/engine/spec.h"
#include "vassal/engine/traceback.h"
#include "vassal/engine/uwsgi.h"

/* A dotted path from an object on. A new reference. */
static PyObject *walk(PyObject *from, const char *path)
{
	Py_INCREF(from);
	while (from && *path) {
		size_t n = strcspn(path, ".");
		PyObject *name = PyUnicode_FromStringAndSize(path, (Py_ssize_t)n);
		PyObject *next = name ? PyObject_GetAttr(from, name) : NULL;

		Py_XDECREF(name);
		Py_DECREF(from);
		from = next;
		path += path[n] == '.' ? n + 1 : n;
	}
	return from;
}

static PyObject *find_default(PyObject *module, const char *where)
{
	static const char *const names[] = {"application", "app"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		PyObject *object = PyObject_GetAttrString(module, names[i]);

		if (object || !PyErr_ExceptionMatches(PyExc_AttributeError))
			return object;
		PyErr_Clear();
	}
	PyErr_Format(
		PyExc_AttributeError,
		"%s has neither \"application\" nor \"app\"; say which object it is: callable = %s",
		where, PyObject_HasAttrString(module, "create_app") ? "create_app()" : "NAME");
	return NULL;
}

static bool is_coroutine(PyObject *object)
{
	PyObject *function = PyMethod_Check(object) ? PyMethod_GET_FUNCTION(object) : object;

	return PyFunction_Check(function) &&
	       ((PyCodeObject *)PyFunction_GET_CODE(function))->co_flags & CO_COROUTINE;
}

/* An app of the other interface loads well, and then fails with each request. */
static void warn_of_asgi(PyObject *object, const char *where)
{
	PyObject *call = PyObject_GetAttrString((PyObject *)Py_TYPE(object), "__call__");

	if (is_coroutine(object) || (call && is_coroutine(call)))
		log_warning("%s: the app is asynchronous (ASGI), and is called by WSGI here: each "
			    "request will fail; name its WSGI object (Django's is in wsgi.py)",
			    where);
	Py_XDECREF(call);
	PyErr_Clear();
}

/* The callable that s means in this module. A new reference. */
static PyObject *find_callable(PyObject *module, const struct spec *s, const char *where)
{
	PyObject *object = s->object[0] ? walk(module, s->object) : find_default(module, where);
	PyObject *made;

	if (object && s->call) {
		made = PyObject_CallNoArgs(object);
		Py_DECREF(object);
		object = made;
	}
	if (object && PyCallable_Check(object))
		warn_of_asgi(object, where);
	if (!object || PyCallable_Check(object))
		return object;
	PyErr_Format(PyExc_TypeError, "%s%s%s is a %.100s, which cannot be called as a WSGI app",
		     where, s->object[0] ? ":" : "", s->object, Py_TYPE(object)->tp_name);
	Py_DECREF(object);
	return NULL;
}

static bool is_file(const char *app)
{
	size_t n = strlen(app);

	return strchr(app, '/') || (n > 3 && str_eq(app + n - 3, ".py")) ||
	       (n > 5 && str_eq(app + n - 5, ".wsgi"));
}

/* "module = a:b" wins over callable; else callable, which may be "create_app()" as well. */
static int parse_spec(const struct engine *e, const char *module, struct spec *ret, struct err *err)
{
	char both[2 * SPEC_MAX];

	if (!e->config.callable || strchr(module, ':'))
		return spec_parse(module, ret, err);
	(void)snprintf(both, sizeof(both), "%.*s:%.*s", SPEC_MAX, module, SPEC_MAX - 2,
		       e->config.callable);
	return spec_parse(both, ret, err);
}

static PyObject *load_module(const struct engine *e, const char *text)
{
	struct spec s;
	struct err err = {0};
	PyObject *module;
	PyObject *object;

	if (parse_spec(e, text, &s, &err) < 0) {
		(void)PyErr_Format(PyExc_ImportError, "%s", err.text); /* an ini holds any bytes */
		return NULL;
	}
	module = PyImport_ImportModule(s.module);
	if (!module)
		return NULL;
	object = find_callable(module, &s, s.module);
	Py_DECREF(module);
	return object;
}

/* As bytes: its encoding is for the compiler to find. */
static PyObject *read_source(PyObject *path)
{
	PyObject *io = PyImport_ImportModule("io");
	PyObject *file = io ? PyObject_CallMethod(io, "open_code", "O", path) : NULL;
	PyObject *source = file ? PyObject_CallMethod(file, "read", NULL) : NULL;
	PyObject *closed = source ? PyObject_CallMethod(file, "close", NULL) : NULL;

	if (!closed)
		Py_CLEAR(source);
	Py_XDECREF(closed);
	Py_XDECREF(file);
	Py_XDECREF(io);
	return source;
}

/*
 * Executes the source itself, never a cached .pyc: those are compared by whole seconds and size, and a file that is
 * rewritten within a second is just what operators do.
 */
static int execute(PyObject *module, PyObject *path)
{
	PyObject *builtins = PyImport_ImportModule("builtins");
	PyObject *source = builtins ? read_source(path) : NULL;
	PyObject *code = source ? PyObject_CallMethod(builtins, "compile", "OOsii", source, path,
						      "exec", 0, 1)
				: NULL;
	PyObject *globals = PyModule_GetDict(module); /* borrowed */
	PyObject *r = code ? PyEval_EvalCode(code, globals, globals) : NULL;

	Py_XDECREF(r);
	Py_XDECREF(code);
	Py_XDECREF(source);
	Py_XDECREF(builtins);
	return r ? 0 : -1;
}

/* A module as the import system makes it, with __file__ and __builtins__; in sys.modules while it runs. */
static PyObject *new_file_module(const char *name, PyObject *path)
{
	PyObject *module = PyImport_AddModule(name); /* borrowed */
	PyObject *dict = module ? PyModule_GetDict(module) : NULL;
	int r = dict ? PyDict_SetItemString(dict, "__file__", path) : -1;

	if (r == 0)
		r = PyDict_SetItemString(dict, "__builtins__", PyEval_GetBuiltins());
	if (r < 0)
		return NULL;
	Py_INCREF(module);
	return module;
}

/* The module of this name, if it is there. A new reference. */
static PyObject *find_module(const char *name)
{
	PyObject *key = PyUnicode_FromString(name);
	PyObject *known = key ? PyImport_GetModule(key) : NULL; /* no exception: not yet */

	Py_XDECREF(key);
	return known;
}

static bool is_of(PyObject *module, PyObject *path)
{
	PyObject *file = PyObject_GetAttrString(module, "__file__");
	bool same = file && PyObject_RichCompareBool(file, path, Py_EQ) > 0;

	PyErr_Clear();
	Py_XDECREF(file);
	return same;
}

/* One that two mounts name is executed once, as a module would be; a-b.py and a_b.py are two. A new reference. */
static PyObject *run_file(const char *name, PyObject *path)
{
	char buf[SPEC_MAX + 12];
	PyObject *module;
	PyObject *known;
	unsigned n = 1;

	(void)snprintf(buf, sizeof(buf), "%s", name);
	while ((known = find_module(buf))) {
		if (is_of(known, path))
			return known;
		Py_DECREF(known);
		(void)snprintf(buf, sizeof(buf), "%s_%u", name, ++n);
	}
	module = PyErr_Occurred() ? NULL : new_file_module(buf, path);
	if (module && execute(module, path) < 0)
		Py_CLEAR(module);
	return module;
}

/*
 * As __file__ has it: any bytes (PEP 383), and from the root, as imported modules have it, whatever the current directory
 * will be by the time that somebody looks (py-autoreload does). Links stay: they are what a deploy switches.
 */
static PyObject *name_of_file(const char *path)
{
	char full[PATH_MAX];
	int n;

	if (path[0] == '/' || !getcwd(full, sizeof(full)))
		return PyUnicode_DecodeFSDefault(path);
	while (strncmp(path, "./", 2) == 0)
		path += 2;
	n = (int)strlen(full);
	n += snprintf(full + n, sizeof(full) - (size_t)n, "%s%s", n > 1 ? "/" : "", path);
	if ((size_t)n < sizeof(full))
		return PyUnicode_DecodeFSDefault(full);
	(void)PyErr_Format(PyExc_ImportError, "%s: %s", path, strerror(ENAMETOOLONG));
	return NULL;
}

static PyObject *load_file(const struct engine *e, const char *path)
{
	char name[SPEC_MAX];
	struct spec s = {0};
	struct err err = {0};
	PyObject *file;
	PyObject *module;
	PyObject *object;

	spec_file_module(path, name);
	if (parse_spec(e, name, &s, &err) < 0) {
		(void)PyErr_Format(PyExc_ImportError, "%s", err.text); /* an ini holds any bytes */
		return NULL;
	}
	file = name_of_file(path);
	module = file ? run_file(name, file) : NULL;
	Py_XDECREF(file);
	if (!module)
		return NULL;
	object = find_callable(module, &s, path);
	Py_DECREF(module);
	return object;
}

/* An operator reads this: what the ini said, then why it did not work. */
static void explain(const struct engine *e, const char *what, const char *value, char *text,
		    size_t size)
{
	char prefix[SPEC_MAX + 64];

	(void)snprintf(prefix, sizeof(prefix), "%s = %.400s", what, value);
	traceback_explain(e, prefix, text, size);
}

static PyObject *load(struct engine *e, char *text, size_t size)
{
	const struct vassal_config *c = &e->config;
	PyObject *app = NULL;

	if (c->module) {
		app = load_module(e, c->module);
		if (app)
			return app;
		explain(e, "module", c->module, text, size);
		if (!c->wsgi_file)
			return NULL;
		engine_note(e, "module = %s did not load; wsgi-file = %s serves instead", c->module,
			    c->wsgi_file);
	}
	if (c->wsgi_file) {
		app = load_file(e, c->wsgi_file);
		if (!app)
			explain(e, "wsgi-file", c->wsgi_file, text, size);
		return app;
	}
	(void)snprintf(text, size, "nothing to run: neither module nor wsgi-file is set");
	return NULL;
}

static int load_mounts(struct engine *e, char *text, size_t size)
{
	e->mounted = PyMem_RawCalloc(e->config.mounts_n, sizeof(*e->mounted));
	if (!e->mounted) {
		(void)snprintf(text, size, "out of memory");
		return -1;
	}
	for (size_t i = 0; i < e->config.mounts_n; i++) {
		const struct mount_config *m = &e->config.mounts[i];
		char what[LIMIT_STATIC_PATH];

		e->mounted[i] = is_file(m->app) ? load_file(e, m->app) : load_module(e, m->app);
		if (e->mounted[i])
			continue;
		(void)snprintf(what, sizeof(what), "%s=%s", m->path[0] ? m->path : "/", m->app);
		explain(e, "mount", what, text, size);
		return -1;
	}
	return 0;
}

static int load_all(struct engine *e, char *text, size_t size)
{
	const struct vassal_config *c = &e->config;

	if (c->module || c->wsgi_file || c->mounts_n == 0) {
		e->application = load(e, text, size);
		if (!e->application)
			return -1;
	}
	if (c->mounts_n > 0 && load_mounts(e, text, size) < 0)
		return -1;
	/* uWSGI's default: the first app answers what no other claims */
	if (!e->application && !c->no_default_app) {
		e->application = e->mounted[0];
		Py_INCREF(e->application);
	}
	return 0;
}

enum fail_phase app_load(struct engine *e, char *text, size_t size)
{
	if (load_all(e, text, size) < 0)
		return FAIL_IMPORT;
	e->loaded = true;
	if (uwsgi_loaded(e) == 0 &&
	    environ_start(&e->environ, e->config.threads > 1, e->config.processes > 1) == 0)
		return FAIL_NONE;
	traceback_explain(e, "environ", text, size);
	return FAIL_ENGINE;
}

/* A str of one byte a character, as environ_make() has made it; empty for whatever else. */
static struct span text_of(PyObject *env, PyObject *key)
{
	PyObject *s = PyDict_GetItemWithError(env, key); /* borrowed */

	if (!s || !PyUnicode_Check(s) || PyUnicode_KIND(s) != PyUnicode_1BYTE_KIND)
		return span_of("", 0);
	return span_of((const char *)PyUnicode_1BYTE_DATA(s), (size_t)PyUnicode_GET_LENGTH(s));
}

static PyObject *join(struct span a, struct span b)
{
	PyObject *head = PyUnicode_DecodeLatin1(a.p, (Py_ssize_t)a.n, NULL);
	PyObject *tail = head ? PyUnicode_DecodeLatin1(b.p, (Py_ssize_t)b.n, NULL) : NULL;
	PyObject *both = tail ? PyUnicode_Concat(head, tail) : NULL;

	Py_XDECREF(tail);
	Py_XDECREF(head);
	return both;
}

/* So many bytes of PATH_INFO go to SCRIPT_NAME. */
static int move_path(const struct engine *e, PyObject *env, struct span script, struct span path,
		     size_t n)
{
	PyObject *new_script = join(script, span_of(path.p, n));
	PyObject *new_path = new_script ? join(span_skip(path, n), span_of("", 0)) : NULL;
	int r = -1;

	if (new_path && PyDict_SetItem(env, e->environ.script_key, new_script) == 0)
		r = PyDict_SetItem(env, e->environ.path_key, new_path);
	Py_XDECREF(new_path);
	Py_XDECREF(new_script);
	return r;
}

PyObject *app_for(const struct engine *e, PyObject *env)
{
	const struct vassal_config *c = &e->config;
	struct span script, path;
	size_t move;
	int at;

	if (c->mounts_n == 0)
		return e->application;
	script = text_of(env, e->environ.script_key);
	path = text_of(env, e->environ.path_key);
	at = mount_choose(c->mounts, c->mounts_n, script, path, &move);
	if (at < 0)
		return e->application;
	if (move > 0 && move_path(e, env, script, path, move) < 0)
		return NULL;
	return e->mounted[at];
}
