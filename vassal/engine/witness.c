/*
 * witness - see witness.h. The thread touches no Python object: it takes the GIL, and gives it back.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "vassal/engine/witness.h"

#include <pthread.h>

#include "shared/clock.h"
#include "shared/thread.h"
#include "vassal/engine/engine.h"
#include "vassal/exchange/exchange.h"

#define EVERY_NS (500 * NS_PER_MS)
#define STACK_BYTES \
	(64UL * 1024) /* take_gil() needs some hundred bytes; 8 MB would be counted by limit-as */

struct witness {
	struct engine *engine;
	unsigned worker;
	PyThreadState *state; /* of its own; freed with the interpreter */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop; /* under lock */
};

/* False: it is to end. */
static bool rest(struct witness *w)
{
	struct timespec until;
	uint64_t at_ns = clock_now_ns() + EVERY_NS;
	bool stop;

	until = (struct timespec){.tv_sec = (time_t)(at_ns / NS_PER_S),
				  .tv_nsec = (long)(at_ns % NS_PER_S)};
	(void)pthread_mutex_lock(&w->lock);
	if (!w->stop)
		(void)pthread_cond_clockwait(&w->wake, &w->lock, CLOCK_MONOTONIC, &until);
	stop = w->stop;
	(void)pthread_mutex_unlock(&w->lock);
	return !stop;
}

/* Begins without the GIL. */
static void *watch(void *arg)
{
	struct witness *w = arg;
	struct exchange *x = w->engine->exchange;

	while (rest(w)) {
		exchange_gil_wait(x, w->worker, clock_now_ns());
		PyEval_RestoreThread(w->state);
		exchange_gil_wait(x, w->worker, 0);
		(void)PyEval_SaveThread();
	}
	return NULL;
}

struct witness *witness_start(struct engine *e, unsigned worker)
{
	struct witness *w = calloc(1, sizeof(*w));

	if (!w)
		return (struct witness *)PyErr_NoMemory();
	w->engine = e;
	w->worker = worker;
	(void)pthread_mutex_init(&w->lock, NULL);
	(void)pthread_cond_init(&w->wake, NULL);
	w->state = PyThreadState_New(PyInterpreterState_Get());
	if (w->state && thread_start(&w->thread, STACK_BYTES, watch, w) == 0)
		return w;
	free(w);
	return (struct witness *)PyErr_NoMemory();
}

void witness_stop(struct witness *w)
{
	if (!w)
		return;
	(void)pthread_mutex_lock(&w->lock);
	w->stop = true;
	(void)pthread_cond_signal(&w->wake);
	(void)pthread_mutex_unlock(&w->lock);
	Py_BEGIN_ALLOW_THREADS;
	(void)pthread_join(w->thread, NULL);
	Py_END_ALLOW_THREADS;
	PyThreadState_Clear(w->state);
	PyThreadState_Delete(w->state);
	free(w);
}
