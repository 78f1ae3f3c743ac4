/*
 * uwsgi_workers - uwsgi.workers(): the scoreboard in uWSGI's names and units.
 */
#include "vassal/engine/uwsgi_inner.h"

#include "shared/clock.h"
#include "shared/scoreboard.h"
#include "vassal/exchange/exchange.h"

static const char *status_of(const struct engine *e, unsigned number)
{
	const struct board_worker *w = &e->bank->worker[number];
	unsigned threads = exchange_get_shape(e->exchange)->threads;
	bool busy = false;

	switch (atomic_load(&w->state)) {
	case WORKER_NONE:
	case WORKER_DEAD:
		return "cheap";
	case WORKER_STARTING:
		return "pause";
	default:
		break;
	}
	for (unsigned i = 0; i < threads; i++)
		busy |= atomic_load(&e->bank->lane[number * threads + i].busy) != 0;
	return busy ? "busy" : "idle";
}

static int put_number(PyObject *d, const char *key, uint64_t n)
{
	return uwsgi_put(d, key, PyLong_FromUnsignedLongLong(n));
}

static int put_bytes(PyObject *d, const char *key, const char *text)
{
	return uwsgi_put(d, key, PyBytes_FromString(text));
}

/* All that a worker serves is one app, as on the stats sockets: what each mount had is not counted. */
static PyObject *describe_apps(const struct board_worker *w)
{
	PyObject *d = PyDict_New();

	if (!d)
		return NULL;
	if (put_number(d, "id", 0) < 0 || put_number(d, "modifier1", 0) < 0 ||
	    put_bytes(d, "mountpoint", "") < 0 || put_number(d, "startup_time", 0) < 0 ||
	    put_number(d, "interpreter", 0) < 0 || put_number(d, "callable", 0) < 0 ||
	    put_number(d, "requests", board_get(&w->requests)) < 0 ||
	    put_number(d, "exceptions", board_get(&w->exceptions)) < 0 ||
	    put_bytes(d, "chdir", "") < 0) {
		Py_DECREF(d);
		return NULL;
	}
	return Py_BuildValue("(N)", d);
}

static PyObject *describe(const struct engine *e, unsigned number)
{
	struct board_worker *w = &e->bank->worker[number];
	PyObject *d = PyDict_New();

	if (!d)
		return NULL;
	if (put_number(d, "id", number + 1) < 0 || put_number(d, "pid", atomic_load(&w->pid)) < 0 ||
	    put_number(d, "requests", board_get(&w->requests)) < 0 ||
	    put_number(d, "delta_requests", board_get(&w->delta_requests)) < 0 ||
	    put_number(d, "exceptions", board_get(&w->exceptions)) < 0 ||
	    put_number(d, "harakiri_count", board_get(&w->harakiris)) < 0 ||
	    put_number(d, "rss", board_get(&w->rss)) < 0 ||
	    put_number(d, "vsz", board_get(&w->vsz)) < 0 ||
	    put_number(d, "running_time", board_get(&w->running_us)) < 0 ||
	    put_number(d, "avg_rt", board_get(&w->avg_us)) < 0 ||
	    put_number(d, "tx", board_get(&w->tx)) < 0 ||
	    put_number(d, "respawn_count", board_get(&w->respawns)) < 0 ||
	    put_number(d, "last_spawn", board_get(&w->spawned_wall_ns) / NS_PER_S) < 0 ||
	    put_number(d, "signals", 0) < 0 || uwsgi_put(d, "apps", describe_apps(w)) < 0 ||
	    put_bytes(d, "status", status_of(e, number)) < 0)
		Py_CLEAR(d);
	return d;
}

PyObject *uwsgi_workers(const struct engine *e)
{
	unsigned n = exchange_get_shape(e->exchange)->workers;
	PyObject *list = PyList_New(0);
	PyObject *all;

	for (unsigned i = 0; list && i < n; i++) {
		/* numbers beyond processes are room for replacements */
		bool there = i < e->config.processes ||
			     atomic_load(&e->bank->worker[i].state) != WORKER_NONE;
		PyObject *d = there ? describe(e, i) : NULL;

		if (there && (!d || PyList_Append(list, d) < 0))
			Py_CLEAR(list);
		Py_XDECREF(d);
	}
	all = list ? PyList_AsTuple(list) : NULL;
	Py_XDECREF(list);
	return all;
}
