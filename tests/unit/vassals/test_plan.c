/*
 * test_plan - what an edit of one file would change, cell by cell.
 */
#include "tests/unit/vassals/plan.h"

/* -- one app and its file ------------------------------------------------------------------------------- */

#define RUNS(ini) .had = {"a", ini, ini, APP_RUNNING, false, 0}
#define IS(state) .had = {"a", TWO, NULL, state, false, 0}

/* clang-format off */
static const struct cell {
	struct had had;   /* no name: there is no such app */
	struct file file; /* no name: there is no such file */
	bool staged;
	unsigned room, grant;
	enum plan_kind kind;
	const char *text; /* part of it; "": nothing is said */
} cells[] = {
	/* a file of nobody's */
	{ .file = {"a", TWO}, .kind = PLAN_START, .text = "a.test, uid " },
	{ .file = {"a", INI("domain = a.test\nhttp = :9\n")}, .kind = PLAN_START, .text = "a.test, http :9, uid " },
	{ .file = {"a", INI("http = :9\n")}, .kind = PLAN_START, .text = "http :9, uid " },
	{ .file = {"a", INI("")}, .kind = PLAN_START, .text = "uid " },
	{ .file = {"a", INI("harakiri = x\n")}, .kind = PLAN_REFUSED, .text = "a.ini:3: harakiri" },
	{ .file = {"a", NULL, "is larger than 1 MiB"}, .kind = PLAN_REFUSED, .text = "/v/a.ini: is larger" },

	/* an app that runs */
	{ RUNS(TWO), .kind = PLAN_STOP, .text = "there is no ini of this name" },
	{ RUNS(TWO), .file = {"a", TWO}, .kind = PLAN_NOTHING, .text = "" },
	{ RUNS(TWO), .file = {"a", TWO, NULL, true}, .kind = PLAN_RELOAD, .text = "its ini was touched" },
	{ RUNS(TWO), .file = {"a", TWO "; x\n", NULL, true}, .kind = PLAN_RELOAD, .text = "its ini was touched" },
	{ RUNS(TWO), .file = {"a", TWO, NULL, true}, .staged = true, .kind = PLAN_NOTHING, .text = "" },
	{ RUNS(TWO), .file = {"a", TWO "threads = 2\n", NULL, true}, .kind = PLAN_RELOAD, .text = "threads: 1 -> 2" },
	{ RUNS(TWO), .file = {"a", TWO "threads = 2\n"}, .staged = true, .kind = PLAN_RELOAD, .text = "threads: 1 -> 2" },
	{ RUNS(TWO), .file = {"a", TWO "harakiri = 9\n", NULL, true}, .kind = PLAN_LIMITS, .text = "harakiri: 0 -> 9" },
	{ RUNS(TWO), .file = {"a", TWO "harakiri = x\n", NULL, true}, .kind = PLAN_REFUSED, .text = "a.ini:5: harakiri" },
	{ RUNS(TWO), .file = {"a", NULL, "cannot be read"}, .kind = PLAN_REFUSED, .text = "cannot be read" },
	/* the emperor knows this file already: it was rolled back, or a link leads elsewhere since */
	{ RUNS(TWO), .file = {"a", TWO "harakiri = 9\n"}, .kind = PLAN_NOTHING, .text = "until it is reloaded; then harakiri: 0 -> 9" },
	/* room of the generation that runs */
	{ RUNS(TWO), .file = {"a", INI("domain = a.test\nprocesses = 4\n"), NULL, true}, .room = 4, .kind = PLAN_LIMITS, .text = "processes: 2 -> 4" },
	{ RUNS(TWO), .file = {"a", INI("domain = a.test\nprocesses = 5\n"), NULL, true}, .room = 4, .kind = PLAN_RELOAD, .text = "processes: 2 -> 5 (the generation that runs has room for 4)" },
	{ RUNS(TWO), .file = {"a", INI("domain = a.test\nprocesses = 5\n"), NULL, true}, .kind = PLAN_LIMITS, .text = "processes: 2 -> 5" },
	/* max-workers */
	{ RUNS(TWO), .file = {"a", INI("domain = a.test\nprocesses = 5\n"), NULL, true}, .grant = 3, .kind = PLAN_LIMITS, .text = "processes: 2 -> 3" },
	{ RUNS(TWO), .file = {"a", INI("domain = a.test\nprocesses = 5\n"), NULL, true}, .grant = 2, .kind = PLAN_RELOAD, .text = "its ini was touched" },
	/* cgroup: see also the_limit_of_memory below */
	{ RUNS(TWO), .file = {"a", TWO "limit-memory = 1G\n", NULL, true}, .kind = PLAN_LIMITS, .text = "limit-memory" },

	/* scaled by command */
	{ .had = {"a", TWO, TWO, APP_RUNNING, false, 3}, .file = {"a", TWO}, .kind = PLAN_NOTHING, .text = "3 processes by command stay in force" },
	{ .had = {"a", TWO, TWO, APP_RUNNING, false, 1}, .file = {"a", TWO}, .kind = PLAN_NOTHING, .text = "1 process by command stay in force" },
	{ .had = {"a", TWO, TWO, APP_RUNNING, false, 3}, .file = {"a", TWO, NULL, true}, .kind = PLAN_RELOAD, .text = "its ini was touched; 3 processes by command, until then" },
	{ .had = {"a", TWO, TWO, APP_RUNNING, false, 3}, .file = {"a", TWO "harakiri = 9\n", NULL, true}, .kind = PLAN_LIMITS, .text = "harakiri: 0 -> 9; 3 processes by command stay in force" },
	{ .had = {"a", TWO, TWO, APP_RUNNING, false, 3}, .file = {"a", INI("domain = a.test\nprocesses = 4\n"), NULL, true}, .kind = PLAN_LIMITS, .text = "processes: 2 -> 4; 3 processes by command, until then" },
	{ .had = {"a", TWO, TWO, APP_RUNNING, false, 3}, .file = {"a", TWO "harakiri = 9\n"}, .kind = PLAN_NOTHING, .text = "until it is reloaded; then harakiri: 0 -> 9; 3 processes by command stay in force" },

	/* apps of which nothing serves */
	{ IS(APP_STOPPED), .file = {"a", TWO, NULL, true}, .kind = PLAN_NOTHING, .text = "it stays stopped until a command" },
	{ IS(APP_STOPPING), .file = {"a", TWO}, .kind = PLAN_NOTHING, .text = "it stays stopped until a command" },
	{ IS(APP_BACKOFF), .file = {"a", TWO}, .kind = PLAN_NOTHING, .text = "backoff" },
	{ IS(APP_STARTING), .file = {"a", TWO}, .kind = PLAN_NOTHING, .text = "starting" },
	{ IS(APP_SLEEPING), .file = {"a", TWO}, .kind = PLAN_NOTHING, .text = "sleeping" },
	{ IS(APP_BACKOFF), .file = {"a", TWO, NULL, true}, .kind = PLAN_START, .text = "its ini has changed" },
	{ IS(APP_BACKOFF), .file = {"a", TWO "threads = 2\n"}, .staged = true, .kind = PLAN_START, .text = "its ini has changed" },
	{ IS(APP_SLEEPING), .file = {"a", TWO, NULL, true}, .kind = PLAN_NOTHING, .text = "starts anew when it is woken" },
	{ IS(APP_BACKOFF), .kind = PLAN_STOP, .text = "there is no ini of this name" },
	{ .had = {"a", TWO, NULL, APP_STOPPING, true, 0}, .file = {"a", TWO}, .kind = PLAN_START, .text = "its ini is back" },
	{ .had = {"a", TWO, NULL, APP_STOPPING, true, 0}, .kind = PLAN_NOTHING, .text = "" },
};
/* clang-format on */

static void each_cell_says_what_would_happen(_unused_ void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cells); i++) {
		const struct cell *c = &cells[i];
		struct err err = {0};
		struct rig *r;

		memset(&world, 0, sizeof(world));
		world.files = &c->file;
		world.files_n = c->file.name != NULL;
		world.room = c->room;
		world.grant = c->grant;
		r = make(&c->had, c->had.name != NULL);
		assert_int_equal(plan(r, c->staged, &err), 0);
		assert_int_equal(world.told_n, 1);
		expect("a", c->kind, c->text);
		/* as it begins, no comma before it */
		assert_true(world.told[0].text[0] != ',' && world.told[0].text[0] != ' ');
		unmake(r);
	}
}

static void the_limit_of_memory_needs_a_generation_in_a_cgroup(_unused_ void **state)
{
	static const struct had had = {"a", TWO, TWO, APP_RUNNING, false, 0};
	static const struct file file = {"a", TWO "limit-memory = 1G\n", NULL, true};

	for (int seen = 0; seen < 2; seen++) {
		struct rig *r;
		char dir[] = "/cgroup";

		memset(&world, 0, sizeof(world));
		world.files = &file;
		world.files_n = 1;
		r = make(&had, 1);
		r->cgroup.dir = dir;
		r->app[0].oom_seen = seen;
		assert_int_equal(plan(r, false, NULL), 0);
		expect("a", seen ? PLAN_LIMITS : PLAN_RELOAD,
		       seen ? "limit-memory" : "(the generation that runs is in no cgroup)");
		unmake(r);
	}
}

static void a_file_that_an_ini_reads_counts_as_the_ini(_unused_ void **state)
{
	static const struct {
		struct had had;
		const char *text;
		enum plan_kind kind;
		const char *says;
	} rows[] = {
		{{"a", TWO, TWO, APP_RUNNING, false, 0}, TWO, PLAN_NOTHING, ""},
		{{"a", TWO, TWO, APP_RUNNING, false, 0},
		 TWO "harakiri = 9\n",
		 PLAN_LIMITS,
		 "harakiri: 0 -> 9"},
		{{"a", TWO, TWO, APP_RUNNING, false, 0},
		 TWO "threads = 2\n",
		 PLAN_RELOAD,
		 "threads: 1 -> 2"},
		{{"a", TWO, NULL, APP_BACKOFF, false, 0},
		 TWO,
		 PLAN_START,
		 "a file that its ini reads has changed"},
		{{"a", TWO, NULL, APP_SLEEPING, false, 0}, TWO, PLAN_NOTHING, "when it is woken"},
		{{"a", TWO, NULL, APP_STOPPED, false, 0}, TWO, PLAN_NOTHING, "it stays stopped"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct file file = {"a", rows[i].text, NULL, false};
		struct rig *r;

		memset(&world, 0, sizeof(world));
		world.files = &file;
		world.files_n = 1;
		r = make(&rows[i].had, 1);
		/* what was not there when it was read, and is now */
		assert_int_equal(inifile_sources_add(r->app[0].includes, "/proc/self/stat",
						     INIFILE_SOURCE_ASKED, NULL),
				 0);
		assert_int_equal(plan(r, false, NULL), 0);
		expect("a", rows[i].kind, rows[i].says);
		unmake(r);
	}
}

static void every_kind_has_a_name(_unused_ void **state)
{
	for (unsigned i = 0; i < PLAN_KIND_COUNT; i++)
		assert_string_not_equal(plan_kind_name((enum plan_kind)i), "?");
	assert_string_equal(plan_kind_name(PLAN_KIND_COUNT), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_cell_says_what_would_happen),
		cmocka_unit_test(the_limit_of_memory_needs_a_generation_in_a_cgroup),
		cmocka_unit_test(a_file_that_an_ini_reads_counts_as_the_ini),
		cmocka_unit_test(every_kind_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
