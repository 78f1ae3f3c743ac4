/*
 * test_memory_limit - limit-memory from the ini to the kernel's files, over a directory that looks like a cgroup: what an
 * app enters, what changes while it runs, and what is told when the kernel kills.
 */
#include "emperor/vassals/machine.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

#include "emperor/vassals/cgroup.h"
#include "shared/scoreboard.h"
#include "tests/unit/vassals/fixture.h"

#define NONE    "[vassal]\nmodule = x\n"
#define ONE_G   "[vassal]\nmodule = x\nlimit-memory = 1G\n"
#define HALF_G  "[vassal]\nmodule = x\nlimit-memory = 512M\n"
#define GROUP   "app-a"
#define ONE_G_N "1073741824"

static struct {
	unsigned told, changes, faces;
	unsigned event;
	char text[512];
} world;

int __wrap_generation_ask(struct generation *g, enum msg_kind kind, uint64_t value, int fd);
void __wrap_app_event(struct app *a, enum life_event event, const char *why);
void __wrap_app_show_face(struct app *a, struct loaded *l);
void __wrap_tell_change(const struct app *a, unsigned event_kind, const char *text);
int __wrap_app_parse(const struct app *a, const struct ini *ini, struct loaded **ret,
		     struct err *err);

int __wrap_generation_ask(struct generation *g, _unused_ enum msg_kind kind,
			  _unused_ uint64_t value, _unused_ int fd)
{
	g->serial = ++g->serials;
	return 0;
}

void __wrap_app_event(_unused_ struct app *a, enum life_event event, _unused_ const char *why)
{
	assert_int_equal(event, LIFE_CHANGE);
	world.changes++;
}

void __wrap_app_show_face(_unused_ struct app *a, _unused_ struct loaded *l)
{
	world.faces++;
}

void __wrap_tell_change(_unused_ const struct app *a, unsigned event_kind, const char *text)
{
	world.told++;
	world.event = event_kind;
	(void)snprintf(world.text, sizeof(world.text), "%s", text);
}

int __wrap_app_parse(_unused_ const struct app *a, const struct ini *ini, struct loaded **ret,
		     struct err *err)
{
	return fixture_try(ini->bytes, ret, err);
}

struct rig {
	char top[64];
	struct cgroup cgroup;
	struct vassals v;
	struct app app, *apps[1];
	struct generation g;
	struct load_rules rules;
};

static const char *at(const struct rig *r, const char *file)
{
	static char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", r->top, file);
	return path;
}

static void put(const struct rig *r, const char *file, const char *text)
{
	FILE *f = fopen(at(r, file), "we");

	assert_non_null(f);
	(void)fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void expect(const struct rig *r, const char *file, const char *text)
{
	char buf[64] = "";
	FILE *f = fopen(at(r, file), "re");

	assert_non_null(f);
	buf[fread(buf, 1, sizeof(buf) - 1, f)] = '\0';
	assert_int_equal(fclose(f), 0);
	assert_string_equal(buf, text);
}

static struct ini *ini_of(const char *text)
{
	struct ini *i = calloc(1, sizeof(*i));

	assert_non_null(i);
	*i = (struct ini){.refs = 1, .bytes = strdup(text), .n = strlen(text), .roots = true};
	return i;
}

/* An app that runs with one ini, while its file says another. */
static struct rig *make(const char *runs, const char *wanted)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct err err = {0};

	assert_non_null(r);
	memset(&world, 0, sizeof(world));
	(void)snprintf(r->top, sizeof(r->top), "/tmp/emperor-limit-XXXXXX");
	assert_non_null(mkdtemp(r->top));
	assert_int_equal(mkdir(at(r, GROUP), 0755), 0);
	put(r, GROUP "/cgroup.procs", "");
	put(r, GROUP "/memory.max", "max\n");
	put(r, GROUP "/memory.high", "max\n");
	put(r, GROUP "/memory.events", "oom 0\noom_kill 0\n");
	r->cgroup.dir = strdup(r->top);
	r->rules.cgroup = &r->cgroup;
	r->v.setup.rules = &r->rules;
	r->v.setup.loop = ev_default_loop(0);
	r->apps[0] = &r->app;
	r->v.v = r->apps;
	r->v.n = 1;
	r->app = (struct app){.v = &r->v,
			      .name = "a",
			      .state = APP_RUNNING,
			      .serving = &r->g,
			      .generations = &r->g};
	r->app.wanted = ini_of(wanted);
	r->app.good = ini_of(runs);
	r->g.app = &r->app;
	r->g.loaded = fixture_load(runs);
	r->g.ini = ini_of(runs);
	r->app.face = r->g.loaded;
	assert_int_equal(
		config_items_encode(&r->g.loaded->items, &r->g.config, &r->g.config_n, &err), 0);
	machine_open(&r->v);
	return r;
}

static void unmake(struct rig *r)
{
	char command[128];

	machine_close(&r->v);
	(void)snprintf(command, sizeof(command), "rm -rf %s", r->top);
	assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): a test's own folder */
	rollback_done(&r->app);
	free(r->app.reason);
	free(r->app.last_error);
	limits_done(&r->g.pending);
	free(r->g.config);
	loaded_unref(r->g.loaded);
	ini_unref(r->g.ini);
	ini_unref(r->app.wanted);
	ini_unref(r->app.good);
	cgroup_done(&r->cgroup);
	free(r);
}

static void tick(struct rig *r)
{
	ev_invoke(r->v.setup.loop, &r->v.machine.tick, EV_TIMER);
}

static void who_has_a_limit_enters_its_group_and_nobody_else_does(_unused_ void **state)
{
	static const struct {
		const char *ini;
		bool none, had; /* no cgroup on this machine; a generation before had a limit */
		bool enters;
		const char *max;
	} rows[] = {
		{ONE_G, false, false, true, ONE_G_N},
		{NONE, false, false, false, "max\n"},
		{NONE, false, true, true, "max"},
		{ONE_G, true, false, false, "max\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rig *r = make(rows[i].ini, rows[i].ini);
		struct err err = {0};
		int fd = -1;

		if (rows[i].none)
			free(TAKE_PTR(r->cgroup.dir));
		r->app.oom_seen = rows[i].had;
		assert_int_equal(machine_enter(&r->app, r->g.loaded, &fd, &err), 0);
		assert_int_equal(fd >= 0, rows[i].enters);
		expect(r, GROUP "/memory.max", rows[i].max);
		if (fd >= 0)
			(void)close(fd);
		unmake(r);
	}
}

static void a_group_that_cannot_be_limited_is_no_place_to_start_in(_unused_ void **state)
{
	struct rig *r = make(ONE_G, ONE_G);
	struct err err = {0};
	int fd = -1;

	assert_int_equal(unlink(at(r, GROUP "/memory.max")), 0);
	assert_int_equal(machine_enter(&r->app, r->g.loaded, &fd, &err), -ENOENT);
	assert_int_equal(fd, -1);
	assert_non_null(strstr(err.text, "memory.max"));
	unmake(r);
}

static void another_limit_is_the_kernels_once_the_front_has_taken_the_ini(_unused_ void **state)
{
	static const struct {
		const char *runs, *wanted;
		const char *max, *high;
	} rows[] = {
		{ONE_G, HALF_G, "536870912", "503316480"},
		{HALF_G, ONE_G, ONE_G_N, "1006632960"},
		{ONE_G, NONE, "max", "max"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rig *r = make(rows[i].runs, rows[i].wanted);

		assert_true(limits_change(&r->app));
		expect(r, GROUP "/memory.max", "max\n"); /* asked, and not answered */
		limits_answered(&r->g, r->g.serial, "");
		expect(r, GROUP "/memory.max", rows[i].max);
		expect(r, GROUP "/memory.high", rows[i].high);
		assert_int_equal(world.event, EVENT_LIMITS);
		assert_int_equal(world.changes, 0);
		unmake(r);
	}
}

static void a_limit_that_did_not_change_or_was_refused_is_not_written(_unused_ void **state)
{
	for (unsigned row = 0; row < 2; row++) {
		struct rig *r = make(ONE_G, row == 0 ? ONE_G "harakiri = 9\n" : HALF_G);

		assert_true(limits_change(&r->app));
		limits_answered(&r->g, r->g.serial, row == 0 ? "" : "no room");
		expect(r, GROUP "/memory.max", "max\n");
		unmake(r);
	}
}

/* What its processes hold by now would not count in a group that they came to later. */
static void who_is_in_no_group_gets_one_with_a_new_generation(_unused_ void **state)
{
	static const struct {
		bool none, had, live;
	} rows[] = {
		{false, false, false},
		{false, true, true},
		{true, false, true}, /* it is in force nowhere, which a note says */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rig *r = make(NONE, ONE_G);

		if (rows[i].none)
			free(TAKE_PTR(r->cgroup.dir));
		r->app.oom_seen = rows[i].had;
		assert_int_equal(limits_change(&r->app), rows[i].live);
		unmake(r);
	}
}

static void a_limit_that_cannot_be_written_is_told_and_a_new_generation_tries(_unused_ void **state)
{
	struct rig *r = make(ONE_G, HALF_G);

	assert_int_equal(unlink(at(r, GROUP "/memory.max")), 0);
	assert_true(limits_change(&r->app));
	limits_answered(&r->g, r->g.serial, "");
	assert_int_equal(world.event, EVENT_REFUSED);
	assert_non_null(strstr(world.text, "memory.max: No such file"));
	assert_int_equal(world.changes, 1);
	assert_int_equal(r->g.loaded->config.limit_memory_bytes, 1 << 30);
	unmake(r);
}

static void kills_are_told_once_and_only_those_of_our_time(_unused_ void **state)
{
	struct rig *r = make(ONE_G, ONE_G);

	put(r, GROUP "/memory.events", "oom 3\noom_kill 3\n");
	tick(r);
	assert_int_equal(world.told, 0); /* told by the emperor before us, if at all */
	assert_true(r->app.oom_seen);
	put(r, GROUP "/memory.events", "oom 5\noom_kill 5\n");
	tick(r);
	assert_int_equal(world.event, EVENT_BUDGET);
	assert_non_null(strstr(world.text, "has killed 2 of its processes: limit-memory = 1024 "
					   "MiB were not enough"));
	tick(r);
	assert_int_equal(world.told, 1);
	/* the group was made anew */
	put(r, GROUP "/memory.events", "oom 0\noom_kill 0\n");
	tick(r);
	put(r, GROUP "/memory.events", "oom 1\noom_kill 1\n");
	tick(r);
	assert_int_equal(world.told, 2);
	assert_non_null(strstr(world.text, "has killed 1 "));
	unmake(r);
}

static void who_has_no_limit_or_no_process_is_not_looked_at(_unused_ void **state)
{
	for (unsigned row = 0; row < 2; row++) {
		struct rig *r = make(row == 0 ? NONE : ONE_G, ONE_G);

		if (row == 1)
			r->app.generations = NULL;
		tick(r);
		assert_false(r->app.oom_seen);
		unmake(r);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_has_a_limit_enters_its_group_and_nobody_else_does),
		cmocka_unit_test(a_group_that_cannot_be_limited_is_no_place_to_start_in),
		cmocka_unit_test(another_limit_is_the_kernels_once_the_front_has_taken_the_ini),
		cmocka_unit_test(a_limit_that_did_not_change_or_was_refused_is_not_written),
		cmocka_unit_test(who_is_in_no_group_gets_one_with_a_new_generation),
		cmocka_unit_test(a_limit_that_cannot_be_written_is_told_and_a_new_generation_tries),
		cmocka_unit_test(kills_are_told_once_and_only_those_of_our_time),
		cmocka_unit_test(who_has_no_limit_or_no_process_is_not_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
