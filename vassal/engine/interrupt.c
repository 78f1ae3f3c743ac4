/*
 * interrupt - see interrupt.h. Every function here holds the GIL.
 *
 * RequestTimeout is a BaseException: "except Exception" in an app means "whatever went wrong, go on", and a request that
 * goes on is what is to be ended; and a database library that sees one knows that its connection stands in the middle of
 * an answer and throws it away, where an ordinary error would bring it back to the pool for the next request.
 *
 * The handler runs where Python runs handlers: between two bytecodes, or when a system call was interrupted. So whatever
 * it sees of a lane stands still, and a signal that comes late finds another request, or none, and does nothing.
 */
#include "vassal/engine/interrupt.h"
#include "vassal/engine/engine.h"

#include <signal.h>

#include "shared/fd.h"
#include "vassal/engine/forked.h"
#include "vassal/engine/lane.h"
#include "vassal/engine/stacks.h"
#include "vassal/exchange/exchange.h"

#define CREW_CAPSULE "emperor.crew"

/*
 * The module is found last of all: an app with a module of its own that is called emperor keeps it.
 */
static const char finder[] = "def install():\n"
			     "    import sys\n"
			     "    from _frozen_importlib import ModuleSpec\n"
			     "    class EmperorFinder:\n"
			     "        @classmethod\n"
			     "        def find_spec(cls, name, path=None, target=None):\n"
			     "            return ModuleSpec(name, cls, origin='built-in') if name "
			     "== 'emperor' else None\n"
			     "        @staticmethod\n"
			     "        def create_module(spec):\n"
			     "            return module\n"
			     "        @staticmethod\n"
			     "        def exec_module(module):\n"
			     "            pass\n"
			     "    sys.meta_path.append(EmperorFinder)\n"
			     "install()\n";

static PyModuleDef module_def = {
	PyModuleDef_HEAD_INIT,
	.m_name = "emperor",
	.m_doc = "What the server of this app offers to it.",
	.m_size = -1,
};

static PyObject *make_module(PyObject *exception)
{
	PyObject *module = PyModule_Create(&module_def);

	if (module && PyObject_SetAttrString(module, "RequestTimeout", exception) < 0)
		Py_CLEAR(module);
	return module;
}

static int offer_module(PyObject *module)
{
	PyObject *globals = PyDict_New();
	PyObject *r = NULL;

	if (globals && PyDict_SetItemString(globals, "__builtins__", PyEval_GetBuiltins()) == 0 &&
	    PyDict_SetItemString(globals, "module", module) == 0)
		r = PyRun_String(finder, Py_file_input, globals, globals);
	Py_XDECREF(globals);
	Py_XDECREF(r);
	return r ? 0 : -1;
}

int interrupt_start(struct engine *e)
{
	PyObject *module;
	int r;

	e->request_timeout = PyErr_NewExceptionWithDoc(
		"emperor.RequestTimeout",
		"Raised in a request that takes longer than interrupt-timeout. Its client has its "
		"answer (504); clean up and let it pass, or the worker is killed.",
		PyExc_BaseException, NULL);
	if (!e->request_timeout)
		return -1;
	module = make_module(e->request_timeout);
	r = module ? offer_module(module) : -1;
	Py_XDECREF(module);
	return r;
}

static bool is_condemned(const struct lane *l)
{
	return l->in_app && !l->interrupted &&
	       exchange_condemned(l->engine->exchange, l->number, l->slot);
}

/* True: it is the caller's thread that has to raise. */
static bool interrupt(struct lane *l)
{
	l->interrupted = true;
	stacks_print();
	exchange_interrupted(l->engine->exchange, l->number);
	if (l->is_main)
		return true;
	(void)PyThreadState_SetAsyncExc(l->thread_id, l->engine->request_timeout);
	return false;
}

static PyObject *on_signal(PyObject *capsule, PyObject *args)
{
	const struct interrupt_crew *c = PyCapsule_GetPointer(capsule, CREW_CAPSULE);
	bool raise = false;

	(void)args;
	if (!c)
		return NULL;
	for (unsigned i = 0; i < c->n && !forked_is(); i++)
		if (is_condemned(c->lanes[i]))
			raise |= interrupt(c->lanes[i]);
	if (!raise)
		Py_RETURN_NONE;
	PyErr_SetString(c->engine->request_timeout,
			"the request took too long (interrupt-timeout)");
	return NULL;
}

int interrupt_listen(struct interrupt_crew *c)
{
	static PyMethodDef method = {"on_interrupt", on_signal, METH_VARARGS,
				     "Interrupts the request that takes too long."};
	PyObject *capsule = PyCapsule_New(c, CREW_CAPSULE, NULL);
	PyObject *handler = capsule ? PyCFunction_New(&method, capsule) : NULL;
	PyObject *module = PyImport_ImportModule("_signal");
	PyObject *r =
		module && handler
			? PyObject_CallMethod(module, "signal", "iO",
					      SIGRTMIN + CREW_INTERRUPT_SIGNAL_OFFSET, handler)
			: NULL;

	Py_XDECREF(module);
	Py_XDECREF(handler);
	Py_XDECREF(capsule);
	Py_XDECREF(r);
	return r ? 0 : -1;
}

void interrupt_forget(struct lane *l)
{
	l->in_app = false;
	if (l->interrupted && !l->is_main)
		(void)PyThreadState_SetAsyncExc(l->thread_id, NULL);
}

bool interrupt_is_raised(const struct lane *l)
{
	return l->interrupted && PyErr_ExceptionMatches(l->engine->request_timeout);
}
