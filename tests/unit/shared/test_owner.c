/*
 * test_owner - whose word a file is, and whose the directory that it stands in.
 */
#include "shared/owner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

static void only_root_can_have_written_roots_own_files(void **state)
{
	static const struct {
		uid_t uid;
		gid_t gid;
		mode_t mode;
		bool believed;
	} rows[] = {
		{0, 0, 0644, true},  {0, 0, 0664, true},  {0, 5, 0644, true},  {0, 5, 0664, false},
		{0, 0, 0646, false}, {7, 0, 0644, false}, {7, 7, 0600, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct stat st = {
			.st_uid = rows[i].uid, .st_gid = rows[i].gid, .st_mode = rows[i].mode};

		assert_int_equal(owner_is_root_alone(&st), rows[i].believed);
	}
}

static void a_directory_is_judged_as_a_file_is(void **state)
{
	char dir[] = "/tmp/ownerXXXXXX";
	char file[64];

	(void)state;
	assert_true(owner_of_dir_is_root_alone("/proc"));
	assert_true(owner_of_dir_is_root_alone("/etc/passwd"));
	assert_false(owner_of_dir_is_root_alone("/tmp/x")); /* anybody's */
	assert_non_null(mkdtemp(dir));
	(void)snprintf(file, sizeof(file), "%s/not.there", dir);
	/* ours: root's own only if we are root, and no longer once others may write it */
	assert_int_equal(owner_of_dir_is_root_alone(file), geteuid() == 0);
	assert_return_code(chmod(dir, 0777), 0);
	assert_false(owner_of_dir_is_root_alone(file));
	assert_return_code(rmdir(dir), 0);
	assert_false(owner_of_dir_is_root_alone(file));
}

static void a_name_alone_stands_in_the_working_directory(void **state)
{
	char was[4096];

	(void)state;
	assert_non_null(getcwd(was, sizeof(was)));
	assert_return_code(chdir("/tmp"), 0);
	assert_false(owner_of_dir_is_root_alone("x"));
	assert_return_code(chdir("/"), 0);
	assert_true(owner_of_dir_is_root_alone("x"));
	assert_false(owner_of_dir_is_root_alone(""));
	assert_return_code(chdir(was), 0);
}

static void a_path_that_is_too_long_is_nobodys(void **state)
{
	char path[8192];

	(void)state;
	/* cut, it would name / */
	memset(path, '/', sizeof(path));
	memcpy(path + sizeof(path) - 3, "/x", 3);
	assert_false(owner_of_dir_is_root_alone(path));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_root_can_have_written_roots_own_files),
		cmocka_unit_test(a_directory_is_judged_as_a_file_is),
		cmocka_unit_test(a_name_alone_stands_in_the_working_directory),
		cmocka_unit_test(a_path_that_is_too_long_is_nobodys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
