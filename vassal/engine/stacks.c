/*
 * stacks - see stacks.h. Only faulthandler's public functions are used.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "vassal/engine/stacks.h"

#include <signal.h>
#include <sys/mman.h>

#include "shared/base.h"
#include "shared/fd.h"
#include "vassal/exchange/crew.h"

#define STACKS_BYTES 16384 /* some hundred frames */

/* A handler has no argument. */
static volatile sig_atomic_t asked;
static volatile int wake;

/* Async-signal-safe, and one write: a line of its own. */
static void print_end(void)
{
	char line[sizeof(CREW_STACKS_END) + 12];
	char digits[12];
	unsigned pid = (unsigned)getpid();
	size_t at = sizeof(CREW_STACKS_END) - 1;
	unsigned n = 0;

	memcpy(line, CREW_STACKS_END, at);
	do
		digits[n++] = (char)('0' + pid % 10);
	while (pid /= 10);
	while (n > 0)
		line[at++] = digits[--n];
	line[at++] = '\n';
	(void)!write(STDERR_FILENO, line, at);
}

static void on_printed(_unused_ int number)
{
	int saved = errno;

	print_end();
	errno = saved;
}

static void on_look(_unused_ int number)
{
	const uint64_t one = 1;
	int saved = errno;

	asked = 1;
	(void)!write(wake, &one, sizeof(one));
	errno = saved;
}

static int set_handler(int number, void (*fn)(int))
{
	struct sigaction action = {.sa_handler = fn, .sa_flags = SA_RESTART};

	if (sigaction(number, &action, NULL) == 0)
		return 0;
	(void)PyErr_SetFromErrno(PyExc_OSError);
	return -1;
}

static PyObject *call(const char *name, PyObject *args, PyObject *kwargs)
{
	PyObject *module = PyImport_ImportModule("faulthandler");
	PyObject *fn = module ? PyObject_GetAttrString(module, name) : NULL;
	PyObject *r = fn && args ? PyObject_Call(fn, args, kwargs) : NULL;

	Py_XDECREF(fn);
	Py_XDECREF(module);
	return r;
}

/* chain: the handler that stood there before is called afterwards; system calls are then interrupted. */
static int register_signal(int number, bool all, bool chain)
{
	PyObject *args = Py_BuildValue("(i)", number);
	PyObject *kwargs =
		Py_BuildValue("{s:i,s:O,s:O}", "file", STDERR_FILENO, "all_threads",
			      all ? Py_True : Py_False, "chain", chain ? Py_True : Py_False);
	PyObject *r = kwargs ? call("register", args, kwargs) : NULL;

	Py_XDECREF(kwargs);
	Py_XDECREF(args);
	Py_XDECREF(r);
	return r ? 0 : -1;
}

/* Public, and safe under the GIL: how many threads Python knows. */
static unsigned count_threads(void)
{
	PyThreadState *t = PyInterpreterState_ThreadHead(PyInterpreterState_Main());
	unsigned n = 0;

	for (; t; t = PyThreadState_Next(t))
		n++;
	return n;
}

/* A Python handler of the main thread: runs between two bytecodes. What LOOK has shown is not shown again. */
static PyObject *show_others(_unused_ PyObject *self, _unused_ PyObject *args)
{
	if (count_threads() > 1)
		stacks_print();
	Py_RETURN_NONE;
}

static PyObject *call_signal(const char *name, const char *format, int number, PyObject *what)
{
	PyObject *module = PyImport_ImportModule("signal");
	PyObject *r = module ? PyObject_CallMethod(module, name, format, number, what) : NULL;

	Py_XDECREF(module);
	return r;
}

static int register_others(void)
{
	static PyMethodDef method = {"show_stacks", show_others, METH_VARARGS,
				     "Prints the stacks of all threads, if there are several."};
	int number = SIGRTMIN + CREW_OTHERS_SIGNAL_OFFSET;
	PyObject *fn = PyCFunction_New(&method, NULL);
	PyObject *set = fn ? call_signal("signal", "iO", number, fn) : NULL;
	/* a system call of the app that can go on does */
	PyObject *restart = set ? call_signal("siginterrupt", "iO", number, Py_False) : NULL;

	Py_XDECREF(restart);
	Py_XDECREF(set);
	Py_XDECREF(fn);
	return restart ? 0 : -1;
}

int stacks_start(void)
{
	int stacks = SIGRTMIN + CREW_STACKS_SIGNAL_OFFSET;

	if (set_handler(stacks, on_printed) < 0)
		return -1;
	if (register_signal(stacks, true, true) < 0)
		return -1;
	if (register_signal(SIGRTMIN + CREW_LOOK_SIGNAL_OFFSET, false, false) < 0)
		return -1;
	return register_others();
}

int stacks_by_main_thread(int wake_fd)
{
	int look = SIGRTMIN + CREW_LOOK_SIGNAL_OFFSET;
	PyObject *args = Py_BuildValue("(i)", look);
	PyObject *r = call("unregister", args, NULL);

	Py_XDECREF(args);
	Py_XDECREF(r);
	if (!r)
		return -1;
	wake = wake_fd;
	return set_handler(look, on_look);
}

static bool dump(int fd)
{
	PyObject *args = Py_BuildValue("(iO)", fd, Py_True);
	PyObject *r = call("dump_traceback", args, NULL);

	if (!r)
		PyErr_Clear();
	Py_XDECREF(args);
	Py_XDECREF(r);
	return r;
}

void stacks_print(void)
{
	_cleanup_(fd_closep) int fd = memfd_create("stacks", MFD_CLOEXEC);
	char text[STACKS_BYTES];
	ssize_t n = fd >= 0 && dump(fd) ? pread(fd, text, sizeof(text), 0) : 0;

	/* faulthandler writes word by word, and others print on the same pipe: in one piece instead */
	if (n > 0)
		(void)fd_write_all(STDERR_FILENO, text, (size_t)n);
	print_end();
}

void stacks_answer(void)
{
	if (!asked)
		return;
	asked = 0;
	stacks_print();
}
