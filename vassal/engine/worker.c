/*
 * worker - see worker.h.
 *
 * With one thread the app runs on the main thread, and everything happens there. With more, each lane is a Python
 * thread, and the main thread waits for signals, for the end of the front and for the lanes to finish.
 *
 * The GIL: a lane holds it while it takes a request and serves it, and lets it go only to sleep. So whoever holds the
 * GIL and sees that no lane is busy knows that none can take a request before it looks at `leaving`.
 */
#include "vassal/engine/worker.h"
#include "vassal/engine/engine.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "shared/proctitle.h"
#include "shared/scoreboard.h"
#include "vassal/engine/app.h"
#include "vassal/engine/body.h"
#include "vassal/engine/forked.h"
#include "vassal/engine/interp.h"
#include "vassal/engine/interrupt.h"
#include "vassal/engine/lane.h"
#include "vassal/engine/modules.h"
#include "vassal/engine/place.h"
#include "vassal/engine/refork.h"
#include "vassal/engine/signals.h"
#include "vassal/engine/stacks.h"
#include "vassal/engine/traceback.h"
#include "vassal/engine/uwsgi.h"
#include "vassal/engine/warmup.h"
#include "vassal/engine/witness.h"
#include "vassal/exchange/exchange.h"

/* A Python signal handler that was missed between looking and sleeping runs after this at the latest. */
#define SIGNAL_CHECK_NS (10 * NS_PER_S)
/* The intermediate process that stood between front and worker exits at once; it is not waited for any longer. */
#define ADOPTION_TIMEOUT_NS (5 * NS_PER_S)

#define LANE_CAPSULE "emperor.lane"

struct worker;

struct thread {
	struct lane lane;
	struct worker *worker;
	PyObject *python; /* its threading.Thread, if it is not the main thread */
	bool busy;        /* a request is in the app; under the GIL */
};

struct worker {
	struct engine *engine;
	unsigned number;
	struct crew_link link;
	unsigned threads_n;
	struct thread *threads;
	struct interrupt_crew crew; /* their lanes */
	struct refork refork;
	struct witness *witness; /* NULL: none */
	unsigned running;        /* threads in their loop; under the GIL */
	bool leaving;            /* under the GIL */
	bool retired;            /* by the front: it wakes every lane, so each leaves by itself */
	int wake_fd;             /* eventfd: a lane has finished */
	char why[128];
};

static void say_with(const struct worker *w, struct crew_msg m, const char *text, int fd)
{
	int r;

	m.worker = w->number;
	do
		r = crew_send(w->link.fd, &m, text, fd);
	while (r == -EAGAIN &&
	       poll(&(struct pollfd){.fd = w->link.fd, .events = POLLOUT}, 1, 1000) > 0);
	if (r == -EPIPE || r == -ECONNRESET)
		_exit(CREW_EXIT_ORPHAN);
}

static void say(const struct worker *w, struct crew_msg m, const char *text)
{
	say_with(w, m, text, -1);
}

/* Under the GIL, so lanes do not tell it twice. */
static void tell_modules(const struct worker *w)
{
	int fd = modules_news(w->engine);

	if (fd < 0)
		return;
	say_with(w, (struct crew_msg){.kind = CREW_MODULES}, NULL, fd);
	(void)close(fd);
}

static void leave(struct worker *w, const char *why)
{
	if (w->leaving)
		return;
	w->leaving = true;
	/* at once: until the last busy lane is done, the front would wake sleeping ones for nothing */
	exchange_worker_retire(w->engine->exchange, w->number);
	(void)snprintf(w->why, sizeof(w->why), "%s", why);
}

/* Python's handlers, on the main thread. What they raise has no request to go to. */
static void run_signal_handlers(struct worker *w)
{
	int r = PyErr_CheckSignals();

	if (forked_is())
		forked_leave(w->engine);
	if (r == 0)
		return;
	if (PyErr_ExceptionMatches(PyExc_SystemExit) ||
	    PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) {
		PyErr_Clear();
		leave(w, "a signal handler of the app asked for it");
		return;
	}
	traceback_report(w->engine, "exception in a signal handler of the app");
}

static void serve_one(struct thread *t, unsigned slot)
{
	t->busy = true;
	lane_serve(&t->lane, slot);
	tell_modules(t->worker);
	t->busy = false;
	if (t->lane.exiting)
		leave(t->worker, "the app called sys.exit()");
}

static void sleep_for_work(struct thread *t)
{
	Py_BEGIN_ALLOW_THREADS;
	(void)exchange_wait(t->worker->engine->exchange, t->lane.number,
			    t->lane.is_main ? SIGNAL_CHECK_NS : 0);
	Py_END_ALLOW_THREADS;
	if (t->lane.is_main)
		run_signal_handlers(t->worker);
}

/* Holds the GIL. Returns when the worker is to leave. */
static void serve(struct thread *t)
{
	struct worker *w = t->worker;
	unsigned slot;

	exchange_thread_is(w->engine->exchange, t->lane.number, PyThread_get_thread_ident());
	while (!w->leaving) {
		switch (exchange_take(w->engine->exchange, t->lane.number, &slot)) {
		case EXCHANGE_TAKEN:
			serve_one(t, slot);
			break;
		case EXCHANGE_NOTHING:
			sleep_for_work(t);
			break;
		case EXCHANGE_CALLED:
			refork_answer(w->engine, &w->refork, &w->link);
			if (forked_is())
				forked_leave(w->engine);
			break;
		case EXCHANGE_RETIRE:
			w->retired = true;
			leave(w, "retired");
			return;
		}
	}
}

static PyObject *thread_main(PyObject *capsule, PyObject *unused)
{
	const uint64_t one = 1;
	struct thread *t = PyCapsule_GetPointer(capsule, LANE_CAPSULE);

	(void)unused;
	if (!t)
		return NULL;
	t->lane.thread_id = PyThread_get_thread_ident();
	if (PyObject_SetAttrString(t->python, "_daemonic", Py_False) < 0)
		PyErr_Clear();
	serve(t);
	t->worker->running--;
	(void)!write(t->worker->wake_fd, &one, sizeof(one));
	Py_RETURN_NONE;
}

/*
 * Through the threading module, so that the app sees a proper current_thread(). Started as daemons: a stuck one must not
 * keep the process from leaving. Afterwards they do not look so: what the app starts in a request would be daemons too,
 * and lost at the end, which with one thread it is not.
 */
static int start_thread(struct thread *t, PyObject *threading)
{
	static PyMethodDef method = {"serve", thread_main, METH_NOARGS, "Serves requests."};
	PyObject *capsule = PyCapsule_New(t, LANE_CAPSULE, NULL);
	PyObject *target = capsule ? PyCFunction_New(&method, capsule) : NULL;
	PyObject *type = PyObject_GetAttrString(threading, "Thread");
	PyObject *none = PyTuple_New(0);
	PyObject *name =
		PyUnicode_FromFormat("emperor-%u", t->lane.number % t->worker->threads_n + 1);
	PyObject *kwargs = target && name ? Py_BuildValue("{s:O,s:O,s:O}", "target", target, "name",
							  name, "daemon", Py_True)
					  : NULL;
	PyObject *thread = type && none && kwargs ? PyObject_Call(type, none, kwargs) : NULL;
	PyObject *r = NULL;

	t->python = thread;
	if (thread) {
		t->worker->running++;
		r = PyObject_CallMethod(thread, "start", NULL);
		if (!r)
			t->worker->running--;
	}
	Py_XDECREF(r);
	Py_XDECREF(kwargs);
	Py_XDECREF(name);
	Py_XDECREF(none);
	Py_XDECREF(type);
	Py_XDECREF(target);
	Py_XDECREF(capsule);
	return r ? 0 : -1;
}

static int start_threads(struct worker *w)
{
	PyObject *threading = PyImport_ImportModule("threading");
	int r = threading ? 0 : -1;

	for (unsigned i = 0; r == 0 && i < w->threads_n; i++)
		r = start_thread(&w->threads[i], threading);
	Py_XDECREF(threading);
	return r;
}

static bool any_busy(const struct worker *w)
{
	for (unsigned i = 0; i < w->threads_n; i++)
		if (w->threads[i].busy)
			return true;
	return false;
}

/* Holds the GIL; without it while it waits. */
static void supervise(struct worker *w)
{
	struct pollfd p[2] = {{.fd = w->wake_fd, .events = POLLIN},
			      {.fd = w->link.fd, .events = 0}};

	while (w->running > 0 && (w->retired || !w->leaving || any_busy(w))) {
		/* A lane may be busy long after another one called sys.exit(): looked after every 100 ms then. */
		int timeout_ms = w->leaving ? 100 : (int)(SIGNAL_CHECK_NS / NS_PER_MS);
		uint64_t count;

		Py_BEGIN_ALLOW_THREADS;
		(void)poll(p, 2, timeout_ms);
		Py_END_ALLOW_THREADS;
		if (p[1].revents & (POLLHUP | POLLERR))
			_exit(CREW_EXIT_ORPHAN);
		if (p[0].revents & POLLIN)
			(void)!read(w->wake_fd, &count, sizeof(count));
		stacks_answer();
		run_signal_handlers(w);
	}
}

static int make_threads(struct worker *w)
{
	struct engine *e = w->engine;

	w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	w->threads = calloc(w->threads_n, sizeof(*w->threads));
	if (w->wake_fd < 0 || !w->threads) {
		(void)PyErr_NoMemory();
		return -1;
	}
	for (unsigned i = 0; i < w->threads_n; i++) {
		struct thread *t = &w->threads[i];

		t->worker = w;
		t->lane = (struct lane){
			.link = &w->link,
			.number = w->number * w->threads_n + i,
			.is_main = w->threads_n == 1,
			.worker_board = &e->bank->worker[w->number],
		};
		t->lane.board = &e->bank->lane[t->lane.number];
		if (lane_start(&t->lane, e) < 0)
			return -1;
		w->crew.lanes[w->crew.n++] = &t->lane;
	}
	w->crew.engine = e;
	if (e->config.deadlock_timeout_s > 0) {
		w->witness = witness_start(e, w->number);
		if (!w->witness)
			return -1;
	}
	return interrupt_listen(&w->crew);
}

/*
 * PDEATHSIG only now: set before, the intermediate's exit would be taken for the front's. KILL and not TERM: nobody
 * is left who could take an answer, replace this process or end it, and TERM is ours to ignore.
 */
static void wait_for_adoption(const struct engine *e)
{
	uint64_t until = clock_now_ns() + ADOPTION_TIMEOUT_NS;

	while (getppid() != e->front_pid) {
		if (clock_now_ns() > until)
			_exit(CREW_EXIT_ORPHAN);
		(void)usleep(50);
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != e->front_pid) /* it went between the two */
		_exit(CREW_EXIT_ORPHAN);
}

/* A mold that was forked from a worker has but the first of them, and our own end may be among the numbers. */
static void close_mold_descriptors(int link_fd)
{
	for (int fd = CREW_MOLD_FD; fd <= CREW_BOARD_FD; fd++)
		if (fd != link_fd)
			(void)close(fd);
}

/* lazy-apps: what the mold would have done. */
static void load_app(struct worker *w)
{
	char text[CREW_TEXT_MAX];
	enum fail_phase phase = app_load(w->engine, text, sizeof(text));

	if (forked_is())
		forked_leave(w->engine);
	if (phase == FAIL_NONE && warmup_run(w->engine, text, sizeof(text)) < 0)
		phase = FAIL_WARMUP;
	if (phase == FAIL_NONE)
		return;
	say(w, (struct crew_msg){.kind = CREW_WORKER_FAILED, .a = phase}, text);
	_exit(CREW_EXIT_FAILED);
}

/*
 * Only while nothing serves yet: a page that turns unhealthy later must not keep crashed workers from being replaced.
 */
static void check_health(struct worker *w)
{
	char text[CREW_TEXT_MAX];
	int r;

	if (atomic_load(&w->engine->bank->state) != FRONT_STARTING)
		return;
	r = health_check(w->engine, text, sizeof(text));
	if (forked_is())
		forked_leave(w->engine);
	if (r == 0)
		return;
	say(w, (struct crew_msg){.kind = CREW_WORKER_FAILED, .a = FAIL_WARMUP}, text);
	_exit(CREW_EXIT_FAILED);
}

static void fail(struct worker *w, const char *what)
{
	char text[CREW_TEXT_MAX];

	traceback_explain(w->engine, what, text, sizeof(text));
	say(w, (struct crew_msg){.kind = CREW_WORKER_FAILED, .a = FAIL_START}, text);
	_exit(CREW_EXIT_FAILED);
}

static void reset_board(const struct worker *w)
{
	struct board_bank *bank = w->engine->bank;

	board_set(&bank->worker[w->number].delta_requests, 0);
	for (unsigned i = 0; i < w->threads_n; i++) {
		struct board_lane *lane = &bank->lane[w->number * w->threads_n + i];

		/* A process that was killed may have left it odd and busy. */
		atomic_store(&lane->busy, 0);
		atomic_store(&lane->sequence, (atomic_load(&lane->sequence) + 1) & ~1U);
	}
}

/* Only the sanitizers' builds: what is ours must not be reported as lost. */
static void free_threads(struct worker *w)
{
	if (w->running > 0)
		return; /* they are still in there */
	for (unsigned i = 0; i < w->threads_n; i++) {
		PyObject *thread = w->threads[i].python;
		PyObject *r = thread ? PyObject_CallMethod(thread, "join", NULL) : NULL;

		Py_XDECREF(r);
		Py_XDECREF(thread);
		lane_done(&w->threads[i].lane);
	}
	free(w->threads);
	w->threads = NULL;
}

_Noreturn void worker_run(struct engine *e, unsigned number, int link_fd)
{
	struct worker w = {
		.engine = e,
		.number = number,
		.link = {.fd = link_fd, .worker = number, .lock = PTHREAD_MUTEX_INITIALIZER},
		.threads_n = exchange_get_shape(e->exchange)->threads,
	};
	uint64_t started_ns = clock_now_ns();

	forked_watch();
	wait_for_adoption(e);
	close_mold_descriptors(link_fd);
	e->worker_id = number + 1;
	place_worker(e, number);
	signals_start();
	proctitle_set("%s worker %u", engine_title(e), number + 1);
	reset_board(&w);
	if (!e->loaded)
		load_app(&w);
	uwsgi_forked(e, number);
	check_health(&w);
	if (make_threads(&w) < 0 ||
	    (w.threads_n > 1 && (stacks_by_main_thread(w.wake_fd) < 0 || start_threads(&w) < 0)))
		fail(&w, "worker");
	w.refork.wake_fd = w.wake_fd;
	refork_remember(&w.refork);
	say(&w,
	    (struct crew_msg){.kind = CREW_WORKER_READY,
			      .a = (uint64_t)getpid(),
			      .b = (clock_now_ns() - started_ns) / NS_PER_US},
	    NULL);
	tell_modules(&w);
	if (w.threads_n == 1)
		serve(&w.threads[0]);
	else
		supervise(&w);
	say(&w, (struct crew_msg){.kind = CREW_WORKER_LEAVES}, w.why);
	if (ENGINE_SANITIZED) {
		witness_stop(w.witness);
		free_threads(&w);
	}
	interp_exit(e, CREW_EXIT_OK);
}
