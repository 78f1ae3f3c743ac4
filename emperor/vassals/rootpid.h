/*
 * rootpid - the pidfile of an app that may not write it itself: /run is root's. Only for an ini that only root can have
 * written, only in a directory that is root's alone, reached without any link, and never over anything but root's own file
 * with a pid in it. Every other pidfile is the front's (vassal/front/pidfile.h).
 */
#pragma once
#include "shared/base.h"

struct err;
struct loaded;

/* 1: it holds this pid now; 0: not ours to write; else why it was not written. */
int rootpid_write(const struct loaded *l, pid_t pid, struct err *err);
/* Unless it names another process by now: a newer generation. */
void rootpid_remove(const struct loaded *l, pid_t pid);
