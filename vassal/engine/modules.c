/*
 * modules - see modules.h. Runs no code of the app: a module's __file__ is read from its dict, never asked of the module.
 */
#include "vassal/engine/modules.h"
#include "vassal/engine/engine.h"

#include <sys/mman.h>

#include "shared/buf.h"
#include "shared/fd.h"

static void add_file(PyObject *module, struct buf *paths)
{
	PyObject *dict = PyModule_Check(module) ? PyModule_GetDict(module) : NULL;
	PyObject *file = dict ? PyDict_GetItemString(dict, "__file__") : NULL;
	PyObject *bytes = file && PyUnicode_Check(file) ? PyUnicode_EncodeFSDefault(file) : NULL;
	const char *path = bytes ? PyBytes_AS_STRING(bytes) : NULL;
	size_t n = bytes ? (size_t)PyBytes_GET_SIZE(bytes) : 0;

	/* relative ones are of the directory that was current then; and who knows where that was */
	if (path && path[0] == '/' && strlen(path) == n)
		(void)buf_append(paths, path, n + 1, LIMIT_MODULES_BYTES);
	Py_XDECREF(bytes);
	PyErr_Clear();
}

int modules_news(const struct engine *e)
{
	static Py_ssize_t told; /* of this process; a fork begins with its parent's */
	PyObject *modules = e->config.py_autoreload_s > 0 ? PyImport_GetModuleDict() : NULL;
	Py_ssize_t n = modules && PyDict_Check(modules) ? PyDict_Size(modules) : 0;
	struct buf paths = {0};
	PyObject *key, *module;
	Py_ssize_t at = 0;
	int fd = -1;

	if (n == 0 || n == told)
		return -1;
	told = n;
	while (PyDict_Next(modules, &at, &key, &module))
		add_file(module, &paths);
	if (paths.n > 0 && fd_sealed_memfd(&fd, "emperor-modules", buf_span(&paths).p, paths.n) < 0)
		fd = -1;
	buf_done(&paths);
	return fd;
}
