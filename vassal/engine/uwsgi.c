/*
 * uwsgi - see uwsgi.h.
 */
#include "vassal/engine/uwsgi_inner.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "shared/clock.h"
#include "shared/handoff.h"
#include "shared/inifile.h"
#include "shared/log.h"
#include "shared/proctitle.h"
#include "shared/scoreboard.h"
#include "vassal/engine/decorators.h"
#include "vassal/engine/forked.h"
#include "vassal/engine/lock.h"
#include "vassal/engine/traceback.h"
#include "vassal/exchange/exchange.h"

/* What agents compare with: the first version in which nothing that they warn of is wrong. */
#define VERSION_TEXT "2.0.30-emperor" EMPEROR_VERSION

struct engine *uwsgi_engine(PyObject *module)
{
	return *(struct engine **)PyModule_GetState(module);
}

int uwsgi_put(PyObject *dict, const char *key, PyObject *value)
{
	int r = value ? PyDict_SetItemString(dict, key, value) : -1;

	Py_XDECREF(value);
	return r;
}

/* -- of the app ------------------------------------------------------------------------------------------- */

static PyObject *get_masterpid(PyObject *module, PyObject *unused)
{
	(void)unused;
	return PyLong_FromLong(uwsgi_engine(module)->front_pid);
}

static PyObject *get_workers(PyObject *module, PyObject *unused)
{
	(void)unused;
	return uwsgi_workers(uwsgi_engine(module));
}

static PyObject *get_total_requests(PyObject *module, PyObject *unused)
{
	struct engine *e = uwsgi_engine(module);
	unsigned n = exchange_get_shape(e->exchange)->workers;
	uint64_t total = 0;

	(void)unused;
	for (unsigned i = 0; i < n; i++)
		total += board_get(&e->bank->worker[i].requests);
	return PyLong_FromUnsignedLongLong(total);
}

static PyObject *get_listen_queue(PyObject *module, PyObject *args)
{
	int unused = 0;

	if (!PyArg_ParseTuple(args, "|i:listen_queue", &unused))
		return NULL;
	return PyLong_FromUnsignedLong(exchange_queued(uwsgi_engine(module)->exchange));
}

static PyObject *get_logsize(PyObject *module, PyObject *unused)
{
	const char *path = uwsgi_engine(module)->config.logto;
	struct stat st;

	(void)unused;
	return PyLong_FromLongLong(path && stat(path, &st) == 0 ? st.st_size : 0);
}

static PyObject *get_ready(PyObject *module, PyObject *unused)
{
	(void)unused;
	return PyBool_FromLong(atomic_load(&uwsgi_engine(module)->bank->state) == FRONT_SERVING);
}

static PyObject *signal_front(PyObject *module, int number)
{
	if (kill(uwsgi_engine(module)->front_pid, number) < 0)
		return PyErr_SetFromErrno(PyExc_OSError);
	Py_RETURN_TRUE;
}

static PyObject *ask_reload(PyObject *module, PyObject *unused)
{
	(void)unused;
	return signal_front(module, SIGHUP);
}

static PyObject *ask_stop(PyObject *module, PyObject *unused)
{
	(void)unused;
	return signal_front(module, SIGTERM);
}

/* -- of this worker --------------------------------------------------------------------------------------- */

static PyObject *get_worker_id(PyObject *module, PyObject *unused)
{
	(void)unused;
	return PyLong_FromUnsignedLong(uwsgi_engine(module)->worker_id);
}

static PyObject *get_request_id(PyObject *module, PyObject *unused)
{
	const struct engine *e = uwsgi_engine(module);
	unsigned id = e->worker_id;

	(void)unused;
	return PyLong_FromUnsignedLongLong(id > 0 ? board_get(&e->bank->worker[id - 1].requests)
						  : 0);
}

static PyObject *get_mem(PyObject *module, PyObject *unused)
{
	unsigned long long size = 0, resident = 0;
	char line[128], *end;
	unsigned long long page = (unsigned long long)sysconf(_SC_PAGESIZE);
	FILE *f = fopen("/proc/self/statm", "re");

	(void)module;
	(void)unused;
	if (f && fgets(line, sizeof(line), f)) {
		size = strtoull(line, &end, 10);
		resident = strtoull(end, NULL, 10);
	}
	if (f)
		(void)fclose(f);
	return Py_BuildValue("(KK)", resident * page, size * page);
}

static PyObject *say(PyObject *module, PyObject *args)
{
	const char *text;
	Py_ssize_t n;
	char *line;

	(void)module;
	if (!PyArg_ParseTuple(args, "s#:log", &text, &n))
		return NULL;
	line = PyMem_Malloc((size_t)n + 1);
	if (!line)
		return PyErr_NoMemory();
	memcpy(line, text, (size_t)n);
	line[n] = '\n';
	Py_BEGIN_ALLOW_THREADS;
	(void)!write(STDERR_FILENO, line, (size_t)n + 1);
	Py_END_ALLOW_THREADS;
	PyMem_Free(line);
	Py_RETURN_TRUE;
}

static PyObject *set_warning_message(PyObject *module, PyObject *args)
{
	const char *text;

	if (!PyArg_ParseTuple(args, "s:set_warning_message", &text))
		return NULL;
	log_warning("worker %u: the app warns: %s", uwsgi_engine(module)->worker_id, text);
	Py_RETURN_TRUE;
}

static PyObject *set_procname(PyObject *module, PyObject *args)
{
	const char *name;

	(void)module;
	if (!PyArg_ParseTuple(args, "s:setprocname", &name))
		return NULL;
	proctitle_set("%s", name);
	Py_RETURN_NONE;
}

static PyObject *get_micros(PyObject *module, PyObject *unused)
{
	(void)module;
	(void)unused;
	return PyLong_FromUnsignedLongLong(clock_wall_ns() / NS_PER_US);
}

static PyObject *answer_none(PyObject *module, PyObject *unused)
{
	(void)module;
	(void)unused;
	Py_RETURN_NONE;
}

static PyObject *answer_false(PyObject *module, PyObject *unused)
{
	(void)module;
	(void)unused;
	Py_RETURN_FALSE;
}

static PyObject *answer_zero(PyObject *module, PyObject *unused)
{
	(void)module;
	(void)unused;
	return PyLong_FromLong(0);
}

/* -- hooks ------------------------------------------------------------------------------------------------ */

static void run_hook(const struct engine *e, const char *name)
{
	PyObject *hook = PyDict_GetItemString(PyModule_GetDict(e->uwsgi), name); /* borrowed */
	PyObject *r;
	char heading[64];

	if (!hook || hook == Py_None)
		return;
	Py_INCREF(hook);
	r = PyObject_CallNoArgs(hook);
	Py_DECREF(hook);
	if (forked_is())
		forked_leave(e);
	if (!r) {
		(void)snprintf(heading, sizeof(heading), "exception in uwsgi.%s", name);
		traceback_report(e, heading);
	}
	Py_XDECREF(r);
}

void uwsgi_forked(struct engine *e, unsigned number)
{
	e->worker_id = number + 1;
	run_hook(e, "post_fork_hook");
}

void uwsgi_ending(const struct engine *e)
{
	run_hook(e, "atexit");
}

void uwsgi_served(const struct lane *l)
{
	run_hook(l->engine, "after_req_hook");
}

/* -- the module ------------------------------------------------------------------------------------------- */

static PyMethodDef methods[] = {
	{"masterpid", get_masterpid, METH_NOARGS,
	 "Process of the front, which looks after the workers."},
	{"worker_id", get_worker_id, METH_NOARGS,
	 "Number of this worker from 1; 0 at import before they are forked."},
	{"workers", get_workers, METH_NOARGS, "A dict for each worker."},
	{"total_requests", get_total_requests, METH_NOARGS, "Requests of all workers."},
	{"request_id", get_request_id, METH_NOARGS, "Requests of this worker."},
	{"mem", get_mem, METH_NOARGS, "Bytes of memory and of address space of this process."},
	{"logsize", get_logsize, METH_NOARGS, "Bytes of the app's log file; 0 if it has none."},
	{"listen_queue", get_listen_queue, METH_VARARGS, "Requests that no worker has taken."},
	{"set_warning_message", set_warning_message, METH_VARARGS,
	 "A warning for the operator, in the log."},
	{"log", say, METH_VARARGS, "A line for the log."},
	{"reload", ask_reload, METH_NOARGS, "A new generation of the app, as soon as it is ready."},
	{"stop", ask_stop, METH_NOARGS, "Ends the app gracefully; an emperor starts it again."},
	{"ready", get_ready, METH_NOARGS, "Does this generation serve?"},
	{"accepting", answer_none, METH_NOARGS, "Nothing to do: workers say so themselves."},
	{"lock", uwsgi_lock, METH_VARARGS, "Waits for a lock that all workers share."},
	{"unlock", uwsgi_unlock, METH_VARARGS, "Gives it back."},
	{"is_locked", uwsgi_is_locked, METH_VARARGS, "Does anybody hold it?"},
	{"set_logvar", uwsgi_set_logvar, METH_VARARGS,
	 "Stands at the end of the request's line in the access log."},
	{"get_logvar", uwsgi_get_logvar, METH_VARARGS, "What set_logvar() remembered, or None."},
	{"log_this_request", uwsgi_log_this_request, METH_NOARGS,
	 "Its line is written in spite of disable-logging."},
	{"set_user_harakiri", uwsgi_set_user_harakiri, METH_VARARGS,
	 "The process ends if the request is not over in so many seconds; 0: it may go on."},
	{"disconnect", uwsgi_disconnect, METH_NOARGS,
	 "The client has the whole answer; the app goes on."},
	{"setprocname", set_procname, METH_VARARGS, "Title of this process."},
	{"cl", uwsgi_cl, METH_NOARGS, "Bytes of the request's body."},
	{"micros", get_micros, METH_NOARGS, "Microseconds since 1970."},
	{"i_am_the_spooler", answer_false, METH_NOARGS, "False: there is none."},
	{"mule_id", answer_zero, METH_NOARGS, "0: this is a worker."},
	{"in_farm", answer_false, METH_VARARGS, "False: there is none."},
	{NULL, NULL, 0, NULL},
};

static PyModuleDef definition = {
	PyModuleDef_HEAD_INIT,
	.m_name = "uwsgi",
	.m_doc = "What the app may ask of the server it runs in.",
	.m_size = sizeof(struct engine *),
	.m_methods = methods,
};

/* One line of the app's. A key that comes again has a list of its values, as in uWSGI. */
static int put_value(PyObject *d, PyObject *key, PyObject *value)
{
	PyObject *before = PyDict_GetItemWithError(d, key); /* borrowed */
	PyObject *both;
	int r = -1;

	if (!before)
		return PyErr_Occurred() ? -1 : PyDict_SetItem(d, key, value);
	if (PyList_Check(before))
		return PyList_Append(before, value);
	both = Py_BuildValue("[OO]", before, value);
	if (both)
		r = PyDict_SetItem(d, key, both);
	Py_XDECREF(both);
	return r;
}

static int put_option(PyObject *d, const struct config_item *item)
{
	bool has_value = item->has_value || item->value[0];
	PyObject *key = PyUnicode_DecodeFSDefault(item->key);
	PyObject *value = PyBytes_FromString(has_value ? item->value : "true");
	int r = key && value ? put_value(d, key, value) : -1;

	Py_XDECREF(value);
	Py_XDECREF(key);
	return r;
}

/* The app's own lines, then what is always so, in the words of those who look. */
static PyObject *make_opt(const struct engine *e)
{
	static const char *const always[] = {"master",
					     "enable-threads",
					     "py-call-uwsgi-fork-hooks",
					     "single-interpreter",
					     "need-app",
					     "die-on-term",
					     "vacuum"};
	PyObject *d = PyDict_New();
	int r = d ? 0 : -1;

	for (size_t i = 0; r == 0 && i < e->items.n; i++)
		r = put_option(d, &e->items.v[i]);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(always); i++)
		r = uwsgi_put(d, always[i], PyBytes_FromString("true"));
	if (r < 0)
		Py_CLEAR(d);
	return d;
}

static int put_magic(void *arg, char name, const char *value)
{
	PyObject *key = PyBytes_FromStringAndSize(&name, 1);
	PyObject *text = key ? PyBytes_FromString(value) : NULL;
	int r = text ? PyDict_SetItem(arg, key, text) : -1;

	Py_XDECREF(text);
	Py_XDECREF(key);
	return r;
}

/* %p, %d, %n ... of the app's ini. */
static PyObject *make_magic(void)
{
	const struct inifile_facts facts = {.path = getenv(HANDOFF_INI_ENV),
					    .cpus = inifile_count_cpus()};
	PyObject *d = PyDict_New();

	if (!d || inifile_magic(&facts, put_magic, d, NULL) == 0)
		return d;
	Py_DECREF(d);
	return PyErr_Occurred() ? NULL : PyErr_NoMemory();
}

static int put_host(PyObject *d)
{
	char name[HOST_NAME_MAX + 1] = "";

	(void)gethostname(name, sizeof(name) - 1);
	return uwsgi_put(d, "hostname", PyBytes_FromString(name));
}

static int put_facts(const struct engine *e, PyObject *d)
{
	const struct vassal_config *c = &e->config;

	if (uwsgi_put(d, "opt", make_opt(e)) < 0 || uwsgi_put(d, "magic_table", make_magic()) < 0 ||
	    put_host(d) < 0 || uwsgi_put(d, "version", PyBytes_FromString(VERSION_TEXT)) < 0 ||
	    uwsgi_put(d, "version_info", Py_BuildValue("(iiiiy)", 2, 0, 30, 0, "emperor")) < 0 ||
	    uwsgi_put(d, "numproc", PyLong_FromUnsignedLong(c->processes)) < 0 ||
	    uwsgi_put(d, "cores", PyLong_FromUnsignedLong(c->threads)) < 0 ||
	    uwsgi_put(d, "has_threads", PyLong_FromLong(1)) < 0 ||
	    uwsgi_put(d, "buffer_size", PyLong_FromUnsignedLong(c->buffer_size)) < 0 ||
	    uwsgi_put(d, "started_on", PyLong_FromUnsignedLongLong(clock_wall_ns() / NS_PER_S)) <
		    0 ||
	    uwsgi_put(d, "is_a_reload", PyBool_FromLong(e->generation > 1)) < 0 ||
	    uwsgi_put(d, "sockets", PyList_New(0)) < 0 ||
	    uwsgi_put(d, "applications", PyDict_New()) < 0 ||
	    uwsgi_put(d, "SPOOL_RETRY", PyLong_FromLong(-1)) < 0 ||
	    uwsgi_put(d, "SPOOL_OK", PyLong_FromLong(-2)) < 0 ||
	    uwsgi_put(d, "SPOOL_IGNORE", PyLong_FromLong(0)) < 0)
		return -1;
	return c->pidfile ? uwsgi_put(d, "pidfile", PyBytes_FromString(c->pidfile)) : 0;
}

/* importlib.util.find_spec() wants one of every module that is there. */
static int put_spec(PyObject *module)
{
	PyObject *machinery = PyImport_ImportModule("importlib.machinery");
	PyObject *spec =
		machinery ? PyObject_CallMethod(machinery, "ModuleSpec", "sO", "uwsgi", Py_None)
			  : NULL;
	int r = spec ? PyObject_SetAttrString(module, "__spec__", spec) : -1;

	Py_XDECREF(spec);
	Py_XDECREF(machinery);
	return r;
}

int uwsgi_announce(void)
{
	return PyImport_AppendInittab("uwsgidecorators", decorators_init);
}

int uwsgi_start(struct engine *e)
{
	PyObject *module = PyModule_Create(&definition);

	if (!module)
		return -1;
	*(struct engine **)PyModule_GetState(module) = e;
	e->uwsgi = module;
	if (put_facts(e, PyModule_GetDict(module)) < 0 || put_spec(module) < 0)
		return -1;
	if (lock_start() < 0)
		engine_note(e, "uwsgi.lock() will not work");
	return PyDict_SetItemString(PyImport_GetModuleDict(), "uwsgi", module);
}

static int put_app(PyObject *apps, const char *path, PyObject *app)
{
	PyObject *key = PyUnicode_DecodeFSDefault(path);
	int r = key ? PyDict_SetItem(apps, key, app) : -1;

	Py_XDECREF(key);
	return r;
}

int uwsgi_loaded(const struct engine *e)
{
	PyObject *apps = PyDict_New();
	int r = apps ? 0 : -1;

	if (r == 0 && e->application)
		r = put_app(apps, "", e->application);
	for (size_t i = 0; r == 0 && i < e->config.mounts_n; i++)
		r = put_app(apps, e->config.mounts[i].path, e->mounted[i]);
	return uwsgi_put(PyModule_GetDict(e->uwsgi), "applications", r == 0 ? apps : NULL);
}
