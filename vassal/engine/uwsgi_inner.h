/*
 * uwsgi_inner - what the files of the uwsgi module share.
 */
#pragma once
#include "vassal/engine/uwsgi.h"

#include "vassal/engine/engine.h"
#include "vassal/engine/lane.h"

/* A value that is stolen, also when it is NULL: then -1 with the exception that made it so. */
int uwsgi_put(PyObject *dict, const char *key, PyObject *value);
/* uwsgi.workers(). */
PyObject *uwsgi_workers(const struct engine *e);
/* Of the calling thread; NULL with an exception. */
struct lane *uwsgi_lane(void);
struct engine *uwsgi_engine(PyObject *module);

PyObject *uwsgi_lock(PyObject *module, PyObject *args);
PyObject *uwsgi_unlock(PyObject *module, PyObject *args);
PyObject *uwsgi_is_locked(PyObject *module, PyObject *args);

PyObject *uwsgi_set_logvar(PyObject *module, PyObject *args);
PyObject *uwsgi_get_logvar(PyObject *module, PyObject *args);
PyObject *uwsgi_log_this_request(PyObject *module, PyObject *unused);
PyObject *uwsgi_set_user_harakiri(PyObject *module, PyObject *args);
PyObject *uwsgi_disconnect(PyObject *module, PyObject *unused);
PyObject *uwsgi_cl(PyObject *module, PyObject *unused);
