/*
 * lifecycle - what happens to an app in each state: a table of {from, event, to, action}. Pure; the hands are app.c.
 *
 * At any time an app has at most one generation that serves and one that starts (the candidate); others only drain.
 * A pair of state and event that the table does not name cannot happen: the caller says so loudly and changes nothing.
 */
#pragma once
#include "emperor/app_state.h"
#include "shared/base.h"

enum life_event {
	LIFE_START,  /* a new ini, or a command */
	LIFE_CHANGE, /* its ini changed or was touched, or a command: a new generation is wanted */
	LIFE_STOP,   /* its ini is gone, or a command */
	LIFE_READY,  /* the candidate may serve */
	LIFE_FAILED, /* the candidate will never serve: ini, spawn, import, exit, timeout */
	LIFE_LOST,   /* the serving front is gone: another one at once */
	LIFE_LOST_AGAIN, /* ... once more, and soon: not at once */
	LIFE_RETRY,      /* the back-off is over */
	LIFE_EMPTY,      /* the last process of the app has gone */
	LIFE_ASLEEP, /* nobody asks anything of it: the serving front leaves, or none is started yet */
	LIFE_WAKE, /* a connection waits at a door of an app that sleeps */
	LIFE_EVENT_COUNT,
};

enum life_action {
	DO_NOTHING,
	DO_START,    /* a candidate, beside whatever runs */
	DO_RESTART,  /* end the candidate, start another */
	DO_SERVE,    /* the candidate serves; nothing served before */
	DO_SWAP,     /* the candidate serves, the old one retires */
	DO_KEEP_OLD, /* the candidate failed: the old one never noticed */
	DO_BACK_OFF, /* wait for the next try */
	DO_STOP,     /* end all generations, the serving one gracefully */
	DO_CLOSE,    /* close the doors; forget the app if its ini is gone */
	DO_SLEEP,    /* watch the doors: the next connection wakes it */
	DO_CHECK,    /* its ini has changed in its sleep: names and doors follow, nothing starts */
	DO_COUNT,
};

struct life_step {
	enum app_state from;
	enum life_event event;
	enum app_state to;
	enum life_action action;
};

/* NULL: this cannot happen. */
const struct life_step *lifecycle_next(enum app_state from, enum life_event event);
const char *lifecycle_event_name(unsigned event);
