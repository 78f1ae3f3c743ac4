/*
 * routes - see routes.h; how the table is made, routes_table.h. Pure: calls nothing but string functions.
 */
#include "emperor/gate/routes_table.h"

#define LABELS_MAX (LIMIT_HOST / 2 + 1)
#define LEVELS_MAX (LABELS_MAX + 2) /* exact, wildcards, default */

uint32_t routes_epoch(const struct routes *r)
{
	return r->epoch;
}

static const struct route_group *find_group(const struct routes *r, struct span host, bool wild,
					    uint32_t hash)
{
	for (uint32_t at = hash & r->slots_mask; r->slots[at] != 0; at = (at + 1) & r->slots_mask) {
		const struct route_group *g = &r->groups[r->slots[at] - 1];

		if (g->hash == hash && g->wild == wild && span_eq(g->host, host))
			return g;
	}
	return NULL;
}

/* The groups that may answer this host, the most preferred first. Returns their number. */
static size_t find_levels(const struct routes *r, struct span host,
			  const struct route_group *levels[LEVELS_MAX])
{
	struct {
		size_t at;
		uint32_t hash;
	} suffixes[LABELS_MAX];
	size_t suffixes_n = 0, n = 0;
	uint32_t h = ROUTE_HASH_START;

	for (size_t i = host.n; i > 0; i--) {
		h = route_hash_step(h, host.p[i - 1]);
		if (r->has_wild && i > 1 && host.p[i - 1] == '.' && suffixes_n < LABELS_MAX) {
			suffixes[suffixes_n].at = i - 1;
			suffixes[suffixes_n++].hash = h;
		}
	}
	if (host.n > 0)
		levels[n] = find_group(r, host, false, h);
	n += host.n > 0 && levels[n];
	while (suffixes_n-- > 0) {
		levels[n] = find_group(r, span_skip(host, suffixes[suffixes_n].at), true,
				       suffixes[suffixes_n].hash);
		n += levels[n] != NULL;
	}
	if (r->fallback)
		levels[n++] = r->fallback;
	return n;
}

/* The first entry of the group that comes after path in segment order. */
static uint32_t upper_bound(const struct routes *r, const struct route_group *g, struct span path)
{
	uint32_t low = g->first, high = g->end;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (route_path_compare(r->entries[mid].path, path) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static uint32_t longest_match(const struct routes *r, const struct route_group *g, struct span path)
{
	uint32_t at = upper_bound(r, g, path);

	at = at > g->first ? at - 1 : ROUTE_NONE;
	while (at != ROUTE_NONE && !route_path_under(path, r->entries[at].path))
		at = r->entries[at].parent;
	return at;
}

static bool put_carve(struct routes_match *m, struct span path)
{
	if (path.n + 1 > sizeof(m->carve) - m->carve_n)
		return false;
	memcpy(m->carve + m->carve_n, path.p, path.n);
	m->carve[m->carve_n + path.n] = '\0';
	m->carve_n += path.n + 1;
	return true;
}

/* Adds the topmost paths of the group strictly below script. */
static bool carve_group(const struct routes *r, const struct route_group *g, struct routes_match *m)
{
	uint32_t at = upper_bound(r, g, m->script);

	while (at < g->end && route_path_under(r->entries[at].path, m->script)) {
		if (!put_carve(m, r->entries[at].path))
			return false;
		at = r->entries[at].end;
	}
	return true;
}

bool routes_find(const struct routes *r, struct span host, struct span path,
		 struct routes_match *ret)
{
	const struct route_group *levels[LEVELS_MAX] = {0};
	char lower[LIMIT_HOST];
	size_t levels_n;

	if (host.n > sizeof(lower))
		return false;
	for (size_t i = 0; i < host.n; i++)
		lower[i] = ascii_lower(host.p[i]);
	if (path.n == 0 || path.p[0] != '/')
		path = SPAN("/"); /* "OPTIONS *" is for whoever has the root */
	levels_n = find_levels(r, span_of(lower, host.n), levels);
	for (size_t i = 0; i < levels_n; i++) {
		uint32_t at = longest_match(r, levels[i], path);

		if (at == ROUTE_NONE)
			continue;
		ret->app = r->entries[at].app;
		ret->script = r->entries[at].path;
		ret->carve_n = 0;
		ret->carve_full = false;
		/* More preferred hosts did not match here, but may further down. */
		for (size_t j = 0; j <= i && !ret->carve_full; j++)
			ret->carve_full = !carve_group(r, levels[j], ret);
		return true;
	}
	return false;
}
