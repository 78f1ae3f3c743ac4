/*
 * bare - a front whose configuration names files and no app: no pool, no Python. What is no file is 404, and methods
 * that files do not know are 405.
 */
#pragma once
#include "shared/base.h"

struct conn;
struct front;
struct request;

/* False: there is an app, and a pool is to be started. Else it is ready as soon as the loop runs (front->bare). */
bool bare_start(struct front *f);
/* In place of the pool's end. */
void bare_stop(struct front *f);
/* There is nobody else to ask. rq may be NULL: a GET or HEAD. */
void bare_answer(struct conn *c, const struct request *rq);
