/* options: emperor.ini and the command line of the emperor. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "emperor/options.h"
#include "emperor/role.h"
#include "shared/err.h"
#include "shared/log.h"
#include "shared/vassal_config.h"

struct built {
	struct config_items items;
	struct inifile_notes notes;
	struct emperor_options o;
	struct err err;
	int r;
};

static struct built build(const char *lines)
{
	struct built b = {0};
	char text[4096];

	(void)snprintf(text, sizeof(text), "[emperor]\n%s\n", lines);
	b.r = emperor_options_parse("/etc/emperor.ini", text, strlen(text), NULL, &b.items,
				    &b.notes, &b.err);
	if (b.r == 0)
		b.r = emperor_options_build(&b.items, &b.o, &b.notes, &b.err);
	return b;
}

static void done(struct built *b)
{
	emperor_options_done(&b->o);
	config_items_done(&b->items);
	inifile_notes_done(&b->notes);
}

static void assert_good(const struct built *b)
{
	if (b->r < 0)
		fail_msg("%s", b->err.text);
}

static void an_empty_file_gives_defaults(void **state)
{
	struct built b = build("");
	char run_dir[256];

	(void)state;
	assert_good(&b);
	assert_int_equal(b.o.vassals.n, 1);
	assert_string_equal(b.o.vassals.v[0], "/etc/emperor/vassals.d");
	assert_int_equal(b.o.http_n, 0);
	emperor_options_run_dir(run_dir, sizeof(run_dir));
	assert_string_equal(b.o.run_dir, run_dir);
	assert_true(b.o.db[0] == '/');
	assert_string_equal(b.o.gate_user, "uucp");
	assert_string_equal(b.o.stats_user, "sys");
	assert_null(b.o.uid);
	assert_int_equal(b.o.control_mode, 0600);
	assert_int_equal(b.o.rescan_s, 10);
	assert_int_equal(b.o.log_level, LOG_LEVEL_INFO);
	assert_int_equal(b.notes.n, 0);
	done(&b);
}

static void everything_can_be_said(void **state)
{
	struct built b =
		build("vassals = /a\nvassals = /b\nhttp = :8000\nhttp = [::1]:81\n"
		      "http = /run/e.sock\nrun-dir = /r\ndb = none\nstats = :9190\nuid = u\n"
		      "gid = g\ntyrant = true\nrescan = 1m\ncontrol-mode = 0660\n"
		      "gate-user = x\nstats-user = y\nlogto = /l\nlog-level = Debug\n"
		      "trusted-proxies = 127.0.0.1, 10.0.0.0/8 ::1");

	(void)state;
	assert_good(&b);
	assert_int_equal(b.o.vassals.n, 2);
	assert_string_equal(b.o.vassals.v[0], "/a");
	assert_int_equal(b.o.http_n, 3);
	assert_string_equal(b.o.http[1].text, "[::1]:81");
	assert_int_equal(b.o.http[2].address.sa.sa_family, AF_UNIX);
	assert_string_equal(b.o.run_dir, "/r");
	assert_string_equal(b.o.db, "");
	assert_string_equal(b.o.stats, ":9190");
	assert_true(b.o.tyrant);
	assert_int_equal(b.o.rescan_s, 60);
	assert_int_equal(b.o.control_mode, 0660);
	assert_int_equal(b.o.log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(b.o.trusted_proxies.n, 3);
	assert_string_equal(b.o.trusted_proxies.v[1], "10.0.0.0/8");
	assert_int_equal(b.notes.n, 0);
	done(&b);
}

static void every_refusal_says_where_and_why(void **state)
{
	static char trusted[2 * ROLE_TEXT] = "trusted-proxies =";
	const char *const cases[][2] = {
		{"http = nowhere", "emperor.ini:2: http: "},
		{"http = :80\nhttp = :80", "emperor.ini:3: http: :80 is already a shared port"},
		{"trusted-proxies = 10.0.0.0/33", "neither an address nor a network"},
		{"trusted-proxies = proxy.local", "neither an address nor a network"},
		{trusted, "emperor.ini:2: trusted-proxies: longer than "},
		{"log-level = loud", "none of error, warning"},
		{"rescan = 0", "too small"},
		{"stats = x", "is not a number"},
		{"vassal-default = nonsense=1", "is no option of an app"},
		{"vassal-default = harakiri=5x", "emperor.ini:2: harakiri: \"5x\" is not a number"},
	};

	(void)state;
	/* fewer than an app may have, but more than the gate is told */
	for (size_t n = strlen(trusted); n < ROLE_TEXT + 20; n += strlen(trusted + n))
		(void)snprintf(trusted + n, sizeof(trusted) - n, " 192.0.2.128/25");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct built b = build(cases[i][0]);

		if (b.r >= 0 || !strstr(b.err.text, cases[i][1]))
			fail_msg("%s\n-> %d %s", cases[i][0], b.r, b.err.text);
		done(&b);
	}
}

static void the_command_line_counts_more_than_the_file(void **state)
{
	char *argv[] = {(char[]){"emperor"}, (char[]){"--rescan=5"}, (char[]){"--http"},
			(char[]){":8000"}};
	static const char text[] = "[emperor]\nrescan = 60\n";
	struct built b = {0};
	char *rest[ARRAY_SIZE(argv)];
	int n;

	(void)state;
	assert_int_equal(emperor_options_parse("e.ini", text, sizeof(text) - 1, NULL, &b.items,
					       &b.notes, &b.err),
			 0);
	assert_int_equal(option_parse_argv(emperor_options_table, emperor_options_table_n,
					   ARRAY_SIZE(argv), argv, &b.items, rest, &n, &b.err),
			 0);
	assert_int_equal(emperor_options_build(&b.items, &b.o, &b.notes, &b.err), 0);
	assert_int_equal(b.o.rescan_s, 5);
	assert_int_equal(b.o.http_n, 1);
	assert_int_equal(n, 0);
	assert_int_equal(b.notes.n, 0); /* that is how it is meant */
	done(&b);
}

static void defaults_never_override_what_an_app_says(void **state)
{
	struct built b = build("vassal-default = processes = 4\nvassal-default = harakiri=30\n"
			       "vassal-default = env=A=1\nvassal-default = lazy-apps");
	struct config_items app = {0};
	struct vassal_config c;
	struct err err = {0};

	(void)state;
	assert_good(&b);
	assert_int_equal(config_items_add(&app, "module", "m", "blog.ini", 2, true, NULL), 0);
	assert_int_equal(config_items_add(&app, "workers", "2", "blog.ini", 3, true, NULL), 0);
	assert_int_equal(config_items_add(&app, "env", "A=2", "blog.ini", 4, true, NULL), 0);
	assert_int_equal(emperor_options_defaults(&b.o, &app, &err), 0);
	if (vassal_config_build(&app, &c, &b.notes, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(c.processes, 2); /* under its other name */
	assert_int_equal(c.harakiri_s, 30);
	assert_true(c.lazy_apps);
	assert_int_equal(c.env.n, 2);
	assert_string_equal(c.env.v[1], "A=2"); /* the app's is the last */
	assert_int_equal(b.notes.n, 0);
	vassal_config_done(&c);
	config_items_done(&app);
	done(&b);
}

static void only_its_own_section_is_read(void **state)
{
	static const char text[] = "; ours\n[uwsgi]\nrescan = 60\n", none[] = "[x]\nrescan = 60\n";
	struct config_items items = {0};
	struct err err = {0};

	(void)state;
	assert_true(emperor_options_parse("/e/emperor.ini", text, sizeof(text) - 1, NULL, &items,
					  NULL, &err) < 0);
	assert_string_equal(err.text,
			    "emperor.ini:2: [uwsgi] is an app's section: the emperor's is "
			    "called [emperor], rename it");
	assert_true(emperor_options_parse("/e/emperor.ini", none, sizeof(none) - 1, NULL, &items,
					  NULL, &err) < 0);
	assert_string_equal(err.text, "emperor.ini: there is no section [emperor]");
}

static void every_example_and_default_is_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < emperor_options_table_n; i++) {
		const struct option *o = &emperor_options_table[i];
		struct emperor_options opts = {0};
		struct err err = {0};

		assert_non_null(o->example);
		if (option_apply(emperor_options_table, emperor_options_table_n, &opts, o->name,
				 o->example, true, "example", NULL, &err) < 0)
			fail_msg("%s", err.text);
		emperor_options_done(&opts);
	}
}

/* The manual stands three directories above this file. */
static void the_manual_is_what_the_table_says(void **state)
{
	static const char here[] = __FILE__;
	static const char tail[] = "tests/unit/emperor/test_options.c";
	char path[4096];
	char *text, *wanted = NULL;
	size_t n, wanted_n = 0;
	struct err err = {0};
	FILE *f = open_memstream(&wanted, &wanted_n);

	(void)state;
	assert_non_null(f);
	option_dump(emperor_options_table, emperor_options_table_n, OPTION_DUMP_MDOC, "emperor", f);
	assert_int_equal(fclose(f), 0);
	(void)snprintf(path, sizeof(path), "%.*semperor/man/emperor.8",
		       (int)(sizeof(here) - sizeof(tail)), here);
	if (inifile_read(path, &text, &n, &err) < 0)
		fail_msg("%s", err.text);
	if (!memmem(text, n, wanted, wanted_n))
		fail_msg("emperor.8 is not what the option table says: make it with emperor "
			 "--dump-options=mdoc");
	free(text);
	free(wanted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_manual_is_what_the_table_says),
		cmocka_unit_test(an_empty_file_gives_defaults),
		cmocka_unit_test(everything_can_be_said),
		cmocka_unit_test(every_refusal_says_where_and_why),
		cmocka_unit_test(the_command_line_counts_more_than_the_file),
		cmocka_unit_test(defaults_never_override_what_an_app_says),
		cmocka_unit_test(only_its_own_section_is_read),
		cmocka_unit_test(every_example_and_default_is_accepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
