/*
 * collector - see collector.h. It is slowed down rather than switched off: an app that reads the thresholds and multiplies
 * them gets large ones, not none; an app that switches it off or sets its own is not overruled afterwards.
 */
#include "vassal/engine/engine.h"

#include "vassal/engine/collector.h"

#define IMPORT_OBJECTS \
	100000 /* new ones between two looks; Django's import makes 45,000. Python's own is 700 */

static bool read_thresholds(struct collector *c)
{
	PyObject *gc = PyImport_ImportModule("gc");
	PyObject *now = gc ? PyObject_CallMethod(gc, "get_threshold", NULL) : NULL;
	bool ok = now && PyArg_ParseTuple(now, "iii", &c->young, &c->middle, &c->old);

	if (!ok)
		PyErr_Print();
	Py_XDECREF(now);
	Py_XDECREF(gc);
	return ok;
}

static void set_thresholds(const struct collector *c)
{
	PyObject *gc = PyImport_ImportModule("gc");
	PyObject *r =
		gc ? PyObject_CallMethod(gc, "set_threshold", "iii", c->young, c->middle, c->old)
		   : NULL;

	if (!r)
		PyErr_Print();
	Py_XDECREF(r);
	Py_XDECREF(gc);
}

void collector_rest(struct collector *c)
{
	struct collector slow;

	*c = (struct collector){0};
	if (!read_thresholds(c))
		return;
	slow = *c;
	slow.young = IMPORT_OBJECTS;
	if (c->young > 0 && c->young < IMPORT_OBJECTS)
		set_thresholds(&slow);
}

void collector_resume(const struct collector *c)
{
	struct collector now;

	if (c->young > 0 && c->young < IMPORT_OBJECTS && read_thresholds(&now) &&
	    now.young == IMPORT_OBJECTS && now.middle == c->middle && now.old == c->old)
		set_thresholds(c);
}
