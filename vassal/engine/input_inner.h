/*
 * input_inner - what input.c and input_bytes.c share. All calls hold the GIL; -1 or NULL: with an exception set.
 */
#pragma once
#include <pthread.h>

#include "vassal/engine/input.h"

#define INPUT_WINDOW_BYTES 16384 /* of a file, for readline */

struct input {
	PyObject_HEAD bool attached;
	const uint8_t *memory; /* the slot's; NULL: a file */
	pthread_mutex_t lock;  /* of who reads or moves: the GIL is free while a file is read */
	uint64_t n, at;
	int fd;    /* owned; -1 not opened yet */
	bool busy; /* a read goes on without the GIL: the descriptor must outlive it */
	input_open_fn *open;
	void *arg;
	uint8_t *window; /* owned; INPUT_WINDOW_BYTES */
	uint64_t window_at;
	size_t window_n;
};

/* -1: the request is over, or this is a copy of its process. */
int input_check(const struct input *in);
/* The same, and other threads wait until input_release(), as with io's own. */
int input_hold(struct input *in);
void input_release(struct input *in);
/* From where it stands, at most what is left; it stands behind them then. */
PyObject *input_take(struct input *in, uint64_t want);
/* The same into memory of the caller's: bytes taken, or -1. */
ssize_t input_take_into(struct input *in, uint8_t *p, uint64_t want);
/* Up to and including the next newline, at most limit bytes; negative: as many as there are. */
PyObject *input_take_line(struct input *in, Py_ssize_t limit);
