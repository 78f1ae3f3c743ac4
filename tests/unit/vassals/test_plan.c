/*
 * test_plan - what the files would change, cell by cell: what there is of an app, against what its file says now. The
 * directories are those of the tables here; everything else is the emperor's own code.
 */
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

static char *copy(const char *text)
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

static struct ini *ini_of(const char *text)
{
	struct ini *i = calloc(1, sizeof(*i));

	assert_non_null(i);
	*i = (struct ini){.refs = 1, .bytes = copy(text), .n = strlen(text), .roots = true};
	return i;
}

/* What it listens on. */
static void open_doors(struct app *a)
{
	const struct vassal_config *c = &a->face->config;

	a->doors.v = calloc(c->listeners_n + 1, sizeof(*a->doors.v));
	assert_non_null(a->doors.v);
	for (size_t i = 0; i < c->listeners_n; i++)
		a->doors.v[a->doors.n++] = (struct door){.address = c->listeners[i].address};
	if (a->face->stats.len > 0)
		a->doors.v[a->doors.n++] = (struct door){.address = a->face->stats};
}

static void add(struct rig *r, const struct had *h)
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

static struct rig *make(const struct had *had, size_t n)
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

static void unmake(struct rig *r)
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

static void on_row(_unused_ void *arg, const char *name, _unused_ const char *file,
		   enum plan_kind kind, const char *text)
{
	struct told *t = &world.told[world.told_n++];

	assert_true(world.told_n <= ARRAY_SIZE(world.told));
	t->kind = kind;
	(void)snprintf(t->name, sizeof(t->name), "%s", name);
	(void)snprintf(t->text, sizeof(t->text), "%s", text);
}

static int plan(struct rig *r, bool staged, struct err *err)
{
	static const char *const dirs[] = {"/v"}, *const other[] = {"/staged"};
	const struct plan_dirs d = {.dirs = staged ? other : dirs, .n = 1, .staged = staged};

	world.told_n = 0;
	return vassals_plan(&r->v, &d, on_row, NULL, err);
}

static void expect(const char *name, enum plan_kind kind, const char *text)
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

/* -- several -------------------------------------------------------------------------------------------- */

static void what_cannot_be_read_is_not_gone_and_no_plan_for_a_staged_one(_unused_ void **state)
{
	static const struct had had[] = {{"a", TWO, TWO, APP_RUNNING, false, 0}};
	struct err err = {0};
	struct rig *r;

	memset(&world, 0, sizeof(world));
	world.incomplete = true;
	r = make(had, 1);
	assert_int_equal(plan(r, false, &err), 0);
	expect("a", PLAN_NOTHING, "");
	assert_int_equal(plan(r, true, &err), -EIO);
	assert_non_null(strstr(err.text, "/v: cannot be read"));
	assert_int_equal(world.told_n, 0);
	unmake(r);
}

static void a_renamed_file_is_told_at_both_ends(_unused_ void **state)
{
	static const struct had had[] = {{"b", TWO, TWO, APP_RUNNING, false, 0}};
	static const struct file same[] = {{"c", TWO, NULL, false}, {"d", TWO, NULL, false}};
	static const struct file other[] = {{"c", TWO "; x\n", NULL, false}};
	struct rig *r;

	memset(&world, 0, sizeof(world));
	world.files = same;
	world.files_n = 1;
	r = make(had, 1);
	assert_int_equal(plan(r, false, NULL), 0);
	expect("b", PLAN_STOP, "its ini is renamed to c: this app stops, and c starts");
	expect("c", PLAN_START, "renamed from b: that app stops, and this one starts anew; a.test");
	/* two of the same bytes: the first is the one, and the name is its */
	world.files_n = 2;
	assert_int_equal(plan(r, false, NULL), 0);
	expect("c", PLAN_START, "renamed from b");
	expect("d", PLAN_REFUSED, "\"c\" answers for that name already");
	world.files = other;
	world.files_n = 1;
	assert_int_equal(plan(r, false, NULL), 0);
	expect("b", PLAN_STOP, "there is no ini of this name");
	expect("c", PLAN_START, "a.test, uid");
	unmake(r);
}

static void names_go_from_hand_to_hand_but_not_in_a_circle(_unused_ void **state)
{
	static const char one[] = INI("domain = one.test\n"), two[] = INI("domain = two.test\n"),
			  three[] = INI("domain = three.test\n");
	static const struct had had[] = {{"a", one, one, APP_RUNNING, false, 0},
					 {"b", two, two, APP_RUNNING, false, 0}};
	static const struct file taken[] = {
		{"a", one, NULL, false}, {"b", two, NULL, false}, {"c", one, NULL, false}};
	static const struct file chain[] = {
		{"a", two, NULL, true}, {"b", three, NULL, true}, {"c", one, NULL, false}};
	static const struct file circle[] = {{"a", two, NULL, true}, {"b", one, NULL, true}};
	/* who does not get its new name gives up none: the third is refused too */
	static const struct file stuck[] = {
		{"a", INI("domain = two.test\nharakiri = x\n"), NULL, true},
		{"b", two, NULL, false},
		{"c", one, NULL, false}};
	struct rig *r;

	memset(&world, 0, sizeof(world));
	r = make(had, 2);
	world.files = taken;
	world.files_n = 3;
	assert_int_equal(plan(r, false, NULL), 0);
	expect("c", PLAN_REFUSED,
	       "c.ini:3: domain = one.test: \"a\" answers for that name already");
	world.files = chain;
	assert_int_equal(plan(r, false, NULL), 0);
	expect("a", PLAN_RELOAD, "domain: one.test -> two.test");
	expect("b", PLAN_RELOAD, "domain: two.test -> three.test");
	expect("c", PLAN_START, "one.test, uid");
	world.files = stuck;
	assert_int_equal(plan(r, false, NULL), 0);
	expect("a", PLAN_REFUSED, "harakiri");
	expect("c", PLAN_REFUSED, "\"a\" answers for that name already");
	world.files = circle;
	world.files_n = 2;
	assert_int_equal(plan(r, false, NULL), 0);
	expect("a", PLAN_REFUSED, "\"b\" answers for that name already");
	expect("b", PLAN_REFUSED, "\"a\" answers for that name already");
	unmake(r);
}

static void an_address_has_one_app_and_goes_from_hand_to_hand(_unused_ void **state)
{
	static const char tcp[] = INI("http = 127.0.0.1:9\nstats = 127.0.0.1:19\n"),
			  un[] = INI("socket = /x.sock\n"), other[] = INI("http = :10\n");
	static const struct had had[] = {{"a", tcp, tcp, APP_RUNNING, false, 0},
					 {"b", un, un, APP_RUNNING, false, 0}};
	/* what a new file says beside those that stay, what it is told of its third line, and who is in the way */
	static const struct {
		const char *ini, *line, *holder;
	} rows[] = {
		{INI("http = :9\n"), "c.ini:3: :9", "a"},
		{INI("http-socket = 127.0.0.1:9\n"), "c.ini:3: 127.0.0.1:9", "a"},
		{INI("socket = 0.0.0.0:9\nsocket = 0.0.0.0:99\n"), "c.ini:3: 0.0.0.0:9", "a"},
		{INI("socket = 0.0.0.0:99\nuwsgi-socket = :9\n"), "c.ini:4: :9", "a"},
		{INI("fastcgi-socket = :19\n"), "c.ini:3: :19", "a"},
		{INI("stats = 127.0.0.1:9\n"), "c.ini:3: 127.0.0.1:9", "a"},
		{INI("scgi-socket = /x.sock\n"), "c.ini:3: /x.sock", "b"},
		{INI("http = [::]:9\n"), NULL, NULL},
		{INI("http = 127.0.0.2:9\n"), NULL, NULL},
		{INI("socket = /y.sock\n"), NULL, NULL},
		{INI("http = :10\n"), NULL,
		 NULL}, /* the last: d, which is new too, wants it as well */
	};
	struct file files[] = {{"a", tcp, NULL, false},
			       {"b", un, NULL, false},
			       {"c", NULL, NULL, false},
			       {"d", other, NULL, false}};
	struct rig *r;

	memset(&world, 0, sizeof(world));
	r = make(had, 2);
	world.files = files;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool last = i + 1 == ARRAY_SIZE(rows);
		char text[200];

		files[2].text = rows[i].ini;
		world.files_n = last ? 4 : 3;
		for (int staged = 0; staged < 2; staged++) {
			assert_int_equal(plan(r, staged, NULL), 0);
			expect("a", PLAN_NOTHING, "");
			expect("b", PLAN_NOTHING, "");
			if (last) { /* of two new ones the first */
				expect("c", PLAN_START, "http :10");
				expect("d", PLAN_REFUSED, "d.ini:3: :10: the app \"c\" has");
				continue;
			}
			(void)snprintf(text, sizeof(text), "%s: the app \"%s\" has this address",
				       rows[i].line, rows[i].holder);
			expect("c", rows[i].line ? PLAN_REFUSED : PLAN_START,
			       rows[i].line ? text : "uid");
		}
	}
	/* given up in the same change: by another address, and by a file that is gone */
	files[0].text = other;
	files[0].touched = true;
	files[1] = (struct file){"c", INI("http = :9\nsocket = /x.sock\n"), NULL, false};
	world.files_n = 2;
	assert_int_equal(plan(r, false, NULL), 0);
	expect("a", PLAN_RELOAD, "http");
	expect("b", PLAN_STOP, "there is no ini");
	expect("c", PLAN_START, "http :9");
	/* what serves keeps its own until the next one is ready, which cannot have more of it */
	files[0].text = INI("http = :9\n");
	world.files_n = 1;
	assert_int_equal(plan(r, false, NULL), 0);
	expect("a", PLAN_REFUSED,
	       "a.ini:3: :9: the app itself (as 127.0.0.1:9, until it is stopped) has this");
	world.files_n = 2;
	/* and not if who has it cannot take what it would have instead */
	files[0].text = INI("http = :10\nharakiri = x\n");
	assert_int_equal(plan(r, false, NULL), 0);
	expect("a", PLAN_REFUSED, "harakiri");
	expect("c", PLAN_REFUSED, "\"a\" has this address");
	unmake(r);
}

static void a_shared_port_is_the_emperors(_unused_ void **state)
{
	static const struct file file = {"a", INI("socket = 127.0.0.1:8000\n"), NULL, false};
	static char text[] = ":8000";
	struct emperor_options options = {.http_n = 1, .http[0].text = text};
	struct rig *r;

	memset(&world, 0, sizeof(world));
	world.files = &file;
	world.files_n = 1;
	r = make(NULL, 0);
	assert_int_equal(address_parse(text, &options.http[0].address, NULL), 0);
	r->rules.options = &options;
	assert_int_equal(plan(r, false, NULL), 0);
	expect("a", PLAN_REFUSED,
	       "a.ini:3: 127.0.0.1:8000: the emperor (as shared port :8000) has this address");
	unmake(r);
}

static void rows_come_by_name_each_once_and_dead_apps_are_none(_unused_ void **state)
{
	static const char b[] = INI("domain = b.test\n"), d[] = INI("domain = d.test\n");
	static const struct had had[] = {{"b", b, b, APP_RUNNING, false, 0},
					 {"d", d, NULL, APP_STOPPED, true, 0}};
	static const struct file files[] = {{"a", INI("domain = a.test\n"), NULL, false},
					    {"b", INI("domain = b.test\n"), NULL, false},
					    {"c", INI("domain = c.test\n"), NULL, false},
					    {"d", INI("domain = d.test\n"), NULL, false}};
	struct rig *r;

	memset(&world, 0, sizeof(world));
	world.files = files;
	world.files_n = 4;
	r = make(had, 2);
	r->app[1].dead = true;
	assert_int_equal(plan(r, false, NULL), 0);
	assert_int_equal(world.told_n, 4);
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(world.told[i].name, files[i].name);
	expect("d", PLAN_START, "d.test, uid");
	unmake(r);
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
		cmocka_unit_test(what_cannot_be_read_is_not_gone_and_no_plan_for_a_staged_one),
		cmocka_unit_test(a_renamed_file_is_told_at_both_ends),
		cmocka_unit_test(names_go_from_hand_to_hand_but_not_in_a_circle),
		cmocka_unit_test(an_address_has_one_app_and_goes_from_hand_to_hand),
		cmocka_unit_test(a_shared_port_is_the_emperors),
		cmocka_unit_test(rows_come_by_name_each_once_and_dead_apps_are_none),
		cmocka_unit_test(every_kind_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
