/*
 * test_venv - which virtualenvs an engine takes, and what it says of the others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

#include "shared/err.h"
#include "shared/privs.h"
#include "vassal/engine/venv.h"

static char dir[64];

static void path_of(char buf[PATH_MAX], const char *name)
{
	(void)snprintf(buf, PATH_MAX, "%s/%s", dir, name);
}

static void make_dir(const char *name)
{
	char path[PATH_MAX];

	path_of(path, name);
	(void)mkdir(path, 0755);
}

static void make_file(const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *f;

	path_of(path, name);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/venv-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	make_dir("bin");
	make_dir("lib");
	make_dir("lib/python3.11");
	make_file("bin/python", "");
	make_file("pyvenv.cfg", "home = /usr/bin\nversion = 3.11.2\n");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void expect_error(const char *home, const char *text)
{
	struct venv v;
	struct err err = {0};

	assert_true(venv_find(home, "/usr/bin/python3.11", 3, 11, &v, &err) < 0);
	if (!strstr(err.text, text))
		fail_msg("\"%s\" does not say \"%s\"", err.text, text);
}

static void without_home_it_is_the_systems_python(void **state)
{
	struct venv v;

	(void)state;
	assert_int_equal(venv_find(NULL, "/usr/bin/python3.11", 3, 11, &v, NULL), 0);
	assert_string_equal(v.executable, "/usr/bin/python3.11");
	assert_string_equal(v.base, "");
}

static void a_directory_a_slash_or_its_python_all_mean_the_virtualenv(void **state)
{
	static const char *const tails[] = {"", "/", "//", "/bin/python"};
	char want[PATH_MAX];

	(void)state;
	path_of(want, "bin/python");
	for (size_t i = 0; i < ARRAY_SIZE(tails); i++) {
		char home[128];
		struct venv v;

		(void)snprintf(home, sizeof(home), "%s%s", dir, tails[i]);
		assert_int_equal(venv_find(home, "/usr/bin/python3.11", 3, 11, &v, NULL), 0);
		assert_string_equal(v.executable, want);
		assert_string_equal(v.base, "/usr/bin");
	}
}

static void a_relative_home_becomes_absolute(void **state)
{
	struct venv v;

	(void)state;
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(venv_find(".", "/usr/bin/python3.11", 3, 11, &v, NULL), 0);
	assert_int_equal(v.executable[0], '/');
	assert_int_equal(access(v.executable, F_OK), 0);
	assert_int_equal(chdir("/"), 0);
}

static void another_version_is_refused_with_both_named(void **state)
{
	(void)state;
	make_file("pyvenv.cfg", "home = /opt/bin\nversion_info = 3.9.1.final.0\n");
	expect_error(dir, "made for Python 3.9, the app runs on Python 3.11");
	make_file("pyvenv.cfg", "home = /opt/bin\nversion = rubbish\n");
	expect_error(dir, "has version \"rubbish\"");
}

/* A Python below /root or another's home: it is there, only not for this user. */
static void a_python_out_of_reach_is_not_said_to_be_gone(void **state)
{
	struct privs_fs was = {0};
	char python[PATH_MAX], closed[PATH_MAX];

	(void)state;
	path_of(python, "bin/python");
	path_of(closed, "closed");
	make_dir("closed");
	make_file("closed/python", "");
	make_file("pyvenv.cfg", "home = /usr/bin\nversion = 3.11.2\n");
	assert_int_equal(unlink(python), 0);
	assert_int_equal(symlink("../closed/python", python), 0);
	assert_int_equal(chmod(dir, 0755) | chmod(closed, 0), 0);
	if (geteuid() == 0)
		assert_int_equal(privs_fs_enter(65534, 65534, NULL, 0, &was), 0);
	expect_error(dir, "the app's user may not reach the Python that its bin/python points to");
	if (geteuid() == 0)
		privs_fs_leave(&was);
	assert_int_equal(chmod(closed, 0755) | unlink(python), 0);
	make_file("bin/python", "");
}

static void what_is_no_virtualenv_is_refused(void **state)
{
	char path[PATH_MAX];

	(void)state;
	expect_error("/nonexistent", "No such file");
	expect_error("/usr/share", "not a virtualenv");
	path_of(path, "bin/python");
	assert_int_equal(unlink(path), 0);
	expect_error(dir, "no bin/python");
	path_of(path, "lib/python3.11");
	assert_int_equal(rmdir(path), 0);
	expect_error(dir, "lib/python3.11");
}

static void keys_of_a_cfg_are_found_whatever_stands_around_them(void **state)
{
	static const struct {
		const char *text, *key, *value;
	} cases[] = {
		{"home = /usr/bin\n", "home", "/usr/bin"},
		{"Home=/usr/bin", "home", "/usr/bin"},
		{"a = b\r\nhome =\t/x \r\n", "home", "/x"},
		{"homes = 1\n home = 2\n", "home", "2"},
		{"version = 3.11 = odd\n", "version", "3.11 = odd"},
		{"no equals sign\n\n=\n", "home", ""},
		{"", "home", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct span v = venv_cfg_get(span_str(cases[i].text), cases[i].key);

		assert_int_equal(v.n, strlen(cases[i].value));
		assert_memory_equal(v.p, cases[i].value, v.n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_home_it_is_the_systems_python),
		cmocka_unit_test_setup_teardown(
			a_directory_a_slash_or_its_python_all_mean_the_virtualenv, setup, teardown),
		cmocka_unit_test_setup_teardown(a_relative_home_becomes_absolute, setup, teardown),
		cmocka_unit_test_setup_teardown(another_version_is_refused_with_both_named, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_python_out_of_reach_is_not_said_to_be_gone, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_is_no_virtualenv_is_refused, setup, teardown),
		cmocka_unit_test(keys_of_a_cfg_are_found_whatever_stands_around_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
