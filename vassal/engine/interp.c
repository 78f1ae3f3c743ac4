/*
 * interp - see interp.h.
 *
 * The interpreter is not isolated: PYTHON* variables, locale, user site and sys.flags are those of python3. Only what
 * a server decides is set: which executable this is (a virtualenv is found from there, as python3 does it; PYTHONHOME
 * would hide it from the app's own children), where imports start, and that signals are ours until the app says so.
 */
#include "vassal/engine/engine.h"

#include <errno.h>
#include <glob.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>

#include "shared/err.h"
#include "shared/log.h"
#include "vassal/engine/bytecode.h"
#include "vassal/engine/callable.h"
#include "vassal/engine/filewrapper.h"
#include "vassal/engine/input.h"
#include "vassal/engine/interp.h"
#include "vassal/engine/interrupt.h"
#include "vassal/engine/signals.h"
#include "vassal/engine/stacks.h"
#include "vassal/engine/traceback.h"
#include "vassal/engine/uwsgi.h"
#include "vassal/engine/venv.h"

#define LOG_FLUSH_MS 200 /* our own last lines, should the pipe be full */

static int apply_env(const struct engine *e, struct err *err)
{
	char number[32];

	(void)setenv("EMPEROR_APP", e->name, 1);
	(void)snprintf(number, sizeof(number), "%llu", (unsigned long long)e->generation);
	(void)setenv("EMPEROR_GENERATION", number, 1);
	/* by these apps and their children tell that they are served, and since which reload */
	(void)snprintf(number, sizeof(number), "%llu",
		       (unsigned long long)(e->generation > 1 ? e->generation - 1 : 0));
	(void)setenv("UWSGI_RELOADS", number, 1);
	(void)setenv("UWSGI_ORIGINAL_PROC_NAME", "uwsgi", 1);
	for (size_t i = 0; i < e->config.env.n; i++) {
		const char *item = e->config.env.v[i];
		const char *eq = strchr(item, '=');
		_cleanup_(freep) char *name = eq ? strndup(item, (size_t)(eq - item)) : NULL;

		if (!name || setenv(name, eq + 1, 1) < 0)
			return err_set(err, -EINVAL, "env = %s: not NAME=value", item);
	}
	return 0;
}

static int status_error(PyStatus status, const char *what, struct err *err)
{
	return err_set(err, -ENOEXEC, "Python does not start (%s): %s", what,
		       status.err_msg ? status.err_msg : "unknown reason");
}

static int preinitialize(struct err *err)
{
	PyPreConfig pre;
	PyStatus status;

	PyPreConfig_InitPythonConfig(&pre);
	pre.parse_argv = 0;
	/* Python's own allocator would hide overruns from the sanitizer. */
	if (ENGINE_SANITIZED)
		pre.allocator = PYMEM_ALLOCATOR_MALLOC;
	status = Py_PreInitialize(&pre);
	return PyStatus_Exception(status) ? status_error(status, "preinitialize", err) : 0;
}

static bool is_same_directory(const char *a, const char *b)
{
	_cleanup_(freep) char *real_a = realpath(a, NULL);
	_cleanup_(freep) char *real_b = realpath(b, NULL);

	return real_a && real_b && str_eq(real_a, real_b);
}

static PyStatus set_text(PyConfig *c, wchar_t **field, const char *text)
{
	return PyConfig_SetBytesString(c, field, text);
}

/*
 * A virtualenv that another Python of the same version made: its packages fit, but its standard library belongs to
 * that other build. Ours is used then.
 */
static PyStatus use_own_library(struct engine *e, PyConfig *c, const struct venv *v)
{
	char buf[] = ENGINE_PYTHON_EXECUTABLE;
	const char *bin = dirname(buf);
	PyStatus status;

	if (v->base[0] == '\0' || is_same_directory(v->base, bin))
		return PyStatus_Ok();
	engine_note(e, "the virtualenv was made by the Python in %s; this one is %s", v->base,
		    ENGINE_PYTHON_EXECUTABLE);
	status = set_text(c, &c->base_executable, ENGINE_PYTHON_EXECUTABLE);
	if (PyStatus_Exception(status))
		return status;
	return set_text(c, &c->home, dirname(buf));
}

static PyStatus configure(struct engine *e, PyConfig *c, const struct venv *v)
{
	static char argv0[] = "emperor";
	char *argv[] = {argv0};
	PyStatus status;

	c->parse_argv = 0;
	c->install_signal_handlers = 0;
	c->faulthandler = 1;
	status = set_text(c, &c->program_name, v->executable);
	if (!PyStatus_Exception(status))
		status = set_text(c, &c->executable, v->executable);
	if (!PyStatus_Exception(status))
		status = PyConfig_SetBytesArgv(c, 1, argv);
	if (!PyStatus_Exception(status))
		status = use_own_library(e, c, v);
	return status;
}

static int initialize(struct engine *e, const struct venv *v, struct err *err)
{
	PyConfig c;
	PyStatus status;
	int r = 0;

	PyConfig_InitPythonConfig(&c);
	status = configure(e, &c, v);
	if (!PyStatus_Exception(status))
		status = Py_InitializeFromConfig(&c);
	if (PyStatus_Exception(status))
		r = status_error(status, v->executable, err);
	PyConfig_Clear(&c);
	return r;
}

static int insert_path(PyObject *path, Py_ssize_t at, const char *dir)
{
	_cleanup_(freep) char *real =
		realpath(dir, NULL); /* an app may change its directory later */
	PyObject *text = PyUnicode_DecodeFSDefault(real ? real : dir);
	int r = text ? PyList_Insert(path, at, text) : -1;

	Py_XDECREF(text);
	return r;
}

/* The working directory, then every pythonpath (they may be patterns), then what python3 has. */
static int extend_path(const struct engine *e)
{
	PyObject *path = PySys_GetObject("path"); /* borrowed */
	Py_ssize_t at = 0;
	int r = path && PyList_Check(path) ? insert_path(path, at++, ".") : -1;

	for (size_t i = 0; r == 0 && i < e->config.pythonpath.n; i++) {
		glob_t found;

		if (glob(e->config.pythonpath.v[i], GLOB_NOCHECK, NULL, &found) != 0)
			continue;
		for (size_t k = 0; r == 0 && k < found.gl_pathc; k++)
			r = insert_path(path, at++, found.gl_pathv[k]);
		globfree(&found);
	}
	return r;
}

/*
 * What an app prints is to be in the log when it was printed, not when 8 KB have come together; and a line at a time, for its
 * processes and threads print on one pipe: with PYTHONUNBUFFERED, or -u, each word of a print() was a write of its own.
 */
static int buffer_by_lines(const char *name)
{
	PyObject *out = PySys_GetObject(name); /* borrowed */
	PyObject *reconfigure = out ? PyObject_GetAttrString(out, "reconfigure") : NULL;
	PyObject *none = PyTuple_New(0);
	PyObject *kwargs =
		Py_BuildValue("{s:O,s:O}", "line_buffering", Py_True, "write_through", Py_False);
	PyObject *r =
		reconfigure && none && kwargs ? PyObject_Call(reconfigure, none, kwargs) : NULL;

	Py_XDECREF(kwargs);
	Py_XDECREF(none);
	Py_XDECREF(reconfigure);
	Py_XDECREF(r);
	return r ? 0 : -1;
}

static int prepare(struct engine *e, struct err *err)
{
	e->close_name = PyUnicode_InternFromString("close");
	if (e->close_name && bytecode_start() == 0 && extend_path(e) == 0 &&
	    buffer_by_lines("stdout") == 0 && buffer_by_lines("stderr") == 0 &&
	    stacks_start() == 0 && traceback_start(e) == 0 && filewrapper_start() == 0 &&
	    input_start() == 0 && callable_start() == 0 && interrupt_start(e) == 0 &&
	    uwsgi_start(e) == 0)
		return 0;
	PyErr_Print();
	return err_set(err, -ENOEXEC,
		       "Python started, but its standard library is damaged (see the log)");
}

int interp_start(struct engine *e, struct err *err)
{
	struct venv v;
	int r = apply_env(e, err);

	if (r < 0)
		return r;
	r = venv_find(e->config.home, ENGINE_PYTHON_EXECUTABLE, PY_MAJOR_VERSION, PY_MINOR_VERSION,
		      &v, err);
	if (r < 0)
		return r;
	/* Python itself would say that it cannot find its "encodings" */
	if (access(v.executable, X_OK) < 0)
		return err_set(err, -errno, "%s cannot be run by the app's user: %s", v.executable,
			       strerror(errno));
	if (e->config.home)
		(void)unsetenv(
			"PYTHONHOME"); /* would win over the virtualenv, as in its activate script */
	if (uwsgi_announce() < 0)
		return err_set(err, -ENOMEM, "out of memory");
	signals_hold();
	r = preinitialize(err);
	if (r == 0)
		r = initialize(e, &v, err);
	if (r == 0)
		r = prepare(e, err); /* imports signal, which notes what it finds */
	signals_release();
	return r;
}

static void call_quietly(const char *module_name, const char *function)
{
	PyObject *module = PyImport_ImportModule(module_name);
	PyObject *r = module ? PyObject_CallMethod(module, function, NULL) : NULL;

	if (!r)
		PyErr_Print();
	Py_XDECREF(r);
	Py_XDECREF(module);
}

void interp_flush(void)
{
	static const char *const names[] = {"stdout", "stderr"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		PyObject *file = PySys_GetObject(names[i]); /* borrowed */
		PyObject *r;

		if (!file || file == Py_None)
			continue;
		r = PyObject_CallMethod(file, "flush", NULL);
		if (!r)
			PyErr_Clear();
		Py_XDECREF(r);
	}
}

int interp_freeze(bool collect)
{
	PyObject *gc = PyImport_ImportModule("gc");
	PyObject *collected = gc && collect ? PyObject_CallMethod(gc, "collect", NULL) : NULL;
	PyObject *frozen =
		gc && (collected || !collect) ? PyObject_CallMethod(gc, "freeze", NULL) : NULL;

	Py_XDECREF(frozen);
	Py_XDECREF(collected);
	Py_XDECREF(gc);
	return frozen ? 0 : -1;
}

void interp_exit(struct engine *e, int code)
{
	signals_exit_after(INTERP_EXIT_S, code);
	uwsgi_ending(e);
	/* What Py_FinalizeEx does before it takes the interpreter apart. */
	call_quietly("threading", "_shutdown");
	call_quietly("atexit", "_run_exitfuncs");
	interp_flush();
	log_flush(LOG_FLUSH_MS);
	if (ENGINE_SANITIZED) {
		(void)Py_FinalizeEx();
		exit(code);
	}
	_exit(code);
}
