/*
 * environ - the dictionary that a WSGI app gets, built from the vars of a request.
 *
 * Fast because most of it was there before: the constant part is a template that is copied, names come from a small
 * cache of strings keyed by their bytes, and a value that equals the last one of its name is the same object.
 * Bounded: names and values that clients invent push each other out. All calls hold the GIL.
 */
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "shared/span.h"

#define ENVIRON_SETS      128 /* two names each: browsers and proxies send some 40 different ones */
#define ENVIRON_VALUE_MAX 160 /* longer values are never remembered: cookies, tokens */

struct environ_name {
	PyObject *name;  /* str, ASCII; NULL = empty. Its own bytes are the key */
	PyObject *value; /* the last one seen, or NULL */
};

struct environ_maker {
	PyObject *constants; /* template */
	PyObject *input_key, *scheme_key, *id_key, *early_hints_key;
	PyObject *http, *https;
	PyObject *uri_key, *raw_uri_key, *script_key, *path_key;
	struct environ_name names[2 * ENVIRON_SETS];
};

int environ_start(struct environ_maker *m, bool multithread, bool multiprocess);

struct environ_source {
	const uint8_t *vars;
	size_t vars_n;
	bool https;
	const char *id; /* NUL-terminated */
};

/* A new dict, or NULL with an exception set. */
PyObject *environ_make(struct environ_maker *m, const struct environ_source *s, PyObject *input);
