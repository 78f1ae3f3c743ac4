/*
 * plan - what the files of some directories would change if they were taken now: app by app, before anything does.
 *
 * Read, parsed and checked by the code that does it for real, with the emperor's own defaults and users, and compared
 * with what runs. Nothing is opened, started or written down.
 */
#pragma once
#include "shared/base.h"

struct scan;
struct vassals;

enum plan_kind {
	PLAN_NOTHING,
	PLAN_START,
	PLAN_STOP,
	PLAN_RELOAD,  /* a new generation */
	PLAN_LIMITS,  /* in place */
	PLAN_REFUSED, /* what runs keeps running */
	PLAN_KIND_COUNT,
};

const char *plan_kind_name(enum plan_kind kind);

typedef void plan_fn(void *arg, const char *name, const char *file, enum plan_kind kind,
		     const char *text);
/*
 * fn is called for each app, in the order of names; its strings are borrowed for the call. staged: the directory stands
 * for the emperor's own, so its files are read as if they had been moved there, and how old they are means nothing.
 */
void vassals_plan(struct vassals *v, const struct scan *scan, bool staged, plan_fn *fn, void *arg);
