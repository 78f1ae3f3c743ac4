/*
 * test_stamps - which changes of files are seen, and which are nobody's business.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vassal/front/stamps.h"

static char top[] = "/tmp/emperor-stamps-XXXXXX";

static const char *in_top(const char *name)
{
	static char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(in_top(name), "we");

	assert_non_null(f);
	(void)fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void date_back(const char *name)
{
	const struct timespec t[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

	assert_int_equal(utimensat(AT_FDCWD, in_top(name), t, 0), 0);
}

static void a_file_that_is_written_touched_dated_back_or_made_has_changed(void **state)
{
	struct stamp was = stamp_take(in_top("f")), now;

	(void)state;
	assert_false(was.there);
	put("f", "one");
	now = stamp_take(in_top("f"));
	assert_true(stamp_differs(&was, &now));
	was = stamp_take(in_top("f"));
	assert_false(stamp_differs(&was, &now));
	date_back("f");
	now = stamp_take(in_top("f"));
	assert_true(stamp_differs(&was, &now));
	was = now;
	put("g", "one");
	date_back("g");
	assert_int_equal(rename(in_top("g"), "/tmp/emperor-stamps-moved"), 0);
	assert_int_equal(rename("/tmp/emperor-stamps-moved", in_top("f")), 0);
	now = stamp_take(in_top("f"));
	assert_true(stamp_differs(&was, &now)); /* same size and times, another inode */
	was = now;
	assert_int_equal(unlink(in_top("f")), 0);
	now = stamp_take(in_top("f"));
	assert_false(stamp_differs(&was, &now));
}

static void a_directory_changes_with_the_files_below_it(void **state)
{
	static const struct {
		const char *name;
		bool seen;
	} cases[] = {
		{"d/app.py", true},
		{"d/deep/x.html", true},
		{"d/__pycache__/app.pyc", false},
		{"d/.hidden", false},
		{"d/app.py~", false},
		{"d/#app.py#", false},
		{"d/deep/old.pyc", false},
	};

	(void)state;
	assert_int_equal(mkdir(in_top("d"), 0755), 0);
	assert_int_equal(mkdir(in_top("d/deep"), 0755), 0);
	assert_int_equal(mkdir(in_top("d/__pycache__"), 0755), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct stamp was = stamp_take(in_top("d")), now;

		put(cases[i].name, "x");
		now = stamp_take(in_top("d"));
		if (stamp_differs(&was, &now) != cases[i].seen)
			fail_msg("%s", cases[i].name);
		(void)unlink(in_top(cases[i].name));
	}
}

static void a_file_that_goes_from_a_directory_is_a_change_of_it(void **state)
{
	struct stamp was, now;

	(void)state;
	put("d/a.py", "x");
	put("d/b.py", "x");
	was = stamp_take(in_top("d"));
	assert_int_equal(unlink(in_top("d/b.py")), 0);
	now = stamp_take(in_top("d"));
	assert_true(stamp_differs(&was, &now));
	(void)unlink(in_top("d/a.py"));
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(top) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	(void)rmdir(in_top("d/__pycache__"));
	(void)rmdir(in_top("d/deep"));
	(void)rmdir(in_top("d"));
	return rmdir(top);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_that_is_written_touched_dated_back_or_made_has_changed),
		cmocka_unit_test(a_directory_changes_with_the_files_below_it),
		cmocka_unit_test(a_file_that_goes_from_a_directory_is_a_change_of_it),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
