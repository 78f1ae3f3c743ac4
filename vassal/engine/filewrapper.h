/*
 * filewrapper - wsgi.file_wrapper (PEP 3333, optional platform-specific file handling): wraps a file-like object and
 * iterates over it in blocks. The answer's writer looks inside and reads a plain file by itself.
 */
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "shared/base.h"

struct filewrapper {
	PyObject_HEAD PyObject *file;
	PyObject *read; /* file.read */
	Py_ssize_t block;
};

extern PyTypeObject filewrapper_type;

int filewrapper_start(void);

/*
 * Is it a plain file of the io module, regular and at a known place? Then its descriptor (borrowed from it), where
 * it stands and how many bytes follow. Anything that transforms what it reads (gzip, text, decrypting objects that
 * pass fileno() on) is not: its bytes on disk are not its content. 1, 0 if it is none, or -1 with what ends the request.
 * Holds the GIL.
 */
int filewrapper_plain_file(const struct filewrapper *w, int *ret_fd, off_t *ret_at,
			   uint64_t *ret_n);
