/*
 * decorators - see decorators.h. In Python, because that is what it is about.
 */
#include "vassal/engine/decorators.h"

static const char source[] =
	"import functools, threading\n"
	"import uwsgi\n"
	"\n"
	"postfork_chain = []\n"
	"\n"
	"\n"
	"def postfork_chain_hook(at=0):\n"
	"    if at < len(postfork_chain):\n"
	"        try:\n"
	"            postfork_chain[at]()\n"
	"        finally: # whoever fails, the others run; one traceback tells of all\n"
	"            postfork_chain_hook(at + 1)\n"
	"\n"
	"\n"
	"def postfork(function=None, *, wid=None):\n"
	"    \"\"\"Calls it in each worker before that serves, or in the one of this "
	"number.\"\"\"\n"
	"    if isinstance(function, int):\n"
	"        function, wid = None, function\n"
	"    if function is None:\n"
	"        return lambda f: postfork(f, wid=wid)\n"
	"    if not callable(function):\n"
	"        raise TypeError('postfork decorates a function')\n"
	"    if not postfork_chain:\n"
	"        before = getattr(uwsgi, 'post_fork_hook', None)\n"
	"        if before is not None and before is not postfork_chain_hook:\n"
	"            postfork_chain.append(before)\n"
	"    if not wid:\n"
	"        postfork_chain.append(function)\n"
	"    else:\n"
	"        postfork_chain.append(lambda: function() if uwsgi.worker_id() == wid else None)\n"
	"    uwsgi.post_fork_hook = postfork_chain_hook\n"
	"    return function\n"
	"\n"
	"\n"
	"def thread(function):\n"
	"    \"\"\"Each call runs in a thread of its own, which it returns.\"\"\"\n"
	"    @functools.wraps(function)\n"
	"    def start(*args, **kwargs):\n"
	"        t = threading.Thread(target=function, args=args, kwargs=kwargs, daemon=True)\n"
	"        t.start()\n"
	"        return t\n"
	"    return start\n"
	"\n"
	"\n"
	"def lock(function):\n"
	"    \"\"\"One call at a time in all workers of the app.\"\"\"\n"
	"    @functools.wraps(function)\n"
	"    def locked(*args, **kwargs):\n"
	"        uwsgi.lock()\n"
	"        try:\n"
	"            return function(*args, **kwargs)\n"
	"        finally:\n"
	"            uwsgi.unlock()\n"
	"    return locked\n"
	"\n"
	"\n"
	"def harakiri(seconds):\n"
	"    \"\"\"The worker ends if a call takes longer.\"\"\"\n"
	"    def decorate(function):\n"
	"        @functools.wraps(function)\n"
	"        def limited(*args, **kwargs):\n"
	"            uwsgi.set_user_harakiri(seconds)\n"
	"            try:\n"
	"                return function(*args, **kwargs)\n"
	"            finally:\n"
	"                uwsgi.set_user_harakiri(0)\n"
	"        return limited\n"
	"    return decorate\n";

PyObject *decorators_init(void)
{
	static PyModuleDef definition = {
		PyModuleDef_HEAD_INIT,
		.m_name = "uwsgidecorators",
		.m_doc = "postfork, thread, lock, harakiri",
		.m_size = -1,
	};
	PyObject *module = PyModule_Create(&definition);
	PyObject *globals = module ? PyModule_GetDict(module) : NULL; /* borrowed */
	PyObject *code =
		globals ? Py_CompileString(source, "<uwsgidecorators>", Py_file_input) : NULL;
	PyObject *r = NULL;

	if (code && PyDict_SetItemString(globals, "__builtins__", PyEval_GetBuiltins()) == 0)
		r = PyEval_EvalCode(code, globals, globals);
	Py_XDECREF(code);
	if (!r)
		Py_CLEAR(module);
	Py_XDECREF(r);
	return module;
}
