/*
 * early_hints - see early_hints.h.
 *
 * The fields are put together apart from the answer's head, which the app may have given already: it waits for the
 * first byte of the body.
 */
#include "vassal/engine/early_hints.h"

#include "vassal/engine/callable.h"
#include "vassal/engine/engine.h"
#include "vassal/engine/lane.h"
#include "vassal/engine/response.h"

static int send_hints(struct lane *l, PyObject *headers, uint8_t *room)
{
	struct head h = {.p = room, .n = sizeof(struct frame_head)};

	h.frame = (struct frame_head){.status = 103, .length = -1};
	if (response_set_fields(&h, headers) < 0)
		return -1;
	if (h.frame.length >= 0) {
		PyErr_SetString(PyExc_ValueError, "early hints have no Content-Length");
		return -1;
	}
	if (!l->engine->config.early_hints || !(l->flags & EXCHANGE_HTTP11) || l->sent ||
	    h.n == sizeof(struct frame_head))
		return 0;
	return response_interim(l, &h);
}

static PyObject *call_hints(struct lane *l, PyObject *headers)
{
	uint8_t *room = PyMem_RawMalloc(HEAD_SIZE);
	int r;

	if (!room)
		return PyErr_NoMemory();
	r = send_hints(l, headers, room);
	PyMem_RawFree(room);
	if (r < 0)
		return NULL;
	Py_RETURN_NONE;
}

int early_hints_offer(struct lane *l, PyObject *env)
{
	if (!l->early_hints)
		l->early_hints = callable_new_early_hints(l, call_hints);
	if (!l->early_hints)
		return -1;
	return PyDict_SetItem(env, l->engine->environ.early_hints_key, (PyObject *)l->early_hints);
}

void early_hints_release(struct lane *l)
{
	callable_release(&l->early_hints);
}
