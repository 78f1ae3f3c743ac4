/* libs: emperor_gate */
/*
 * fuzz_routes - the table of routes. First byte even: the rest are a table's bytes, which must be refused or usable.
 * Odd: the rest are lines "host path", the last of them a request; what routes_find() says must be what the rule says,
 * read as slowly as it can be read.
 */
#include "emperor/gate/routes.h"

#include "emperor/role.h"
#include "shared/pass.h"

#define ROUTES_TRIED 24

struct query {
	struct span host, path;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool it)
{
	if (!it)
		abort();
}

static void try_bytes(const uint8_t *data, size_t size)
{
	static const char *const hosts[] = {"", "a", "a.b", "x.a.b", "a.b.c.d.e.f"};
	struct routes *r;
	struct routes_match m;
	char *copy = malloc(size + 1); /* aligned, and its end is watched */

	must(copy != NULL);
	memcpy(copy, data, size);
	if (routes_build(copy, size, &r, NULL) < 0) {
		free(copy);
		return;
	}
	free(copy);
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++)
		if (routes_find(r, span_str(hosts[i]), SPAN("/a/b"), &m))
			must(pass_path_under(SPAN("/a/b"), m.script));
	routes_free(r);
}

static struct query take_line(struct span *rest)
{
	const char *lf = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
	struct span line = span_of(rest->p, lf ? (size_t)(lf - rest->p) : rest->n);
	const char *blank = line.n ? memchr(line.p, ' ', line.n) : NULL;
	size_t host_n = blank ? (size_t)(blank - line.p) : line.n;

	*rest = span_skip(*rest, line.n + (lf ? 1 : 0));
	return (struct query){span_of(line.p, host_n),
			      blank ? span_skip(line, host_n + 1) : span_of(line.p, 0)};
}

/* 0 = does not match; else the more the better. */
static unsigned host_rank(const struct route *r, struct span host)
{
	struct span name = span_str(r->host);

	if (name.n == 0)
		return 1;
	if (name.p[0] != '*')
		return span_eq_nocase(name, host) ? 100000 : 0;
	name = span_skip(name, 1);
	if (host.n <= name.n || !span_eq_nocase(span_skip(host, host.n - name.n), name))
		return 0;
	return 1 + (unsigned)name.n;
}

static struct span trimmed(const struct route *r)
{
	struct span path = span_str(r->path);

	while (path.n > 0 && path.p[path.n - 1] == '/')
		path.n--;
	return path;
}

static const struct route *slow_find(const struct route *routes, size_t n, struct span host,
				     struct span path)
{
	const struct route *best = NULL;
	unsigned long best_rank = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned long rank = host_rank(&routes[i], host) * 1000UL;

		if (rank == 0 || !pass_path_under(path, trimmed(&routes[i])))
			continue;
		rank += trimmed(&routes[i]).n;
		if (rank > best_rank) {
			best = &routes[i];
			best_rank = rank;
		}
	}
	return best;
}

/* Not in a path that http_head gives, nor in one that an ini may have. */
static bool is_odd(struct span s)
{
	return s.n > 0 && (memchr(s.p, '\0', s.n) || memchr(s.p, '?', s.n));
}

static void check(const struct route *routes, size_t n, const struct routes *r, struct query q)
{
	const struct route *want;
	struct routes_match m;
	bool found;

	if (q.path.n == 0 || q.path.p[0] != '/')
		q.path = SPAN("/");
	if (is_odd(q.host) || is_odd(q.path))
		return;
	found = routes_find(r, q.host, q.path, &m);
	want = q.host.n <= LIMIT_HOST ? slow_find(routes, n, q.host, q.path) : NULL;
	must(found == (want != NULL));
	if (!found)
		return;
	must(m.app == want->app && span_eq(m.script, trimmed(want)));
	must(m.carve_n <= LIMIT_CARVE_BYTES);
	must(m.carve_full || pass_path_ours(q.path, m.script, span_of(m.carve, m.carve_n)));
	/* What a front may answer itself is what the gate would have sent to it. */
	for (size_t i = 0; i < n && !m.carve_full; i++) {
		struct span path = routes[i].path[0] ? span_str(routes[i].path) : SPAN("/");
		const struct route *other = slow_find(routes, n, q.host, path);

		if (pass_path_ours(path, m.script, span_of(m.carve, m.carve_n)))
			must(other && other->app == want->app && span_eq(trimmed(other), m.script));
	}
}

static void try_lines(struct span rest)
{
	struct {
		struct routes_head head;
		struct route routes[ROUTES_TRIED];
	} table = {.head = {.magic = ROUTES_MAGIC}};
	struct query q = {{"", 0}, {"", 0}};
	struct routes *r;
	uint32_t n = 0;

	while (rest.n > 0) {
		q = take_line(&rest);
		if (rest.n == 0 || n == ROUTES_TRIED)
			break;
		if (q.host.n > LIMIT_HOST || q.path.n >= sizeof(table.routes[0].path) ||
		    is_odd(q.host) || is_odd(q.path))
			return;
		memcpy(table.routes[n].host, q.host.p, q.host.n);
		memcpy(table.routes[n].path, q.path.p, q.path.n);
		table.routes[n].app = n + 1;
		n++;
	}
	table.head.routes_n = n;
	if (routes_build(&table, sizeof(table.head) + n * sizeof(struct route), &r, NULL) < 0)
		return;
	check(table.routes, n, r, q);
	routes_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] % 2 == 0)
		try_bytes(data + 1, size - 1);
	else
		try_lines(span_of((const char *)data + 1, size - 1));
	return 0;
}
