/*
 * plan - a table of apps, the files of a directory, and what plan.c tells of both; for test_plan*.c.
 */
#pragma once
#include "emperor/vassals/internal.h"

#include <errno.h>

#include "emperor/options.h"
#include "emperor/vassals/cgroup.h"
#include "emperor/watch/scan.h"
#include "shared/scoreboard.h"
#include "tests/unit/vassals/fixture.h"

#define APPS_MAX  3
#define INI(rest) "[vassal]\nmodule = m\n" rest
#define TWO       INI("domain = a.test\nprocesses = 2\n")

struct file { /* of a directory; sorted by name */
	const char *name, *text, *problem;
	bool touched;
};

struct had { /* an app; sorted by name */
	const char *name, *wanted, *runs;
	enum app_state state;
	bool gone;
	unsigned scaled;
};

struct told {
	char name[LIMIT_NAME];
	enum plan_kind kind;
	char text[1100];
};

static struct {
	const struct file *files;
	size_t files_n;
	bool incomplete;
	unsigned room;  /* of the generation that runs; 0: it has not said */
	unsigned grant; /* what max-workers leaves; 0: all */
	struct scoreboard board;
	struct told told[2 * APPS_MAX];
	size_t told_n;
} world;

int __wrap_scan_run(struct scan *ret, const char *const *dirs, size_t dirs_n,
		    const struct scan_rules *rules, struct err *err);
unsigned __wrap_machine_room(const struct app *a, unsigned wanted);
int __wrap_board_map_readonly(int fd, const struct scoreboard **ret, struct err *err);
void __wrap_board_unmap(const struct scoreboard *b);

static inline char *copy(const char *text)
{
	char *p = text ? strdup(text) : NULL;

	assert_true(!text || p);
	return p;
}

int __wrap_scan_run(struct scan *ret, const char *const *dirs, _unused_ size_t dirs_n,
		    _unused_ const struct scan_rules *rules, _unused_ struct err *err)
{
	struct scan s = {.n = world.files_n, .incomplete = world.incomplete};

	s.complaint = copy(world.incomplete ? "/v: cannot be read: no" : NULL);
	s.v = calloc(s.n + 1, sizeof(*s.v));
	assert_non_null(s.v);
	for (size_t i = 0; i < s.n; i++) {
		const struct file *f = &world.files[i];
		struct scan_entry *e = &s.v[i];

		*e = (struct scan_entry){.dir = dirs[0], .roots = true};
		(void)snprintf(e->name, sizeof(e->name), "%s", f->name);
		assert_true(asprintf(&e->path, "%s/%s.ini", dirs[0], f->name) > 0);
		e->bytes = copy(f->text);
		e->n = f->text ? strlen(f->text) : 0;
		e->problem = copy(f->problem);
		e->print.mtime_ns = f->touched ? 2 : 1;
	}
	*ret = s;
	return 0;
}

unsigned __wrap_machine_room(_unused_ const struct app *a, unsigned wanted)
{
	return world.grant > 0 ? MIN(world.grant, wanted) : wanted;
}

int __wrap_board_map_readonly(int fd, const struct scoreboard **ret, _unused_ struct err *err)
{
	if (fd < 0)
		return -EBADF;
	*ret = &world.board;
	return 0;
}

void __wrap_board_unmap(_unused_ const struct scoreboard *b)
{
}

/* -- a table of apps ------------------------------------------------------------------------------------ */

struct rig {
	struct vassals v;
	struct load_rules rules;
	struct cgroup cgroup;
	struct app app[APPS_MAX], *apps[APPS_MAX];
	struct generation g[APPS_MAX];
	struct inifile_sources includes[APPS_MAX];
};

static inline struct ini *ini_of(const char *text)
{
	struct ini *i = calloc(1, sizeof(*i));

	assert_non_null(i);
	*i = (struct ini){.refs = 1, .bytes = copy(text), .n = strlen(text), .roots = true};
	return i;
}

/* What it listens on. */
static inline void open_doors(struct app *a)
{
	const struct vassal_config *c = &a->face->config;

	a->doors.v = calloc(c->listeners_n + 1, sizeof(*a->doors.v));
	assert_non_null(a->doors.v);
	for (size_t i = 0; i < c->listeners_n; i++)
		a->doors.v[a->doors.n++] = (struct door){.address = c->listeners[i].address};
	if (a->face->stats.len > 0)
		a->doors.v[a->doors.n++] = (struct door){.address = a->face->stats};
}

static inline void add(struct rig *r, const struct had *h)
{
	size_t n = r->v.n++;
	struct app *a = &r->app[n];
	struct generation *g = &r->g[n];

	r->apps[n] = a;
	*a = (struct app){.v = &r->v, .state = h->state, .gone = h->gone, .board_ro_fd = 0};
	(void)snprintf(a->name, sizeof(a->name), "%s", h->name);
	assert_true(asprintf(&a->file, "/v/%s.ini", h->name) > 0);
	a->dir = "/v";
	a->print.mtime_ns = 1;
	a->includes = &r->includes[n];
	a->wanted = h->wanted ? ini_of(h->wanted) : NULL;
	if (h->runs) {
		*g = (struct generation){.app = a,
					 .number = 1,
					 .scaled = h->scaled,
					 .loaded = fixture_load(h->runs)};
		assert_int_equal(
			config_items_encode(&g->loaded->items, &g->config, &g->config_n, NULL), 0);
		a->serving = g;
		a->face = loaded_ref(g->loaded);
		open_doors(a);
	} else if (h->wanted && !h->gone) {
		struct err err = {0};

		(void)fixture_try(h->wanted, &a->face, &err);
	}
}

static inline struct rig *make(const struct had *had, size_t n)
{
	struct rig *r = calloc(1, sizeof(*r));
	static char path[] = "PATH=/usr/bin:/bin";
	static char *env[] = {path, NULL};

	assert_non_null(r);
	r->rules = (struct load_rules){.default_uid = "nobody", .environ_now = env, .cpus = 2};
	r->rules.cgroup = &r->cgroup;
	r->v.setup.rules = &r->rules;
	r->v.v = r->apps;
	for (size_t i = 0; i < n; i++)
		add(r, &had[i]);
	atomic_store_explicit(&world.board.bank[0].generation, 1, memory_order_relaxed);
	atomic_store_explicit(&world.board.bank[0].room, world.room, memory_order_relaxed);
	return r;
}

static inline void unmake(struct rig *r)
{
	for (size_t i = 0; i < r->v.n; i++) {
		struct app *a = &r->app[i];

		free(r->g[i].config);
		loaded_unref(r->g[i].loaded);
		loaded_unref(a->face);
		ini_unref(a->wanted);
		free(a->doors.v);
		free(a->file);
		inifile_sources_done(a->includes);
	}
	free(r);
}

static inline void on_row(_unused_ void *arg, const char *name, _unused_ const char *file,
			  enum plan_kind kind, const char *text)
{
	struct told *t = &world.told[world.told_n++];

	assert_true(world.told_n <= ARRAY_SIZE(world.told));
	t->kind = kind;
	(void)snprintf(t->name, sizeof(t->name), "%s", name);
	(void)snprintf(t->text, sizeof(t->text), "%s", text);
}

static inline int plan(struct rig *r, bool staged, struct err *err)
{
	static const char *const dirs[] = {"/v"}, *const other[] = {"/staged"};
	const struct plan_dirs d = {.dirs = staged ? other : dirs, .n = 1, .staged = staged};

	world.told_n = 0;
	return vassals_plan(&r->v, &d, on_row, NULL, err);
}

static inline void expect(const char *name, enum plan_kind kind, const char *text)
{
	for (size_t i = 0; i < world.told_n; i++) {
		const struct told *t = &world.told[i];

		if (!str_eq(t->name, name))
			continue;
		if (t->kind != kind || !strstr(t->text, text) || (!*text && *t->text))
			fail_msg("%s: %s \"%s\" instead of %s \"%s\"", name,
				 plan_kind_name(t->kind), t->text, plan_kind_name(kind), text);
		return;
	}
	fail_msg("%s: nothing is told of it", name);
}
