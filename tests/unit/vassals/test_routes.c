/*
 * test_routes - a name is the first claimant's for as long as that app has its ini; the gate's table holds what the apps
 * claim. roles_tell is wrapped: the table that would be sent is kept.
 */
#include "emperor/vassals/internal.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "shared/fd.h"
#include "tests/unit/vassals/fixture.h"

static struct {
	struct routes_head head;
	struct route routes[16];
	unsigned times;
} table;

void __wrap_roles_tell(struct roles *r, enum role_id id, const struct role_msg *m, const char *text,
		       const int *fds, int nfds);

void __wrap_roles_tell(struct roles *r, enum role_id id, const struct role_msg *m, const char *text,
		       const int *fds, int nfds)
{
	const void *data;
	size_t n;

	(void)r;
	(void)text;
	assert_int_equal(id, ROLE_ID_GATE);
	assert_int_equal(m->kind, GATE_ROUTES);
	assert_int_equal(nfds, 1);
	assert_int_equal(fd_map_sealed(fds[0], 1 << 20, &data, &n, NULL), 0);
	memcpy(&table.head, data, sizeof(table.head));
	assert_int_equal(n, sizeof(table.head) + table.head.routes_n * sizeof(struct route));
	assert_true(table.head.routes_n <= ARRAY_SIZE(table.routes));
	memcpy(table.routes, (const char *)data + sizeof(table.head), n - sizeof(table.head));
	(void)munmap((void *)(uintptr_t)data, n);
	table.times++;
}

struct world {
	struct vassals v;
	struct app app[3];
	struct app *list[3];
};

static char file[] = "x.ini";

static int set_up(void **state)
{
	static const char *const names[] = {"blog", "shop", "wiki"};
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		return -1;
	w->v.setup.roles = (struct roles *)w; /* never looked at */
	w->v.v = w->list;
	w->v.n = ARRAY_SIZE(w->list);
	w->v.epoch_fd = -1;
	w->v.epoch_ro_fd = -1;
	assert_int_equal(routes_open(&w->v, -1, NULL), 0);
	for (uint32_t i = 0; i < ARRAY_SIZE(w->list); i++) {
		w->app[i] = (struct app){.v = &w->v, .id = i + 1, .file = file};
		(void)snprintf(w->app[i].name, sizeof(w->app[i].name), "%s", names[i]);
		w->list[i] = &w->app[i];
	}
	w->app[0].face =
		fixture_load("[vassal]\nmodule = x\ndomain = blog.example, *.b.example/x\n");
	w->app[1].face = fixture_load("[vassal]\nmodule = x\ndomain = blog.example/shop\n"
				      "default = true\n");
	memset(&table, 0, sizeof(table));
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(w->list); i++)
		loaded_unref(w->app[i].face);
	routes_close(&w->v);
	free(w);
	return 0;
}

/* Its ini is gone, and another came with the same look. */
static void who_yields_answers_for_what_nobody_has_taken_and_keeps_nobody_from_it(void **state)
{
	struct world *w = *state;
	struct loaded *l = fixture_load("[vassal]\nmodule = x\ndomain = blog.example\n");

	routes_publish(&w->v);
	w->app[0].gone = w->app[0].yields = true;
	assert_int_equal(routes_check(&w->v, &w->app[2], l, NULL), 0);
	w->v.routes_changed = true;
	routes_publish(&w->v);
	assert_int_equal(table.head.routes_n, 4);
	assert_int_equal(table.routes[0].app, 1);
	/* the new one is there: each name has one holder */
	w->app[2].face = l;
	routes_publish(&w->v);
	assert_int_equal(table.head.routes_n, 4);
	for (size_t i = 0; i < table.head.routes_n; i++)
		if (str_eq(table.routes[i].host, "blog.example") && !*table.routes[i].path)
			assert_int_equal(table.routes[i].app, 3);
	assert_string_equal(table.routes[0].host, "*.b.example");
	assert_int_equal(table.routes[0].app, 1);
	w->app[0].yields = false;
	routes_publish(&w->v);
	assert_int_equal(table.head.routes_n, 3);
}

static void the_table_holds_what_the_apps_claim(void **state)
{
	static const struct {
		uint32_t app;
		const char *host, *path;
	} want[] = {
		{1, "blog.example", ""},
		{1, "*.b.example", "/x"},
		{2, "blog.example", "/shop"},
		{2, "", ""},
	};
	struct world *w = *state;

	routes_publish(&w->v);
	assert_int_equal(table.times, 1);
	assert_int_equal(table.head.magic, ROUTES_MAGIC);
	assert_int_equal(table.head.routes_n, ARRAY_SIZE(want));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		assert_int_equal(table.routes[i].app, want[i].app);
		assert_string_equal(table.routes[i].host, want[i].host);
		assert_string_equal(table.routes[i].path, want[i].path);
	}
}

static void who_has_lost_its_ini_has_no_routes(void **state)
{
	struct world *w = *state;

	w->app[0].gone = true;
	routes_publish(&w->v);
	assert_int_equal(table.head.routes_n, 2);
	for (size_t i = 0; i < table.head.routes_n; i++)
		assert_int_equal(table.routes[i].app, 2);
}

static void the_epoch_moves_with_each_table_but_not_when_one_is_repeated(void **state)
{
	struct world *w = *state;
	uint32_t epoch;

	routes_publish(&w->v);
	epoch = table.head.epoch;
	assert_int_equal(epoch, atomic_load(w->v.epoch));
	routes_tell(&w->v);
	assert_int_equal(table.head.epoch, epoch);
	w->app[0].gone = true;
	routes_publish(&w->v);
	assert_int_equal(table.head.epoch, epoch + 1);
	assert_false(w->v.routes_changed);
	assert_int_equal(table.times, 3);
}

static void a_reload_that_changes_no_route_leaves_the_epoch_alone(void **state)
{
	struct world *w = *state;
	struct loaded *same =
		fixture_load("[vassal]\nmodule = y\ndomain = blog.example, *.b.example/x\n");
	struct loaded *other_user = same;
	uint32_t epoch;

	routes_publish(&w->v);
	epoch = atomic_load(w->v.epoch);
	loaded_unref(w->app[0].face);
	w->app[0].face = same;
	w->v.routes_changed = true;
	routes_publish(&w->v);
	assert_false(w->v.routes_changed);
	assert_int_equal(atomic_load(w->v.epoch), epoch);
	assert_int_equal(table.times, 1);
	/* kept connections may then be another user's */
	other_user->uid++;
	routes_publish(&w->v);
	assert_int_equal(atomic_load(w->v.epoch), epoch + 1);
	assert_int_equal(table.times, 2);
}

static void a_name_belongs_to_its_first_claimant(void **state)
{
	static const struct {
		const char *keys;
		const char *owner; /* NULL: free */
	} cases[] = {
		{"domain = free.example", NULL},
		{"domain = blog.example", "\"blog\""},
		{"domain = BLOG.example", "\"blog\""},
		{"domain = free.example, *.b.example/x", "\"blog\""},
		{"domain = blog.example/shop", "\"shop\""},
		{"domain = blog.example/other", NULL}, /* another part of the same site */
		{"domain = *.b.example", NULL},
		{"default = true", "\"shop\""},
		{"", NULL},
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = {0};
		char text[256];
		struct loaded *l;
		int r;

		(void)snprintf(text, sizeof(text), "[vassal]\nmodule = x\n%s\n", cases[i].keys);
		l = fixture_load(text);
		r = routes_check(&w->v, &w->app[2], l, &err);
		loaded_unref(l);
		assert_int_equal(r, cases[i].owner ? -EEXIST : 0);
		if (cases[i].owner)
			assert_non_null(strstr(err.text, cases[i].owner));
	}
}

static void its_own_names_are_no_conflict_and_those_of_a_leaver_are_free(void **state)
{
	struct world *w = *state;

	assert_int_equal(routes_check(&w->v, &w->app[0], w->app[0].face, NULL), 0);
	assert_int_equal(routes_check(&w->v, &w->app[2], w->app[0].face, NULL), -EEXIST);
	w->app[0].gone = true;
	assert_int_equal(routes_check(&w->v, &w->app[2], w->app[0].face, NULL), 0);
}

static void a_candidate_claims_its_new_names_too(void **state)
{
	struct world *w = *state;
	struct loaded *l = fixture_load("[vassal]\nmodule = x\ndomain = new.example\n");
	struct generation g = {.loaded = l};

	assert_int_equal(routes_check(&w->v, &w->app[2], l, NULL), 0);
	w->app[0].candidate = &g;
	assert_int_equal(routes_check(&w->v, &w->app[2], l, NULL), -EEXIST);
	loaded_unref(l);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(who_yields_answers_for_what_nobody_has_taken_and_keeps_nobody_from_it),
		CASE(the_table_holds_what_the_apps_claim),
		CASE(who_has_lost_its_ini_has_no_routes),
		CASE(the_epoch_moves_with_each_table_but_not_when_one_is_repeated),
		CASE(a_reload_that_changes_no_route_leaves_the_epoch_alone),
		CASE(a_name_belongs_to_its_first_claimant),
		CASE(its_own_names_are_no_conflict_and_those_of_a_leaver_are_free),
		CASE(a_candidate_claims_its_new_names_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
