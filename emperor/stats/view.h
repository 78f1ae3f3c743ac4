/*
 * view - the two JSON documents of the stats sockets, from the registry. Shapes: serve.h. Reads scoreboards, writes
 * nothing, gives the boards' pages back.
 */
#pragma once
#include "emperor/stats/registry.h"
#include <jansson.h>

struct store_status;

struct view_emperor {
	uint32_t pid, uid, gid;            /* of the emperor */
	const char *database;              /* path, "" = none */
	const struct store_status *status; /* NULL = no database */
};

/* New references; NULL only without memory (a failure further down shows when it is dumped). */
json_t *view_app(const struct app *a, uint64_t wall_ns, uint64_t mono_ns);
json_t *view_emperor(const struct registry *r, const struct view_emperor *e, uint64_t wall_ns);
