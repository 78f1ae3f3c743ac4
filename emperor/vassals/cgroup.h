/*
 * cgroup - memory limits of whole apps (limit-memory), where there is a cgroup v2 with the memory controller: in the
 * directory that the option cgroup names, else in one called emperor below the root. Each app has a group of its own
 * there; a front enters it before it becomes the app, and all that it starts is in it.
 *
 * Not below the emperor's own group: a group with groups below it may hold no processes, so that a service manager could
 * not start the next emperor in it while apps run on.
 */
#pragma once
#include "shared/base.h"

struct err;

struct cgroup {        /* zeroed = none */
	char *dir;     /* owned: apps' groups are made here; NULL: none */
	char why[256]; /* why not, for people */
};

struct cgroup_places {      /* where to look; NULL: the system's own */
	const char *dir;    /* named by the operator, or NULL */
	const char *mounts; /* /proc/self/mounts */
};

/* There is one afterwards, or c->why says why not. */
void cgroup_find(struct cgroup *c, const struct cgroup_places *places);
void cgroup_done(struct cgroup *c);
/* The app's group with this limit (0: none any more). *ret_procs_fd: who writes "0" into it enters. */
int cgroup_enter(const struct cgroup *c, const char *app, uint64_t bytes, int *ret_procs_fd,
		 struct err *err);
/* Another limit for the group that it has (0: none any more): for all in it, from now on. */
int cgroup_limit(const struct cgroup *c, const char *app, uint64_t bytes, struct err *err);
/* How many of the app's processes the kernel has killed for want of memory, since its group was made. */
int cgroup_oom_kills(const struct cgroup *c, const char *app, uint64_t *ret);
/* Its last process has gone. */
void cgroup_remove(const struct cgroup *c, const char *app);
