/*
 * routes_table - the inside of routes.h: what routes_build.c makes and routes.c walks.
 *
 * Routes of one host form a group; groups are found by a hash that runs over the host from its end, so that one pass
 * yields the hash of every suffix and a host with a hundred labels costs no more than its bytes. In a group, entries
 * are sorted in segment order ('/' before every other byte), which puts each path directly before everything below it:
 * the longest match is found by one binary search and a walk up the parents, the carve-outs are a jump from subtree to
 * subtree.
 */
#pragma once
#include "emperor/gate/routes.h"

#define ROUTE_NONE UINT32_MAX
#define ROUTE_HASH_START \
	2166136261u /* FNV-1a; the keys are the operator's own, not an attacker's */
#define ROUTE_HASH_PRIME 16777619u

struct route_entry {
	struct span path; /* into routes.text */
	uint32_t app;
	uint32_t parent; /* the nearest entry above, or ROUTE_NONE */
	uint32_t end;    /* one past the last entry below */
};

struct route_group {
	struct span host; /* into routes.text; a wildcard's suffix with its dot: ".b.example" */
	bool wild;
	uint32_t first, end; /* entries */
	uint32_t hash;
};

struct routes {
	uint32_t epoch;
	uint32_t entries_n, groups_n;
	uint32_t slots_mask;
	bool has_wild;
	const struct route_group *fallback; /* the default site's, or NULL */
	struct route_entry *entries;        /* owned, as all below */
	struct route_group *groups;
	uint32_t *slots; /* index + 1 into groups, 0 = free; open addressing, at most half full */
	char *text;
};

static inline uint32_t route_hash_step(uint32_t h, char c)
{
	return (h ^ (unsigned char)c) * ROUTE_HASH_PRIME;
}

/* Segment order: "/a" < "/a/b" < "/a-b". */
static inline int route_path_compare(struct span a, struct span b)
{
	size_t n = MIN(a.n, b.n);

	for (size_t i = 0; i < n; i++) {
		int x = a.p[i] == '/' ? 0 : (unsigned char)a.p[i];
		int y = b.p[i] == '/' ? 0 : (unsigned char)b.p[i];

		if (x != y)
			return x - y;
	}
	return (a.n > b.n) - (a.n < b.n);
}

/* Like pass_path_under(), but for paths without query: '/' alone ends a segment, as the order above says. */
static inline bool route_path_under(struct span path, struct span prefix)
{
	return span_starts(path, prefix) && (path.n == prefix.n || path.p[prefix.n] == '/');
}
