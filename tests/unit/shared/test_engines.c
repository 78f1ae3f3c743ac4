/*
 * engines: which engine is chosen, over directories and virtualenvs made for the purpose.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "shared/base.h"
#include "shared/engines.h"
#include "shared/err.h"

static char top[64];

static void put(const char *name, const char *text, mode_t mode)
{
	char path[PATH_MAX];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", top, name);
	fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
}

static void make_dir(const char *name)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", top, name);
	assert_int_equal(mkdir(path, 0755), 0);
}

static int setup(_unused_ void **state)
{
	(void)snprintf(top, sizeof(top), "/tmp/engines-test-XXXXXX");
	assert_non_null(mkdtemp(top));
	make_dir("none");
	make_dir("one");
	put("one/engine-python3.11", "", 0755);
	make_dir("many");
	put("many/engine-python3.9", "", 0755);
	put("many/engine-python3.10", "", 0755);
	put("many/engine-python3.12", "", 0755);
	put("many/engine-python3.13", "", 0644);          /* not executable */
	put("many/engine-python3.14.dpkg-old", "", 0755); /* not an engine */
	put("many/engine-python4", "", 0755);
	put("many/engine-pythonx.y", "", 0755);
	make_dir("many/engine-python3.15");
	make_dir("venv39");
	put("venv39/pyvenv.cfg",
	    "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.9.2\n", 0644);
	make_dir("venv312");
	put("venv312/pyvenv.cfg", "home=/opt/bin\r\nVERSION_INFO=3.12.0.final.0\r\n", 0644);
	make_dir("venv11");
	put("venv11/pyvenv.cfg", "version = 3.11.2", 0644); /* no newline at the end */
	make_dir("silent");
	put("silent/pyvenv.cfg", "home = /usr/bin\n", 0644);
	make_dir("odd");
	put("odd/pyvenv.cfg", "version = latest\n", 0644);
	make_dir("short");
	put("short/pyvenv.cfg", "version = 3\n", 0644);
	make_dir("nocfg");
	make_dir("dircfg");
	make_dir("dircfg/pyvenv.cfg");
	return 0;
}

static int teardown(_unused_ void **state)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -r %s", top);
	return system(command);
}

static const struct {
	const char *dir, *python, *home;
	const char *want;  /* end of the path, or NULL: an error that holds */
	const char *error; /* this */
} cases[] = {
	{"one", NULL, NULL, "one/engine-python3.11", NULL},
	{"many", NULL, NULL, "many/engine-python3.12", NULL}, /* newest by number: 3.12 > 3.9 */
	{"many", "3.9", NULL, "many/engine-python3.9", NULL},
	{"many", "python3.10", NULL, "many/engine-python3.10", NULL},
	{"many", "3.10.4", NULL, "many/engine-python3.10", NULL},
	{"many", "3", NULL, "many/engine-python3.12", NULL},
	{"many", "3.11", NULL, NULL, "python = 3.11: this machine has engines for 3.12, 3.10, 3.9"},
	{"many", "3.13", NULL, NULL, "this machine has engines for"},
	{"many", "newest", NULL, NULL, "python: \"newest\" is not a version"},
	{"many", "3.", NULL, NULL, "is not a version"},
	{"many", "", NULL, NULL, "is not a version"},
	{"many", "99999999999.1", NULL, NULL, "is not a version"},
	{"many", NULL, "venv39", "many/engine-python3.9", NULL},
	{"many", NULL, "venv312", "many/engine-python3.12", NULL},
	{"one", NULL, "venv11", "one/engine-python3.11", NULL},
	{"one", "3.11", "venv11", "one/engine-python3.11", NULL},
	{"one", NULL, "venv39", NULL,
	 "venv39 is for Python 3.9, this machine has engines for 3.11"},
	{"many", "3.12", "venv39", NULL, "venv39 is for Python 3.9, but python = 3.12"},
	{"one", NULL, "silent", NULL, "pyvenv.cfg does not say for which version"},
	{"one", NULL, "odd", NULL, "\"latest\" is not a version of Python"},
	{"one", NULL, "short", NULL, "\"3\" is not a version of Python"},
	{"one", NULL, "nocfg", NULL, "nocfg is not a virtualenv: pyvenv.cfg: No such file"},
	{"one", NULL, "dircfg", NULL, "cannot read pyvenv.cfg: Is a directory"},
	{"one", NULL, "gone", NULL, "gone does not exist"},
	{"none", NULL, NULL, NULL, "no engine-pythonX.Y there"},
	{"gone", NULL, NULL, NULL, "cannot look for engines: No such file"},
};

static void each_case_finds_its_engine_or_says_why_not(_unused_ void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char dir[PATH_MAX], home[PATH_MAX], want[PATH_MAX];
		struct engine e = {0};
		struct err err = {0};
		int r;

		(void)snprintf(dir, sizeof(dir), "%s/%s", top, cases[i].dir);
		(void)snprintf(home, sizeof(home), "%s/%s", top,
			       cases[i].home ? cases[i].home : "");
		r = engine_find(dir, cases[i].python, cases[i].home ? home : NULL, &e, &err);
		if (cases[i].want) {
			if (r < 0)
				fail_msg("case %zu: %s", i, err.text);
			(void)snprintf(want, sizeof(want), "%s/%s", top, cases[i].want);
			assert_string_equal(e.path, want);
			continue;
		}
		if (r == 0 || !strstr(err.text, cases[i].error))
			fail_msg("case %zu: got %d \"%s\", wanted \"%s\"", i, r, err.text,
				 cases[i].error);
		assert_string_equal(e.path, ""); /* outputs are untouched on failure */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_case_finds_its_engine_or_says_why_not),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
