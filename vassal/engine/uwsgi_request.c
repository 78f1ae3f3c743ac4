/*
 * uwsgi_request - what the uwsgi module does for the request of the calling thread.
 *
 * set_user_harakiri() is a timer of the kernel that ends the process by ABRT: faulthandler prints the stacks, the front
 * answers 502, and nothing of it needs the GIL. It ends with its request; one that is set outside of all requests ends
 * with its thread, and in the mold, as in uWSGI, there is none.
 */
#include "vassal/engine/uwsgi_inner.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "vassal/engine/response.h"
#include "vassal/exchange/exchange.h"

#define HARAKIRI_MAX_S 86400 /* as harakiri's */

static _Thread_local struct lane *current;
static _Thread_local struct harakiri own; /* of a thread that serves no request */

struct lane *uwsgi_lane(void)
{
	if (!current)
		PyErr_SetString(PyExc_RuntimeError, "this thread serves no request");
	return current;
}

void uwsgi_enter(struct lane *l)
{
	current = l;
}

static void stop_timer(struct harakiri *h)
{
	if (h->runs)
		(void)timer_delete(h->timer);
	h->runs = false;
}

static void log_bytes(struct lane *l, const char *p, size_t n)
{
	n = MIN(n, sizeof(l->logged) - l->logged_n);
	memcpy(l->logged + l->logged_n, p, n);
	l->logged_n += n;
}

/* "user=me order=17", in the order in which they were set first; what is beyond the limit is cut. */
static void log_vars(struct lane *l)
{
	PyObject *key, *value; /* borrowed; bytes, see uwsgi_set_logvar() */
	Py_ssize_t at = 0;

	l->logged_n = 0;
	while (l->logvars && PyDict_Next(l->logvars, &at, &key, &value)) {
		if (l->logged_n > 0)
			log_bytes(l, " ", 1);
		log_bytes(l, PyBytes_AS_STRING(key), (size_t)PyBytes_GET_SIZE(key));
		log_bytes(l, "=", 1);
		log_bytes(l, PyBytes_AS_STRING(value), (size_t)PyBytes_GET_SIZE(value));
	}
}

void uwsgi_leave(struct lane *l)
{
	stop_timer(&l->harakiri);
	log_vars(l);
	Py_CLEAR(l->logvars);
	current = NULL;
}

static int start_timer(struct harakiri *h, unsigned seconds)
{
	struct sigevent how = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGABRT};
	struct itimerspec when = {.it_value.tv_sec = seconds};

	if (timer_create(CLOCK_MONOTONIC, &how, &h->timer) < 0)
		return -1;
	h->runs = true;
	return timer_settime(h->timer, 0, &when, NULL);
}

static pthread_key_t at_thread_end;

static void on_thread_end(void *harakiri)
{
	stop_timer(harakiri);
}

static void make_key(void)
{
	(void)pthread_key_create(&at_thread_end, on_thread_end);
}

/* What this thread's time is taken by. NULL: it has none to lose. */
static struct harakiri *find_timer(const struct engine *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	if (current)
		return &current->harakiri;
	if (e->worker_id == 0)
		return NULL;
	(void)pthread_once(&once, make_key);
	(void)pthread_setspecific(at_thread_end, &own);
	return &own;
}

PyObject *uwsgi_set_user_harakiri(PyObject *module, PyObject *args)
{
	struct harakiri *h;
	int seconds;

	if (!PyArg_ParseTuple(args, "i:set_user_harakiri", &seconds))
		return NULL;
	if (seconds < 0 || seconds > HARAKIRI_MAX_S) {
		PyErr_Format(PyExc_ValueError, "set_user_harakiri: seconds from 0 to %d",
			     HARAKIRI_MAX_S);
		return NULL;
	}
	h = find_timer(uwsgi_engine(module));
	if (h)
		stop_timer(h);
	if (h && seconds > 0 && start_timer(h, (unsigned)seconds) < 0)
		return PyErr_SetFromErrno(PyExc_OSError);
	Py_RETURN_NONE;
}

/* str and bytes are the same here, as they are in uWSGI. */
PyObject *uwsgi_set_logvar(PyObject *module, PyObject *args)
{
	struct lane *l = uwsgi_lane();
	const char *key_p, *value_p;
	Py_ssize_t key_n, value_n;
	PyObject *key, *value;
	int r;

	(void)module;
	if (!l || !PyArg_ParseTuple(args, "s#s#:set_logvar", &key_p, &key_n, &value_p, &value_n))
		return NULL;
	if (!l->logvars)
		l->logvars = PyDict_New();
	key = PyBytes_FromStringAndSize(key_p, key_n);
	value = PyBytes_FromStringAndSize(value_p, value_n);
	r = l->logvars && key && value ? PyDict_SetItem(l->logvars, key, value) : -1;
	Py_XDECREF(value);
	Py_XDECREF(key);
	if (r < 0)
		return NULL;
	Py_RETURN_NONE;
}

PyObject *uwsgi_get_logvar(PyObject *module, PyObject *args)
{
	struct lane *l = uwsgi_lane();
	const char *p;
	Py_ssize_t n;
	PyObject *key, *value;

	(void)module;
	if (!l || !PyArg_ParseTuple(args, "s#:get_logvar", &p, &n))
		return NULL;
	key = PyBytes_FromStringAndSize(p, n);
	if (!key)
		return NULL;
	value = l->logvars ? PyDict_GetItemWithError(l->logvars, key) : NULL; /* borrowed */
	Py_DECREF(key);
	if (!value && PyErr_Occurred())
		return NULL;
	if (!value)
		Py_RETURN_NONE;
	Py_INCREF(value);
	return value;
}

PyObject *uwsgi_log_this_request(PyObject *module, PyObject *unused)
{
	struct lane *l = uwsgi_lane();

	(void)module;
	(void)unused;
	if (!l)
		return NULL;
	l->end |= FRAME_END_LOG;
	Py_RETURN_NONE;
}

PyObject *uwsgi_disconnect(PyObject *module, PyObject *unused)
{
	struct lane *l = uwsgi_lane();

	(void)module;
	(void)unused;
	if (!l)
		return NULL;
	log_vars(l);
	if (response_disconnect(l) < 0)
		return NULL;
	Py_RETURN_TRUE;
}

PyObject *uwsgi_cl(PyObject *module, PyObject *unused)
{
	const struct lane *l = uwsgi_lane();

	(void)module;
	(void)unused;
	return l ? PyLong_FromUnsignedLongLong(l->request_n) : NULL;
}
