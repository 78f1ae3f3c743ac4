/*
 * test_load - from bytes to a generation's configuration, or to a reason with the file's name; and who it runs as.
 */
#include "emperor/vassals/load.h"

#include <errno.h>
#include <pwd.h>
#include <sys/resource.h>

#include "emperor/options.h"
#include "emperor/vassals/cgroup.h"
#include "tests/unit/vassals/fixture.h"

#define FILE_NAME "/etc/emperor/vassals/app.ini"

static int load(const char *bytes, size_t n, uid_t owner, bool roots, struct loaded **ret,
		struct err *err)
{
	static char *env[] = {NULL};
	static const struct load_rules rules = {
		.default_uid = "nobody", .environ_now = env, .cpus = 2};
	const struct load_source source = {
		.file = FILE_NAME,
		.dir = "/etc/emperor/vassals",
		.bytes = bytes,
		.n = n,
		.owner = owner,
		.roots = roots,
	};

	return load_ini(&source, &rules, ret, err);
}

static void bad_bytes_are_refused_with_file_and_reason(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *words;
	} cases[] = {
#define BYTES(s) s, sizeof(s) - 1
		{BYTES(""), ""},
		{BYTES("\0\0\0\0"), ""},
		{BYTES("\x7f"
		       "ELF\x02\x01\x01\0\0\0"),
		 ""},
		{BYTES("module = x\n"), "section"},
		{BYTES("[vassal\nmodule = x\n"), "app.ini:1"},
		{BYTES("[vassal]\n<<<<<<< HEAD\nmodule = a\n=======\n"), "conflict"},
		{BYTES("[vassal]\nmodule = x\nharakiri = 5x\n"), "app.ini:3: harakiri: \"5x\""},
		{BYTES("[vassal]\nmodule = x\nprocesses = 100000\n"), "app.ini:3: processes"},
		{BYTES("[vassal]\nmodule = x\nuid = no-such-user-at-all\n"), "no-such-user-at-all"},
		{BYTES("[vassal]\nmodule = x\nhttp = 1.2.3.4.5:80\n"), "http"},
		{BYTES("[vassal]\nmodule = x\nstats = :99999\n"), "stats"},
		{BYTES("[vassal]\nmodule = x\nchown-socket = no-such-user-at-all\n"),
		 "chown-socket"},
		{BYTES("[vassal]\nmodule = \xff\xfe\0x\n"), ""},
#undef BYTES
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct loaded *l = NULL;
		struct err err = {0};

		if (load(cases[i].bytes, cases[i].n, 0, true, &l, &err) == 0)
			fail_msg("case %zu was taken", i);
		assert_null(l);
		if (!strstr(err.text, "app.ini") || !strstr(err.text, cases[i].words))
			fail_msg("case %zu: %s", i, err.text);
	}
}

/* Each prefix of a good file is either taken or refused with a reason; none crashes. */
static void every_prefix_is_taken_or_refused_with_a_reason(void **state)
{
	static const char good[] =
		"[vassal]\nmodule = a.b:c\ndomain = x.example/y\nenv = A=$(HOME)\n"
		"http = :9001\nprocesses = 2\nif-env = X\nchdir = %d\nendif =\n"
		"stats = /tmp/s\nchown-socket = root:root\n";

	(void)state;
	for (size_t n = 0; n < sizeof(good); n++) {
		struct loaded *l = NULL;
		struct err err = {0};
		int r = load(good, n, 0, true, &l, &err);

		assert_true(r <= 0);
		assert_int_equal(l != NULL, r == 0);
		assert_int_equal(err.text[0] != '\0', r < 0);
		loaded_unref(l);
	}
}

static void what_becomes_of_daemons_in_a_sleep_is_one_note(void **state)
{
	struct loaded *l =
		fixture_load("[vassal]\nmodule = x\nattach-daemon = true\nsleep-after = 60\n");

	(void)state;
	assert_int_equal(l->notes_n, 1);
	assert_non_null(strstr(l->notes, "an app with daemons or timed jobs does not sleep"));
	loaded_unref(l);
}

static void people_are_told_names_addresses_and_notes(void **state)
{
	struct loaded *l =
		fixture_load("[vassal]\nmodule = x\ndomain = A.example/b\ndomain = *.c.example\n"
			     "default = true\nhttp = 127.0.0.1:9001\nsocket = /run/x.sock\n"
			     "vaccum = true\nuid = nobody\n");

	(void)state;
	assert_string_equal(l->domains, "a.example/b, *.c.example, (default)");
	assert_string_equal(l->addresses, "http 127.0.0.1:9001, any protocol /run/x.sock");
	assert_int_equal(l->notes_n, 1);
	assert_non_null(strstr(l->notes, "app.ini:8: "));
	assert_non_null(strstr(l->notes, "vacuum"));
	loaded_unref(l);
}

static void errors_say_the_line(void **state)
{
	static const struct {
		const char *text, *place;
	} cases[] = {
		{"[vassal]\nmodule = x\nchown-socket = no-such-user\n", "app.ini:3: chown-socket"},
		{"[vassal]\nmodule = x\n\nuid = no-such-user\n", "app.ini:4: "},
	};

	(void)state;
	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct loaded *l = NULL;
		struct err err = {0};

		assert_true(fixture_try(cases[i].text, &l, &err) < 0);
		assert_non_null(strstr(err.text, cases[i].place));
	}
}

static void an_ini_that_names_no_uid_runs_as_the_default_without_a_warning(void **state)
{
	const struct passwd *pw = getpwnam("nobody");
	struct loaded *l = fixture_load("[vassal]\nmodule = x\n");

	(void)state;
	assert_non_null(pw);
	assert_int_equal(l->uid, geteuid() == 0 ? pw->pw_uid : geteuid());
	assert_int_equal(l->default_user, geteuid() == 0);
	assert_int_equal(l->notes_n, 0); /* nothing is wrong with that */
	assert_int_equal(l->socket_uid, (uid_t)-1);
	assert_int_equal(l->socket_gid, (gid_t)-1);
	loaded_unref(l);
}

static void no_app_runs_as_a_role_does(void **state)
{
	static char *env[] = {NULL};
	static char gate[] = "nobody", stats[] = "daemon";
	static const struct emperor_options options = {.gate_user = gate, .stats_user = stats};
	static const struct load_rules rules = {
		.default_uid = "nobody", .options = &options, .environ_now = env, .cpus = 2};
	static const struct {
		const char *text, *words;
	} cases[] = {
		{"[vassal]\nmodule = x\n", "gate-user"},
		{"[vassal]\nmodule = x\nuid = daemon\n", "stats-user"},
		{"[vassal]\nmodule = x\nuid = bin\n", NULL},
	};

	(void)state;
	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct load_source source = {
			.file = FILE_NAME,
			.dir = "/etc/emperor/vassals",
			.bytes = cases[i].text,
			.n = strlen(cases[i].text),
			.roots = true,
		};
		struct loaded *l = NULL;
		struct err err = {0};
		int r = load_ini(&source, &rules, &l, &err);

		assert_int_equal(r, cases[i].words ? -EPERM : 0);
		if (cases[i].words && !strstr(err.text, cases[i].words))
			fail_msg("%s", err.text);
		loaded_unref(l);
	}
}

static void a_memory_limit_without_a_cgroup_is_a_note_with_the_reason(void **state)
{
	static char *env[] = {NULL};
	static char dir[] = "/sys/fs/cgroup/emperor";
	static const struct {
		const char *text;
		struct cgroup cgroup;
		unsigned notes;
	} cases[] = {
		{"[vassal]\nmodule = x\nlimit-memory = 1G\n", {.why = "there is no cgroup v2"}, 1},
		{"[vassal]\nmodule = x\nlimit-memory = 1G\n", {.dir = dir}, 0},
		{"[vassal]\nmodule = x\n", {.why = "there is no cgroup v2"}, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct load_rules rules = {.default_uid = "nobody",
						 .environ_now = env,
						 .cpus = 2,
						 .cgroup = &cases[i].cgroup};
		const struct load_source source = {.file = FILE_NAME,
						   .dir = "/etc/emperor/vassals",
						   .bytes = cases[i].text,
						   .n = strlen(cases[i].text),
						   .roots = true};
		struct loaded *l = NULL;
		struct err err = {0};

		assert_int_equal(load_ini(&source, &rules, &l, &err), 0);
		assert_int_equal(l->notes_n, cases[i].notes);
		if (cases[i].notes)
			assert_non_null(strstr(l->notes,
					       "limit-memory: not in force: there is no "
					       "cgroup v2; limit-as limits each process"));
		loaded_unref(l);
	}
}

static void a_limit_that_cannot_be_given_is_a_note(void **state)
{
	static const char text[] = "[vassal]\nmodule = x\nlimit-nproc = 6000\n";
	const struct rlimit low = {.rlim_cur = 5000, .rlim_max = 5000};
	struct loaded *l = NULL;
	struct rlimit was;
	int r;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NPROC, &was), 0);
	if (setrlimit(RLIMIT_NPROC, &low) < 0)
		skip(); /* lower already */
	r = load(text, sizeof(text) - 1, 1, false, &l, NULL);
	(void)setrlimit(RLIMIT_NPROC, &was);
	assert_int_equal(r, 0);
	assert_int_equal(l->notes_n, 1);
	assert_non_null(strstr(l->notes, "limit-nproc = 6000: the hard limit is 5000"));
	loaded_unref(l);
}

/* Tyrant mode: the file's author gets no more than the author has. */
static void a_tenants_file_runs_as_its_owner_and_as_nobody_else(void **state)
{
	static const struct {
		const char *text;
		uid_t owner;
		const char *words; /* NULL: taken */
	} cases[] = {
		{"[vassal]\nmodule = x\n", 1, NULL},
		{"[vassal]\nmodule = x\nuid = 1\n", 1, NULL},
		{"[vassal]\nmodule = x\nuid = root\n", 1, "uid = root"},
		{"[vassal]\nmodule = x\nuid = 2\n", 1, "tyrant"},
		{"[vassal]\nmodule = x\ngid = 0\n", 1, "tyrant"},
		{"[vassal]\nmodule = x\nadd-gid = 0\n", 1, "add-gid"},
		{"[vassal]\nmodule = x\nchown-socket = root\n", 1, "chown-socket"},
		{"[vassal]\nmodule = x\nenv = A=@(/etc/shadow)\n", 1, "/etc/shadow"},
		{"[vassal]\nmodule = x\nhttp = 127.0.0.1:1\n", 1, "127.0.0.1:1: ports below"},
		{"[vassal]\nmodule = x\nstats = :1\n", 1, "ports below"},
		{"[vassal]\nmodule = x\nhttp = 127.0.0.1:60001\nsocket = /tmp/x\n", 1, NULL},
		{"[vassal]\nmodule = x\n", 0, "belongs to root"},
	};

	(void)state;
	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct loaded *l = NULL;
		struct err err = {0};
		int r = load(cases[i].text, strlen(cases[i].text), cases[i].owner, false, &l, &err);

		if (cases[i].words && (r == 0 || !strstr(err.text, cases[i].words)))
			fail_msg("case %zu: %s", i, r == 0 ? "was taken" : err.text);
		if (!cases[i].words) {
			if (r < 0)
				fail_msg("case %zu: %s", i, err.text);
			assert_int_equal(l->uid, cases[i].owner);
		}
		loaded_unref(l);
	}
}

static void another_uid_is_refused_without_root(void **state)
{
	struct loaded *l = NULL;
	struct err err = {0};

	(void)state;
	if (geteuid() == 0)
		skip();
	assert_true(fixture_try("[vassal]\nmodule = x\nuid = root\n", &l, &err) < 0);
	assert_non_null(strstr(err.text, "root"));
}

static void the_socket_owner_may_be_user_group_or_both(void **state)
{
	static const struct {
		const char *text;
		uid_t uid;
		gid_t gid;
	} cases[] = {
		{"root:daemon", 0, 1},
		{"1", 1, (gid_t)-1},
		{":daemon", (uid_t)-1, 1},
		{"1:0", 1, 0},
	};

	(void)state;
	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct loaded *l;
		char text[128];

		(void)snprintf(text, sizeof(text), "[vassal]\nmodule = x\nchown-socket = %s\n",
			       cases[i].text);
		l = fixture_load(text);
		assert_int_equal(l->socket_uid, cases[i].uid);
		assert_int_equal(l->socket_gid, cases[i].gid);
		loaded_unref(l);
	}
}

/* -- items that were resolved before --------------------------------------------------------------------- */

struct encoded {
	char *bytes;
	size_t n;
};

/* As the ini says it, and one value replaced by another. */
static struct encoded encode(const char *ini, const char *key, const char *value)
{
	struct loaded *l = fixture_load(ini);
	struct encoded e;

	for (size_t i = 0; key && i < l->items.n; i++)
		if (str_eq(l->items.v[i].key, key)) {
			free(l->items.v[i].value);
			l->items.v[i].value = strdup(value);
		}
	assert_int_equal(config_items_encode(&l->items, &e.bytes, &e.n, NULL), 0);
	loaded_unref(l);
	return e;
}

static int load_again(const struct encoded *e, bool runs, struct loaded **ret, struct err *err)
{
	static char *env[] = {NULL};
	static const struct load_rules rules = {
		.default_uid = "nobody", .environ_now = env, .cpus = 2};
	const struct load_source source = {
		.file = FILE_NAME, .dir = "/etc/emperor/vassals", .roots = true};
	struct span config = span_of(e->bytes, e->n);

	return runs ? load_running(&source, &rules, config, 4711, ret, err)
		    : load_items(&source, &rules, config, ret, err);
}

static const char whole[] = "[vassal]\nmodule = x\ndomain = blog.example\nhttp = 127.0.0.1:8001\n"
			    "harakiri = 30\nchdir = /srv/r1\nstats = 127.0.0.1:8002\n";

static void items_are_what_the_ini_was(void **state)
{
	struct encoded e = encode(whole, NULL, NULL);

	(void)state;
	for (int runs = 0; runs < 2; runs++) {
		struct loaded *l = NULL;
		struct err err = {0};

		if (load_again(&e, runs, &l, &err) < 0)
			fail_msg("%s", err.text);
		assert_string_equal(l->config.chdir, "/srv/r1");
		assert_int_equal(l->config.harakiri_s, 30);
		assert_string_equal(l->domains, "blog.example");
		assert_int_equal(l->config.listeners_n, 1);
		assert_true(l->stats.len > 0);
		assert_true(l->items.n > 0);
		/* a front that runs is who it is, whatever names mean by now */
		if (runs)
			assert_int_equal(l->uid, 4711);
		loaded_unref(l);
	}
	free(e.bytes);
}

static void what_is_refused_of_a_front_that_runs_is_left_out(void **state)
{
	static const struct {
		const char *key, *value, *says;
	} cases[] = {
		{"harakiri", "soon", "harakiri"},
		{"stats", ":99999", "stats"},
		{"module", "", "module"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct encoded e = encode(whole, cases[i].key, cases[i].value);
		struct loaded *l = NULL;
		struct err err = {0};

		if (load_again(&e, false, &l, &err) >= 0 || !strstr(err.text, cases[i].says))
			fail_msg("case %zu: %s", i, err.text);
		assert_null(l);
		if (load_again(&e, true, &l, &err) < 0)
			fail_msg("case %zu: %s", i, err.text);
		assert_string_equal(l->domains, "blog.example");
		assert_string_equal(l->config.chdir, "/srv/r1");
		assert_int_equal(l->config.listeners_n, 1);
		loaded_unref(l);
		free(e.bytes);
	}
}

static void a_front_of_a_user_that_is_gone_is_taken_as_it_runs(void **state)
{
	struct encoded e = encode("[vassal]\nmodule = x\ndomain = a.b\nuid = nobody\n", "uid",
				  "no-such-user-at-all");
	struct loaded *l = NULL;
	struct err err = {0};

	(void)state;
	assert_true(load_again(&e, false, &l, &err) < 0);
	assert_non_null(strstr(err.text, "no-such-user-at-all"));
	assert_int_equal(load_again(&e, true, &l, NULL), 0);
	assert_int_equal(l->uid, 4711);
	/* its log is opened as it is: zeroed, these would be root's rights */
	assert_int_equal(l->privs.uid, geteuid() == 0 ? 4711 : (uid_t)-1);
	assert_int_equal(l->privs.gid, geteuid() == 0 ? 65534 : (gid_t)-1);
	assert_int_equal(l->privs.groups_n, 0);
	loaded_unref(l);
	free(e.bytes);
}

/* "uid" of emperor.ini, or a line of passwd, is another one since. */
static void a_front_whose_name_means_another_user_stays_who_it_is(void **state)
{
	struct encoded e = encode("[vassal]\nmodule = x\ndomain = a.b\nuid = nobody\n", NULL, NULL);
	struct loaded *l = NULL;

	(void)state;
	assert_int_equal(load_again(&e, true, &l, NULL), 0);
	assert_int_equal(l->uid, 4711);
	assert_int_equal(l->privs.uid, geteuid() == 0 ? 4711 : (uid_t)-1);
	loaded_unref(l);
	free(e.bytes);
}

static void bytes_that_are_no_items_are_refused(void **state)
{
	struct encoded e = encode(whole, NULL, NULL);
	struct loaded *l = NULL;

	(void)state;
	e.n--;
	assert_int_equal(load_again(&e, false, &l, NULL), -EBADMSG);
	assert_int_equal(load_again(&e, true, &l, NULL), -EBADMSG);
	assert_null(l);
	free(e.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_bytes_are_refused_with_file_and_reason),
		cmocka_unit_test(every_prefix_is_taken_or_refused_with_a_reason),
		cmocka_unit_test(people_are_told_names_addresses_and_notes),
		cmocka_unit_test(what_becomes_of_daemons_in_a_sleep_is_one_note),
		cmocka_unit_test(errors_say_the_line),
		cmocka_unit_test(an_ini_that_names_no_uid_runs_as_the_default_without_a_warning),
		cmocka_unit_test(no_app_runs_as_a_role_does),
		cmocka_unit_test(a_memory_limit_without_a_cgroup_is_a_note_with_the_reason),
		cmocka_unit_test(a_limit_that_cannot_be_given_is_a_note),
		cmocka_unit_test(a_tenants_file_runs_as_its_owner_and_as_nobody_else),
		cmocka_unit_test(another_uid_is_refused_without_root),
		cmocka_unit_test(the_socket_owner_may_be_user_group_or_both),
		cmocka_unit_test(items_are_what_the_ini_was),
		cmocka_unit_test(what_is_refused_of_a_front_that_runs_is_left_out),
		cmocka_unit_test(a_front_of_a_user_that_is_gone_is_taken_as_it_runs),
		cmocka_unit_test(a_front_whose_name_means_another_user_stays_who_it_is),
		cmocka_unit_test(bytes_that_are_no_items_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
