/*
 * uwsgi - the "uwsgi" module: what apps and their agents ask of the server they run in. Always there.
 *
 * What stands in it does what it says. What is not there (caches, spooler, mules, signals, websockets, asynchronous
 * calls) has no attribute at all, so that hasattr() and "except AttributeError" find out.
 *
 * Of the generation, seen by all its workers: locks, workers(), numproc, opt. Of one worker: worker_id(), request_id(), mem(), the
 * hooks. Of one request, and of the thread that serves it: logvars, cl(), disconnect(), set_user_harakiri(). All calls hold the GIL.
 */
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>

struct engine;
struct lane;

/* Before Python starts: uwsgidecorators is imported when somebody wants it. */
int uwsgi_announce(void);
/* Puts the module into sys.modules; 0, or -1 with an exception set. */
int uwsgi_start(struct engine *e);
/* The apps are there: uwsgi.applications. */
int uwsgi_loaded(const struct engine *e);
/* In a new worker, before it serves: its number, post_fork_hook. */
void uwsgi_forked(struct engine *e, unsigned number);
/* A worker leaves, and threads and atexit functions of the app are still there: uwsgi.atexit. */
void uwsgi_ending(const struct engine *e);

/* This thread serves a request, and no more. */
void uwsgi_enter(struct lane *l);
void uwsgi_leave(struct lane *l);
/* The client has its answer: after_req_hook. */
void uwsgi_served(const struct lane *l);
