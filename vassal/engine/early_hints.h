/*
 * early_hints - environ["wsgi.early_hints"]: the app calls it with fields, [("Link", "</style.css>; rel=preload")], as
 * often as it likes, and who understands it gets them at once as 103 Early Hints (RFC 8297), before the answer.
 *
 * Nothing comes of it unless early-hints is on, and where nobody would understand: HTTP/1.0, the protocols of proxies, a head that has gone, a
 * client that has left, a warm-up. Bad fields raise all the same, as in start_response(). All calls hold the GIL.
 */
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>

struct lane;

/* Puts the callable into the environ of the lane's request. 0, or -1 with an exception set. */
int early_hints_offer(struct lane *l, PyObject *env);
/* After a request: an app that kept the callable gets an exception from it. */
void early_hints_release(struct lane *l);
