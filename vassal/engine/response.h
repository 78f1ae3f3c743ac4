/*
 * response - what comes back from the app, as frames. All calls hold the GIL and let it go while the ring is full.
 * Returns 0, or -1 with a Python exception set.
 */
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "shared/base.h"

struct head;
struct lane;

/* start_response(): checks everything, keeps a head that has not been sent. */
int response_set_head(struct lane *l, PyObject *status, PyObject *headers);
/* The app's fields into a head, checked. */
int response_set_fields(struct head *h, PyObject *headers);
/* An interim answer, at once; nothing for a client that has gone. */
int response_interim(struct lane *l, struct head *h);
/* write(): the head if it is due, then these bytes, at once. */
int response_write(struct lane *l, PyObject *data);
/* The app's iterable, to its end or until nobody wants more; then what is due of the head. Does not close() it. */
int response_send(struct lane *l, PyObject *result);
/* uwsgi.disconnect(): what has been given so far is the whole answer. Nothing in a warm-up. */
int response_disconnect(struct lane *l);
/* FRAME_END: after this the slot is the front's. */
void response_end(struct lane *l, uint64_t app_ns);
