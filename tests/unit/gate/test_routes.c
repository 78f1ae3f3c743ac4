/*
 * test_routes - which app answers which host and path.
 */
#include "emperor/gate/routes.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "emperor/role.h"
#include "shared/err.h"

struct row {
	uint32_t app;
	const char *host, *path;
};

static char *table_bytes(const struct row *rows, size_t n, size_t *ret_size)
{
	size_t size = sizeof(struct routes_head) + n * sizeof(struct route);
	struct routes_head head = {.magic = ROUTES_MAGIC, .epoch = 77, .routes_n = (uint32_t)n};
	char *p = calloc(1, size);

	assert_non_null(p);
	memcpy(p, &head, sizeof(head));
	for (size_t i = 0; i < n; i++) {
		struct route r = {.app = rows[i].app};

		(void)snprintf(r.host, sizeof(r.host), "%s", rows[i].host);
		(void)snprintf(r.path, sizeof(r.path), "%s", rows[i].path);
		memcpy(p + sizeof(head) + i * sizeof(r), &r, sizeof(r));
	}
	*ret_size = size;
	return p;
}

static struct routes *table(const struct row *rows, size_t n)
{
	struct routes *r;
	struct err err = {0};
	size_t size;
	char *p = table_bytes(rows, n, &size);

	if (routes_build(p, size, &r, &err) < 0)
		fail_msg("%s", err.text);
	free(p); /* the table keeps nothing of it */
	return r;
}

static const struct row sites[] = {
	{1, "blog.example", ""},
	{2, "blog.example", "/shop"},
	{3, "blog.example", "/shop/admin"},
	{4, "blog.example", "/shop-old"},
	{5, "*.b.example", ""},
	{6, "*.a.b.example", ""},
	{7, "x.b.example", "/api"},
	{8, "", ""},
	{9, "[::1]", "/only"},
	{10, "*.b.example", "/deep/er"},
	{11, "slash.example", "/end/"},
};

static void every_request_finds_its_app(void **state)
{
	static const struct {
		const char *host, *path;
		uint32_t app;
		const char *script;
	} cases[] = {
		{"blog.example", "/", 1, ""},
		{"BLOG.Example", "/", 1, ""},
		{"blog.example", "/shop", 2, "/shop"},
		{"blog.example", "/shop/", 2, "/shop"},
		{"blog.example", "/shop/x", 2, "/shop"},
		{"blog.example", "/shopping", 1, ""},
		{"blog.example", "/shop-old", 4, "/shop-old"},
		{"blog.example", "/shop-old/1", 4, "/shop-old"},
		{"blog.example", "/shop-new", 1, ""},
		{"blog.example", "/shop/admin", 3, "/shop/admin"},
		{"blog.example", "/shop/admin/x/y", 3, "/shop/admin"},
		{"blog.example", "/shop/administrator", 2, "/shop"},
		{"blog.example", "/zzz", 1, ""},
		{"blog.example", "*", 1, ""},
		{"y.b.example", "/", 5, ""},
		{"z.y.b.example", "/", 5, ""},
		{"z.a.b.example", "/", 6, ""},
		{"a.b.example", "/", 5, ""},
		{"b.example", "/", 8, ""}, /* a star stands for at least one label */
		{".b.example", "/", 8, ""},
		{"xb.example", "/", 8, ""},
		{"x.b.example", "/api/v1", 7, "/api"},
		{"x.b.example", "/apis", 5, ""}, /* none of its own paths fits: the wildcard's */
		{"other.example", "/", 8, ""},
		{"", "/", 8, ""},
		{"[::1]", "/only", 9, "/only"},
		{"[::1]", "/", 8, ""},
		{"q.b.example", "/deep/er/x", 10, "/deep/er"},
		{"slash.example", "/end", 11, "/end"},
		{"slash.example", "/end/x", 11, "/end"},
	};
	struct routes *r = table(sites, ARRAY_SIZE(sites));
	struct routes_match m;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool found = routes_find(r, span_str(cases[i].host), span_str(cases[i].path), &m);

		if (!found || m.app != cases[i].app ||
		    !span_eq(m.script, span_str(cases[i].script)))
			fail_msg("%s%s: app %u script \"%.*s\"", cases[i].host, cases[i].path,
				 found ? m.app : 0, found ? (int)m.script.n : 0,
				 found ? m.script.p : "");
	}
	assert_int_equal(routes_epoch(r), 77);
	routes_free(r);
}

static void carve_outs_are_what_a_front_must_not_answer_itself(void **state)
{
	static const struct {
		const char *host, *path;
		const char *carve; /* joined by blanks */
	} cases[] = {
		{"blog.example", "/", "/shop /shop-old"}, /* not /shop/admin: /shop covers it */
		{"blog.example", "/shop", "/shop/admin"},
		{"blog.example", "/shop/admin", ""},
		{"x.b.example", "/",
		 "/api /deep/er"}, /* the exact host's path, though the wildcard matched */
		{"y.b.example", "/", "/deep/er"},
		{"x.b.example", "/api", ""},
		{"[::1]", "/", "/only"},
		{"nobody.example", "/", ""},
	};
	struct routes *r = table(sites, ARRAY_SIZE(sites));
	struct routes_match m;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_true(routes_find(r, span_str(cases[i].host), span_str(cases[i].path), &m));
		assert_false(m.carve_full);
		for (size_t j = 0; j + 1 < m.carve_n; j++)
			if (m.carve[j] == '\0')
				m.carve[j] = ' ';
		if (m.carve_n == 0)
			m.carve[0] = '\0';
		if (strcmp(m.carve, cases[i].carve) != 0)
			fail_msg("%s%s: carve-outs \"%s\"", cases[i].host, cases[i].path, m.carve);
	}
	routes_free(r);
}

static void carve_outs_that_do_not_fit_are_said_not_to(void **state)
{
	static char paths[300][16];
	struct row rows[301] = {{1, "h", ""}};
	struct routes_match m;
	struct routes *r;

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		(void)snprintf(paths[i], sizeof(paths[i]), "/path-%u", i);
		rows[i + 1] = (struct row){2, "h", paths[i]};
	}
	r = table(rows, 301);
	assert_true(routes_find(r, SPAN("h"), SPAN("/"), &m));
	assert_true(m.carve_full);
	assert_in_range(m.carve_n, 1, LIMIT_CARVE_BYTES);
	assert_true(routes_find(r, SPAN("h"), SPAN("/path-299/x"), &m));
	assert_false(m.carve_full);
	assert_int_equal(m.app, 2);
	routes_free(r);
}

static void an_empty_table_knows_nobody(void **state)
{
	struct routes *r = table(NULL, 0);
	struct routes_match m;

	(void)state;
	assert_false(routes_find(r, SPAN("a"), SPAN("/"), &m));
	assert_false(routes_find(r, SPAN(""), SPAN("/"), &m));
	routes_free(r);
}

static void of_two_equal_routes_the_lower_id_counts(void **state)
{
	static const struct row rows[] = {{9, "h", "/a"}, {4, "h", "/a/"}, {6, "h", "/a"}};
	struct routes *r = table(rows, ARRAY_SIZE(rows));
	struct routes_match m;

	(void)state;
	assert_true(routes_find(r, SPAN("h"), SPAN("/a"), &m));
	assert_int_equal(m.app, 4);
	routes_free(r);
}

static void the_longest_host_is_looked_up_and_a_longer_one_is_nobody(void **state)
{
	char host[LIMIT_HOST + 2];
	struct row row = {1, host, ""};
	struct routes *r;
	struct routes_match m;

	(void)state;
	for (size_t i = 0; i < LIMIT_HOST; i++)
		host[i] = i % 2 ? '.' : 'a';
	host[LIMIT_HOST] = '\0';
	r = table(&row, 1);
	assert_true(routes_find(r, span_str(host), SPAN("/"), &m));
	host[LIMIT_HOST] = 'a';
	assert_false(routes_find(r, span_of(host, LIMIT_HOST + 1), SPAN("/"), &m));
	routes_free(r);
}

static void a_table_that_is_not_one_is_refused(void **state)
{
	static const struct {
		const char *why;
		size_t at;
		char byte;
		long size_change;
	} cases[] = {
		{"magic", 0, 'x', 0},
		{"one route too many", offsetof(struct routes_head, routes_n), 3, 0},
		{"a byte short", 0, 'R', -1},
		{"a byte more", 0, 'R', 1},
		{"only a head's half", 0, 'R', -1000},
		{"relative path", sizeof(struct routes_head) + offsetof(struct route, path), 'x',
		 0},
		{"upper case", sizeof(struct routes_head) + offsetof(struct route, host), 'B', 0},
		{"star without dot", sizeof(struct routes_head) + offsetof(struct route, host), '*',
		 0},
	};
	const struct row rows[] = {{1, "blog", "/x"}, {2, "*.b", ""}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct routes *r = NULL;
		struct err err = {0};
		size_t size;
		char *p = table_bytes(rows, ARRAY_SIZE(rows), &size);
		char *q = calloc(1, size + 1);
		size_t n = cases[i].size_change < -(long)size
				   ? 8
				   : (size_t)((long)size + cases[i].size_change);

		memcpy(q, p, size);
		q[cases[i].at] = cases[i].byte;
		if (routes_build(q, n, &r, &err) != -EBADMSG || r || err.text[0] == '\0')
			fail_msg("%s: was let in", cases[i].why);
		free(p);
		free(q);
	}
}

static void a_name_without_an_end_is_refused(void **state)
{
	const struct row row = {1, "h", "/x"};
	struct routes *r = NULL;
	size_t size;
	char *p = table_bytes(&row, 1, &size);

	(void)state;
	memset(p + sizeof(struct routes_head) + offsetof(struct route, path), '/', 256);
	assert_int_equal(routes_build(p, size, &r, NULL), -EBADMSG);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_request_finds_its_app),
		cmocka_unit_test(carve_outs_are_what_a_front_must_not_answer_itself),
		cmocka_unit_test(carve_outs_that_do_not_fit_are_said_not_to),
		cmocka_unit_test(an_empty_table_knows_nobody),
		cmocka_unit_test(of_two_equal_routes_the_lower_id_counts),
		cmocka_unit_test(the_longest_host_is_looked_up_and_a_longer_one_is_nobody),
		cmocka_unit_test(a_table_that_is_not_one_is_refused),
		cmocka_unit_test(a_name_without_an_end_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
