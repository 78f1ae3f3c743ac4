/*
 * routes_build - from the emperor's bytes to the table of routes_table.h. Every length and string is checked before
 * anything is built of it.
 */
#include "emperor/gate/routes_table.h"

#include <errno.h>

#include "emperor/role.h"
#include "shared/err.h"

static uint32_t hash_backwards(struct span s)
{
	uint32_t h = ROUTE_HASH_START;

	for (size_t i = s.n; i > 0; i--)
		h = route_hash_step(h, s.p[i - 1]);
	return h;
}

static struct span route_path(const struct route *r)
{
	struct span path = span_str(r->path);

	while (path.n > 0 && path.p[path.n - 1] == '/')
		path.n--;
	return path;
}

static int route_compare(const void *a, const void *b)
{
	const struct route *x = *(const struct route *const *)a;
	const struct route *y = *(const struct route *const *)b;
	int r = strcmp(x->host, y->host);

	if (r == 0)
		r = route_path_compare(route_path(x), route_path(y));
	return r ? r : (x->app > y->app) - (x->app < y->app);
}

static bool same_route(const struct route *a, const struct route *b)
{
	return str_eq(a->host, b->host) && span_eq(route_path(a), route_path(b));
}

static const char *route_complaint(const struct route *r)
{
	if (!memchr(r->host, '\0', sizeof(r->host)) || !memchr(r->path, '\0', sizeof(r->path)))
		return "a name without an end";
	if (r->path[0] != '\0' && r->path[0] != '/')
		return "a path that does not begin with '/'";
	if (r->host[0] == '*' && (r->host[1] != '.' || r->host[2] == '\0'))
		return "a star that is no first label";
	for (const char *p = r->host; *p; p++)
		if (*p != ascii_lower(*p))
			return "a host that is not in lower case";
	return NULL;
}

static int check_table(const void *data, size_t n, struct routes_head *ret_head, struct err *err)
{
	struct routes_head head;

	if (n < sizeof(head))
		return err_set(err, -EBADMSG, "routes: %zu bytes are no table", n);
	memcpy(&head, data, sizeof(head));
	if (head.magic != ROUTES_MAGIC || head.routes_n > ROUTES_MAX ||
	    n != sizeof(head) + head.routes_n * sizeof(struct route))
		return err_set(err, -EBADMSG, "routes: not a table of %u routes", head.routes_n);
	*ret_head = head;
	return 0;
}

/* Pointers to the routes in their order, without doubles. Returns their number, or negative. */
static long sort_routes(const struct route *all, uint32_t n, const struct route **ret,
			struct err *err)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		const char *wrong = route_complaint(&all[i]);

		if (wrong)
			return err_set(err, -EBADMSG, "routes: route %u has %s", i, wrong);
		ret[i] = &all[i];
	}
	qsort(ret, n, sizeof(ret[0]), route_compare);
	for (uint32_t i = 0; i < n; i++)
		if (kept == 0 || !same_route(ret[kept - 1], ret[i]))
			ret[kept++] = ret[i];
	return kept;
}

static struct span put_text(char **at, struct span s)
{
	char *p = *at;

	if (s.n > 0)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	*at = p + s.n + 1;
	return span_of(p, s.n);
}

static void put_slot(struct routes *r, uint32_t group)
{
	uint32_t at = r->groups[group].hash & r->slots_mask;

	while (r->slots[at] != 0)
		at = (at + 1) & r->slots_mask;
	r->slots[at] = group + 1;
}

static void add_group(struct routes *r, const char *host, uint32_t first, char **at)
{
	struct route_group *g = &r->groups[r->groups_n];

	g->wild = host[0] == '*';
	g->host = put_text(at, span_str(host + g->wild));
	g->first = first;
	g->hash = hash_backwards(g->host);
	r->has_wild |= g->wild;
	if (g->host.n == 0)
		r->fallback = g;
	else
		put_slot(r, r->groups_n);
	r->groups_n++;
}

/* Parents and ends of a group's entries, which are in segment order. */
static void link_entries(struct route_entry *entries, uint32_t first, uint32_t end)
{
	uint32_t open = ROUTE_NONE; /* the innermost subtree that entry i may still belong to */

	for (uint32_t i = first; i < end; i++) {
		while (open != ROUTE_NONE &&
		       !route_path_under(entries[i].path, entries[open].path)) {
			entries[open].end = i;
			open = entries[open].parent;
		}
		entries[i].parent = open;
		open = i;
	}
	for (; open != ROUTE_NONE; open = entries[open].parent)
		entries[open].end = end;
}

static void fill(struct routes *r, const struct route *const *sorted, uint32_t n)
{
	char *at = r->text;

	for (uint32_t i = 0; i < n; i++) {
		if (i == 0 || !str_eq(sorted[i - 1]->host, sorted[i]->host))
			add_group(r, sorted[i]->host, i, &at);
		r->entries[i].path = put_text(&at, route_path(sorted[i]));
		r->entries[i].app = sorted[i]->app;
		r->groups[r->groups_n - 1].end = i + 1;
	}
	r->entries_n = n;
	for (uint32_t g = 0; g < r->groups_n; g++)
		link_entries(r->entries, r->groups[g].first, r->groups[g].end);
}

static bool allocate(struct routes *r, const struct route *const *sorted, uint32_t n)
{
	size_t text_n = 0;
	uint32_t slots = 8;

	for (uint32_t i = 0; i < n; i++)
		/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): sort_routes() has filled them */
		text_n += strlen(sorted[i]->host) + strlen(sorted[i]->path) + 2;
	while (slots < 2 * n)
		slots *= 2;
	r->slots_mask = slots - 1;
	r->entries = calloc(n + 1, sizeof(r->entries[0]));
	r->groups = calloc(n + 1, sizeof(r->groups[0]));
	r->slots = calloc(slots, sizeof(r->slots[0]));
	r->text = malloc(text_n + 1);
	return r->entries && r->groups && r->slots && r->text;
}

int routes_build(const void *data, size_t n, struct routes **ret_routes, struct err *err)
{
	_cleanup_(freep) const struct route **sorted = NULL;
	struct routes_head head = {0};
	struct routes *r;
	long kept;
	int rc = check_table(data, n, &head, err);

	if (rc < 0)
		return rc;
	sorted = calloc(head.routes_n + 1U, sizeof(sorted[0]));
	r = calloc(1, sizeof(*r));
	if (!sorted || !r) {
		routes_free(r);
		return err_set(err, -ENOMEM, "routes: out of memory");
	}
	kept = sort_routes((const struct route *)(const void *)((const char *)data + sizeof(head)),
			   head.routes_n, sorted, err);
	if (kept < 0 || !allocate(r, sorted, (uint32_t)kept)) {
		routes_free(r);
		return kept < 0 ? (int)kept : err_set(err, -ENOMEM, "routes: out of memory");
	}
	r->epoch = head.epoch;
	fill(r, sorted, (uint32_t)kept);
	*ret_routes = r;
	return 0;
}

void routes_free(struct routes *r)
{
	if (!r)
		return;
	free(r->entries);
	free(r->groups);
	free(r->slots);
	free(r->text);
	free(r);
}
