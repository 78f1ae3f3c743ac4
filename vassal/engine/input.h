/*
 * input - wsgi.input: the request's body, from the slot's memory or from the front's file. Reads to its end and never
 * waits for a client: the front has collected the whole body before.
 *
 * An app may keep the object beyond its request. input_detach() then cuts it off: the slot belongs to the next
 * request by that time. All calls hold the GIL.
 */
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "shared/base.h"

struct input;

/* Fetches the body's file when the app first reads: 0 and a descriptor (the input's), or -1 with an exception set. */
typedef int input_open_fn(void *arg, int *ret_fd);

int input_start(void);
struct input *input_new(void); /* detached */
/* memory: body_n bytes that stay valid until input_detach(), or NULL: they are behind open. */
void input_attach(struct input *in, const uint8_t *memory, uint64_t body_n, input_open_fn *open,
		  void *arg);
void input_detach(struct input *in);
