/*
 * engine - one engine process: the mold, or a worker that was forked from it. What both know stands here.
 *
 * Made in main(), never freed: a worker leaves by _exit, and what Python holds is not torn down (design: a worker is
 * never finalised). All PyObject pointers are owned and live as long as the process.
 */
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <sys/types.h>

#include "shared/config_items.h"
#include "shared/msg.h"
#include "shared/vassal_config.h"
#include "vassal/engine/environ.h"
#include "vassal/exchange/crew.h"

#if defined(__SANITIZE_ADDRESS__)
#define ENGINE_SANITIZED 1 /* leave through exit(), so that leaks are reported */
#else
#define ENGINE_SANITIZED 0
#endif

struct board_bank;
struct exchange;
struct scoreboard;

struct engine {
	/* main: what the front handed over */
	char name[LIMIT_NAME];
	uint64_t generation;
	struct config_items items;
	struct vassal_config config;
	struct scoreboard *board;
	struct board_bank *bank;
	struct exchange *exchange;
	pid_t front_pid;
	char *relaunch_note; /* why this mold was made again without warm-up; NULL: it was not */
	char **argv;

	/* interp, app: under the GIL */
	PyObject *application; /* what no mount claims; NULL: nothing is */
	PyObject **mounted;    /* config.mounts_n of them */
	bool loaded;
	PyObject *uwsgi;            /* the module */
	unsigned worker_id;         /* from 1; 0: the mold */
	PyObject *format_exception; /* traceback.format_exception */
	PyObject *close_name;       /* "close" */
	PyObject *request_timeout;  /* emperor.RequestTimeout */
	struct environ_maker environ;
	char note[CREW_TEXT_MAX]; /* what the operator should know about this start */
};

/* Adds a sentence to e->note. */
void engine_note(struct engine *e, const char *fmt, ...) _printf_(2, 3);
/* Name for process titles: procname, else the app's name. */
const char *engine_title(const struct engine *e);
