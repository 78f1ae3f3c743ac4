/*
 * rundir - the emperor's run directory: sockets, the pidfile, and its lock, which says that this emperor is the only one
 * there. A directory that others could write is refused: they could put their own sockets in our place.
 */
#pragma once
#include "shared/base.h"

struct err;

struct rundir {      /* rundir_open fills it; done with rundir_close */
	char *path;  /* owned; absolute */
	int lock_fd; /* owned; -1 */
};

/* Makes the directory if need be (0755 for root, else 0700). -EBUSY: another emperor runs there. */
int rundir_open(const char *path, struct rundir *ret, struct err *err);
/* "PATH/name", cut to size. */
void rundir_file(const struct rundir *d, const char *name, char *buf, size_t size);
/* Takes the pidfile away and lets the lock go. */
/* Notes down the pid of a process that may outlive us, and drops what was noted (pid 0). */
int rundir_put_pid(const struct rundir *d, const char *name, pid_t pid, struct err *err);
/* The process noted down by that name, if it still lives and is titled "emperor: NAME"; else 0. */
pid_t rundir_find_pid(const struct rundir *d, const char *name);
void rundir_close(struct rundir *d);
