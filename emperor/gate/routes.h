/*
 * routes - which app answers this host and path: an immutable table, built from the bytes that the emperor sends
 * (role.h, GATE_ROUTES). Pure but for the allocation of the table.
 *
 * The exact host is asked before wildcards, the wildcard with the longer suffix before the shorter, the default site
 * last; within each, the longest path on a segment boundary wins. A host none of whose paths fits is as if it were not
 * there: with "a.example/api" and "*.example", the page a.example/ is the wildcard's.
 */
#pragma once
#include "shared/limits.h"
#include "shared/span.h"

struct err;
struct routes;

struct routes_match {
	uint32_t app;
	struct span script; /* the path that matched, "" or "/blog"; into the table */
	bool carve_full; /* carve-outs did not fit: they are not all there, and none may be relied on */
	size_t carve_n;
	char carve
		[LIMIT_CARVE_BYTES]; /* paths below script that are not this route's, each with its NUL */
};

/* Checks every length and every string of the n bytes; -EBADMSG. Of two equal routes the lower app id counts. */
int routes_build(const void *data, size_t n, struct routes **ret_routes, struct err *err);
void routes_free(struct routes *r);
uint32_t routes_epoch(const struct routes *r);

/* host: without port and trailing dot, in any case, "" if the request names none. False: no such site. */
bool routes_find(const struct routes *r, struct span host, struct span path,
		 struct routes_match *ret);
