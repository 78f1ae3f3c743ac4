/*
 * test_check - what `emperorctl check` says of an ini, and of several.
 */
#include "tests/unit/ctl/check.h"

static void what_the_emperor_would_refuse_is_an_error_at_its_line(void **state)
{
	static const struct {
		const char *lines, *says;
		int code;
	} cases[] = {
		{"module = m\ndomain = a\nuid = nobody-like-this\n",
		 "x.ini:4: uid = nobody-like-this: no such user\n", CTL_FAILED},
		{"module = m\ndomain = a\ngid = none-like-this\n",
		 "x.ini:4: gid = none-like-this: no such group\n", CTL_FAILED},
		{"module = m\nchown-socket = a-b-c:root\nsocket = @x\n",
		 "x.ini:3: chown-socket: uid = a-b-c: no such user\n", CTL_FAILED},
		{"chdir = /no/such/dir\nmodule = m\ndefault = true\n",
		 "x.ini:2: chdir: /no/such/dir: No such file or directory\n", CTL_FAILED},
		{"chdir = beside.py\nmodule = m\ndefault = true\n",
		 "x.ini:2: chdir: beside.py: Not a directory\n", CTL_FAILED},
		{"chdir = app\nwsgi-file = other.py\ndefault = true\n",
		 "x.ini:3: wsgi-file: other.py: No such file or directory\n", CTL_FAILED},
		{"wsgi-file = app.py\ndefault = true\n",
		 "x.ini:2: wsgi-file: app.py: No such file or directory\n", CTL_FAILED},
		{"chdir = app\nwsgi-file = app.py\ndefault = true\n", "x.ini: good", CTL_OK},
		{"wsgi-file = beside.py\ndefault = true\n", "x.ini: good", CTL_OK},
		{"module = m\nvirtualenv = app\ndefault = true\n",
		 "x.ini:3: home: app: is not a virtual environment: pyvenv.cfg: No such file",
		 CTL_FAILED},
		{"module = m\nhome = venv\ndefault = true\n", "x.ini: good", CTL_OK},
		{"module = m\ndefault = true\nstatic-map = /a=app/static\nstatic-map = /b=none\n",
		 "x.ini:5: note: static-map: none: No such file or directory\n", CTL_OK},
		{"module = m\n",
		 "x.ini: note: neither domain nor default nor an address of its own: nobody",
		 CTL_OK},
		{"harakiri = 5x\nmodule = m\nprocesses = many\ndefault = 1\n",
		 "x.ini:2: harakiri: \"5x\" is not a number of seconds\n"
		 "x.ini:4: processes: \"many\" is not a number\n",
		 CTL_FAILED},
		{"harakiri = 5x\nprocesses = many\nmodule = m\ndefault = 1\n", "x.ini: 2 errors\n",
		 CTL_FAILED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *text = checked(cases[i].lines, false, cases[i].code);

		if (!strstr(text, cases[i].says))
			fail_msg("\"%s\" is not in: %s", cases[i].says, text);
	}
}

static void a_line_that_is_good_gets_no_word(void **state)
{
	(void)state;
	assert_null(
		strstr(checked("module = m\nhttp = :9001\n", false, CTL_OK), "nobody can reach"));
	assert_null(strstr(checked("module = m\ndomain = a b:80\n", false, CTL_FAILED),
			   "nobody can reach"));
	assert_null(strstr(
		checked("module = m\ndomain = a\nstatic-map = /s=app/static\n", false, CTL_OK),
		"static-map"));
}

static void an_ini_that_others_may_write_is_not_roots(void **state)
{
	(void)state;
	(void)checked("module = m\ndefault = 1\n", false, CTL_OK);
	assert_int_equal(chmod(in_folder("x.ini"), 0666), 0);
	assert_non_null(strstr(checked("module = m\ndefault = 1\n", false, CTL_OK),
			       "x.ini: note: an emperor that is root will refuse it: others than "
			       "root may write it"));
	(void)unlink(in_folder("x.ini"));
	assert_int_equal(chmod(folder, 0777), 0);
	assert_non_null(strstr(checked("module = m\ndefault = 1\n", false, CTL_OK),
			       "an emperor that is root will refuse it"));
	assert_int_equal(chmod(folder, 0755), 0);
	if (geteuid() == 0)
		assert_null(strstr(checked("module = m\ndefault = 1\n", false, CTL_OK), "refuse"));
}

static void a_name_that_another_ini_of_the_folder_has_is_found(void **state)
{
	const char *text;

	(void)state;
	put_file("y.ini", "[uwsgi]\nharakiri = x\ndomain = b.test a.test/x\n= 1\n");
	put_file("z.ini", "[vassal]\ndefault = true\n");
	text = checked("module = m\ndomain = a.test\ndomain = B.test\n", false, CTL_FAILED);
	assert_non_null(strstr(
		text, "x.ini:4: b.test: y.ini:3 has it too: one of the two will be refused\n"));
	assert_null(strstr(text, "a.test"));
	text = checked("module = m\ndefault = true\n", false, CTL_FAILED);
	assert_non_null(strstr(text, "x.ini:3: the default site: z.ini:2 has it too"));
	(void)unlink(in_folder("y.ini"));
	(void)unlink(in_folder("z.ini"));
	(void)checked("module = m\ndomain = b.test\ndefault = true\n", false, CTL_OK);
}

static void what_is_allowed_but_unwise_is_a_note(void **state)
{
	(void)state;
	if (geteuid() == 0)
		assert_non_null(
			strstr(checked("module = m\ndomain = a\nuid = root\n", false, CTL_OK),
			       "x.ini:4: note: uid = root: whoever breaks into the app is root"));
	assert_null(strstr(checked("module = m\ndomain = a\n", false, CTL_OK), "breaks into"));
}

static void the_defaults_of_an_emperor_ini_count(void **state)
{
	char config[128];

	(void)state;
	(void)snprintf(config, sizeof(config), "%s", in_folder("e.conf"));
	put_file("e.conf", "[emperor]\nvassals-set = threads=3\nvassals-set = harakiri=7\n");
	assert_non_null(
		strstr(checked_by(config, "module = m\ndomain = a\nharakiri = 9\nshow-config = 1\n",
				  false, CTL_OK),
		       "\nthreads = 3\n"));
	assert_non_null(
		strstr(checked_by(config, "module = m\ndomain = a\nharakiri = 9\nshow-config = 1\n",
				  false, CTL_OK),
		       "\nharakiri = 9\n"));
	put_file("e.conf", "[emperor]\nvassals-set = threads=many\n");
	assert_non_null(strstr(checked_by(config, "module = m\ndomain = a\n", false, CTL_FAILED),
			       "e.conf"));
	assert_non_null(
		strstr(checked_by("/none/e.conf", "module = m\ndomain = a\n", false, CTL_FAILED),
		       "/none/e.conf: cannot open"));
}

static void every_line_is_read_whatever_stands_before_it(void **state)
{
	const char *text =
		checked("= 1\n<<<<<<< HEAD\ndomain = a\nini = none.ini\nenv = A=@(none)\n"
			"module = m\nharakiri = 5x\nif-exists = /\nprocesses = many\n",
			false, CTL_FAILED);
	static const char *const says[] = {
		"x.ini:2: there is no key before =\n",
		"x.ini:3: an unresolved merge conflict\n",
		"x.ini:5: ini: ",
		"x.ini:6: env: ",
		"x.ini:8: harakiri: \"5x\"",
		"x.ini:9: if-exists: is never ended by endif\n",
		"x.ini:10: processes: \"many\"",
		"x.ini: 7 errors\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(says); i++)
		if (!strstr(text, says[i]))
			fail_msg("\"%s\" is not in: %s", says[i], text);
	/* what cannot be gone on after names its file once */
	text = checked("", false, CTL_FAILED);
	assert_null(strstr(text, "x.ini: x.ini"));
}

static void json_says_it_all_and_parses(void **state)
{
	const char *text = checked("harakiri = 5x\nprocesses = many\nzzzz = 1\n", true, CTL_FAILED);
	json_t *root = json_loads(text, 0, NULL);
	const json_t *errors = json_object_get(root, "errors");
	const json_t *second = json_array_get(errors, 1);

	(void)state;
	assert_non_null(root);
	assert_true(json_is_false(json_object_get(root, "ok")));
	assert_int_equal(json_array_size(errors), 3);
	assert_int_equal(json_integer_value(json_object_get(second, "line")), 3);
	assert_string_equal(json_string_value(json_object_get(root, "error")),
			    "x.ini:2: harakiri: \"5x\" is not a number of seconds");
	json_decref(root);
	root = json_loads(checked("module = m\ndefault = 1\n", true, CTL_OK), 0, NULL);
	assert_true(json_is_true(json_object_get(root, "ok")));
	assert_null(json_object_get(root, "config"));
	json_decref(root);
}

static const char *checked_all(char *const *args, size_t n, bool json, int code)
{
	static char buf[16384];
	FILE *out = fmemopen(buf, sizeof(buf), "w");
	char engines[128];
	struct ctl c = {.out = out,
			.json = json,
			.args = args,
			.args_n = n,
			.engines = engines,
			.run_dir = "/none/where/an/emperor/runs"};

	assert_non_null(out);
	(void)snprintf(engines, sizeof(engines), "%s", in_folder("engines"));
	assert_int_equal(ctl_check(&c), code);
	(void)fclose(out);
	return buf;
}

static void several_files_and_the_inis_of_folders_are_looked_at(void **state)
{
	char x[128], y[128], empty[128];
	char *const both[] = {y, x}, *const all[] = {folder}, *const none[] = {x, empty};
	const char *text;
	json_t *root;

	(void)state;
	(void)snprintf(x, sizeof(x), "%s", in_folder("x.ini"));
	(void)snprintf(y, sizeof(y), "%s", in_folder("y.ini"));
	(void)snprintf(empty, sizeof(empty), "%s", in_folder("app"));
	put_file("x.ini", "[vassal]\nmodule = m\ndomain = a\n");
	put_file("y.ini", "[vassal]\nmodule = m\ndomain = b\n");
	put_file("e.conf", "[emperor]\n");
	text = checked_all(both, 2, false, CTL_OK);
	assert_true(strstr(text, "y.ini: good") < strstr(text, "x.ini: good"));
	assert_non_null(strstr(text, "\n2 inis, 0 with errors\n"));
	put_file("x.ini", "[vassal]\nmodule = m\ndomain = a\nharakiri = x\n");
	/* a good one that comes last does not hide it; what is no ini is not read */
	text = checked_all(all, 1, false, CTL_FAILED);
	assert_non_null(strstr(text, "x.ini:4: harakiri: "));
	assert_non_null(strstr(text, "y.ini: good"));
	assert_non_null(strstr(text, "\n2 inis, 1 with errors\n"));
	assert_null(strstr(text, "e.conf"));
	root = json_loads(checked_all(all, 1, true, CTL_FAILED), 0, NULL);
	assert_int_equal(json_array_size(root), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(root, 0), "path")), x);
	assert_true(json_is_false(json_object_get(json_array_get(root, 0), "ok")));
	assert_true(json_is_true(json_object_get(json_array_get(root, 1), "ok")));
	json_decref(root);
	put_file("x.ini", "[vassal]\nmodule = m\ndomain = a\n");
	(void)unlink(y);
	(void)checked_all(none, 2, false, CTL_FAILED); /* a folder without any: a slip */
}

static void the_configuration_is_shown_to_an_ini_that_asks_and_means_the_same_again(void **state)
{
	const char *text = checked("base = app\nchdir = %(base)\nmodule = m\nworkers = 3\ndomain = "
				   "a\ndomain = b\nlazy-apps\nshow-config = true\n",
				   false, CTL_OK);
	const char *config = strstr(text, "[vassal]\n");
	char again[8192];

	(void)state;
	assert_non_null(config);
	assert_non_null(strstr(config, "\nchdir = app\n"));
	assert_non_null(strstr(config, "\nprocesses = 3\n"));
	assert_non_null(strstr(config, "domain = a\ndomain = b\n"));
	assert_non_null(strstr(config, "\nlazy-apps = true\n"));
	assert_non_null(strstr(config, "\n; threads = 1\n"));
	(void)snprintf(again, sizeof(again), "%s", config);
	(void)snprintf(again + strlen(again), sizeof(again) - strlen(again),
		       "show-config = true\n");
	assert_true(strlen(again) < 2048);
	(void)memmove(again, again + 9, strlen(again + 9) + 1);
	text = checked(again, false, CTL_OK);
	again[strlen(again) - strlen("show-config = true\n")] = '\0';
	assert_string_equal(strstr(text, "[vassal]\n") + 9, again);
	assert_null(
		strstr(checked("module = m\nshow-config = false\n", false, CTL_OK), "[vassal]"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_emperor_would_refuse_is_an_error_at_its_line),
		cmocka_unit_test(a_line_that_is_good_gets_no_word),
		cmocka_unit_test(an_ini_that_others_may_write_is_not_roots),
		cmocka_unit_test(a_name_that_another_ini_of_the_folder_has_is_found),
		cmocka_unit_test(what_is_allowed_but_unwise_is_a_note),
		cmocka_unit_test(the_defaults_of_an_emperor_ini_count),
		cmocka_unit_test(every_line_is_read_whatever_stands_before_it),
		cmocka_unit_test(json_says_it_all_and_parses),
		cmocka_unit_test(several_files_and_the_inis_of_folders_are_looked_at),
		cmocka_unit_test(
			the_configuration_is_shown_to_an_ini_that_asks_and_means_the_same_again),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
