/*
 * rollback - a world of one app and four generations, as rollback.c meets them; app_event and tell_change are wrapped: what
 * lifecycle would be told is kept.
 */
#pragma once
#include "emperor/vassals/internal.h"

#include <errno.h>

#include "emperor/vassals/saved.h"
#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/scoreboard.h"
#include "tests/unit/vassals/fixture.h"

struct world {
	struct vassals v;
	struct load_rules rules;
	struct app app;
	struct scoreboard *board;
	struct ini *ini[4]; /* of generation n + 1 */
	struct generation *g[4];
};

static unsigned changes;
static char change_why[320];
static unsigned events[2]; /* rolled back; anything else */

void __wrap_app_event(struct app *a, enum life_event event, const char *why);
void __wrap_tell_change(const struct app *a, unsigned event_kind, const char *text);

void __wrap_app_event(struct app *a, enum life_event event, const char *why)
{
	(void)a;
	assert_int_equal(event, LIFE_CHANGE);
	changes++;
	(void)snprintf(change_why, sizeof(change_why), "%s", why);
}

void __wrap_tell_change(const struct app *a, unsigned event_kind, const char *text)
{
	(void)a;
	(void)text;
	events[event_kind != EVENT_ROLLED_BACK]++;
}

/* Says who it is in a path of its own: where the code of that release lies. */
static inline struct ini *make_ini(unsigned number, unsigned probation_s)
{
	struct ini *ini = calloc(1, sizeof(*ini));
	int n;

	assert_non_null(ini);
	*ini = (struct ini){.refs = 1, .owner = 1000 + number, .roots = true};
	n = asprintf(&ini->bytes,
		     "[vassal]\nmodule = x\nuid = root\nchdir = /srv/current\nprobation = %u\n"
		     "env = NUMBER=%u\n",
		     probation_s, number);
	assert_true(n > 0);
	ini->n = (size_t)n;
	return ini;
}

/* As it would have been started: its link led to /srv/rN then. */
static inline struct generation *make_generation(struct world *w, unsigned i, unsigned probation_s)
{
	struct generation *g = calloc(1, sizeof(*g));
	struct config_items items = {0};

	assert_non_null(g);
	w->ini[i] = make_ini(i + 1, probation_s);
	*g = (struct generation){.app = &w->app, .number = i + 1, .bank = i};
	g->ini = ini_ref(w->ini[i]);
	g->loaded = fixture_load(g->ini->bytes);
	assert_int_equal(config_items_append(&items, &g->loaded->items, NULL), 0);
	for (size_t k = 0; k < items.n; k++)
		if (str_eq(items.v[k].key, "chdir")) {
			free(items.v[k].value);
			assert_true(asprintf(&items.v[k].value, "/srv/r%u", i + 1) > 0);
		}
	assert_int_equal(config_items_encode(&items, &g->config, &g->config_n, NULL), 0);
	config_items_done(&items);
	w->g[i] = g;
	return g;
}

static inline int make_world(void **state, unsigned probation_s)
{
	static char *env[] = {NULL};
	static char file[] = "/etc/emperor/vassals/blog.ini";
	struct world *w = calloc(1, sizeof(*w));
	struct app *a;

	if (!w)
		return -1;
	a = &w->app;
	w->rules = (struct load_rules){.default_uid = "nobody", .environ_now = env, .cpus = 2};
	w->v.setup.loop = ev_loop_new(EVFLAG_AUTO);
	w->v.setup.rules = &w->rules;
	*a = (struct app){.v = &w->v, .name = "blog", .file = file, .dir = "/etc/emperor/vassals"};
	a->board_fd = -1;
	assert_int_equal(board_create(&a->board_ro_fd, &w->board, "blog", NULL), 0);
	rollback_init(a);
	for (unsigned i = 0; i < ARRAY_SIZE(w->g); i++)
		(void)make_generation(w, i, probation_s);
	changes = events[0] = events[1] = 0;
	*state = w;
	return 0;
}

static inline int set_up(void **state)
{
	return make_world(state, 30);
}

static inline int set_up_without_probation(void **state)
{
	return make_world(state, 0);
}

static inline int tear_down(void **state)
{
	struct world *w = *state;

	rollback_done(&w->app);
	for (unsigned i = 0; i < ARRAY_SIZE(w->g); i++) {
		free(w->g[i]->config);
		loaded_unref(w->g[i]->loaded);
		ini_unref(w->g[i]->ini);
		ini_unref(w->ini[i]);
		free(w->g[i]);
	}
	board_unmap(w->board);
	(void)close(w->app.board_ro_fd);
	free(w->app.reason);
	ev_loop_destroy(w->v.setup.loop);
	free(w);
	return 0;
}

/* As begin_serving() and do_swap() do it. */
static inline void serve(struct world *w, unsigned i)
{
	struct app *a = &w->app;
	bool swaps = a->serving != NULL;

	rollback_begins(a, w->g[i]);
	a->serving = w->g[i];
	a->serving->serving_ns = clock_now_ns();
	a->state = APP_RUNNING;
	if (swaps)
		rollback_swapped(a);
}

static inline void count(struct world *w, unsigned i, unsigned requests, unsigned errors)
{
	board_add(&w->board->bank[i].counters.requests, requests);
	board_add(&w->board->bank[i].counters.responses[5], errors);
}

/* A second later. */
static inline void look(struct world *w)
{
	if (ev_is_active(&w->app.probation))
		ev_invoke(w->v.setup.loop, &w->app.probation, EV_TIMER);
}

static inline bool is_watched(const struct world *w)
{
	return ev_is_active(&w->app.probation);
}

static inline void expect_chdir(struct world *w, const char *path)
{
	struct loaded *l = NULL;
	struct err err = {0};

	if (rollback_load(&w->app, &l, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(l->config.chdir, path);
	/* the next front is told by these */
	assert_string_equal(config_items_get(&l->items, "chdir"), path);
	loaded_unref(l);
}

static inline void expect_processes(struct world *w, unsigned n)
{
	struct loaded *l = NULL;
	struct err err = {0};

	assert_int_equal(rollback_load(&w->app, &l, &err), 0);
	assert_int_equal(l->config.processes, n);
	assert_int_equal(strtoul(config_items_get(&l->items, "processes"), NULL, 10), n);
	loaded_unref(l);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
