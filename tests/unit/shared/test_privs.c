/*
 * test_privs - names and numbers become identities; what cannot be is said; what was given up stays given up.
 */
#include "shared/privs.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "shared/err.h"

#define SOMEBODY 65534 /* nobody, on every Linux */

static void unknown_names_are_said(void **state)
{
	struct privs p = {.uid = 4};
	struct err err = {0};

	(void)state;
	assert_int_equal(privs_lookup("no-such-user-x", NULL, NULL, 0, &p, &err), -ENOENT);
	assert_non_null(strstr(err.text, "no-such-user-x"));
	assert_int_equal(privs_lookup(NULL, "no-such-group-x", NULL, 0, &p, &err), -ENOENT);
	assert_non_null(strstr(err.text, "no-such-group-x"));
	assert_int_equal(p.uid, 4);
}

static void numbers_that_mean_leave_are_no_users(void **state)
{
	struct privs p;

	(void)state;
	assert_int_equal(privs_lookup("4294967295", NULL, NULL, 0, &p, NULL), -ENOENT);
	assert_int_equal(privs_lookup("99999999999999999999", NULL, NULL, 0, &p, NULL), -ENOENT);
	assert_int_equal(privs_lookup("", NULL, NULL, 0, &p, NULL), -ENOENT);
}

static void a_user_brings_its_group(void **state)
{
	struct privs p;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(privs_lookup("nobody", NULL, NULL, 0, &p, NULL), 0);
	assert_int_equal(p.uid, SOMEBODY);
	assert_int_equal(p.gid, SOMEBODY);
	assert_true(p.set_groups);
	assert_int_equal(privs_lookup("nobody", "7", NULL, 0, &p, NULL), 0);
	assert_int_equal(p.gid, 7);
}

static void a_number_without_a_user_needs_a_group(void **state)
{
	struct privs p;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(privs_lookup("54321", NULL, NULL, 0, &p, NULL), -ENOENT);
	assert_int_equal(privs_lookup("54321", "54322", NULL, 0, &p, NULL), 0);
	assert_int_equal(p.uid, 54321);
	assert_int_equal(p.gid, 54322);
}

/* In a child, for there is no way back. */
static int in_child(int (*fn)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fn());
	(void)waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static int give_up_root(void)
{
	char group[] = "12345";
	char *add[] = {group};
	gid_t groups[8];
	struct privs p;
	int n;

	if (privs_lookup("nobody", NULL, add, 1, &p, NULL) < 0 || privs_become(&p) < 0)
		return 1;
	if (getuid() != SOMEBODY || geteuid() != SOMEBODY || getegid() != SOMEBODY)
		return 2;
	n = getgroups(8, groups);
	for (int i = 0; i < n; i++)
		if (groups[i] == 0)
			return 3; /* root's own groups must not come along */
	for (int i = 0; i < n; i++)
		if (groups[i] == 12345)
			return setuid(0) == 0 ? 4 : 0;
	return 5;
}

static int ask_as_somebody(void)
{
	char text[16];
	struct privs p = {.uid = SOMEBODY, .gid = SOMEBODY, .set_groups = true};

	if (privs_become(&p) < 0)
		return 1;
	(void)snprintf(text, sizeof(text), "%u", SOMEBODY);
	if (privs_lookup("root", NULL, NULL, 0, &p, NULL) != -EPERM)
		return 2;
	if (privs_lookup(text, "0", NULL, 0, &p, NULL) != -EPERM)
		return 3;
	if (privs_lookup(text, NULL, NULL, 0, &p, NULL) != 0)
		return 4;
	return p.uid == (uid_t)-1 ? 0 : 5;
}

static void who_gave_root_up_does_not_get_it_back(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(in_child(give_up_root), 0);
}

static void an_ordinary_user_may_only_ask_for_itself(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(in_child(ask_as_somebody), 0);
}

static void files_are_opened_with_the_other_users_rights_and_then_with_ours(void **state)
{
	char path[] = "/tmp/emperor-privs-XXXXXX";
	struct privs_fs was;
	int fd = mkstemp(path);

	(void)state;
	if (geteuid() != 0) {
		(void)unlink(path);
		skip();
	}
	(void)close(fd);
	assert_int_equal(privs_fs_enter(SOMEBODY, SOMEBODY, NULL, 0, &was), 0);
	assert_true(was.entered);
	assert_int_equal(open(path, O_RDONLY | O_CLOEXEC), -1);
	assert_int_equal(errno, EACCES);
	privs_fs_leave(&was);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	(void)close(fd);
	(void)unlink(path);
}

static void nobody_named_is_nobody_to_become(void **state)
{
	struct privs_fs was;
	struct privs p;

	(void)state;
	assert_int_equal(privs_lookup(NULL, NULL, NULL, 0, &p, NULL), 0);
	assert_true(p.uid == (uid_t)-1 && p.gid == (gid_t)-1 && !p.set_groups);
	assert_int_equal(privs_become(&p), 0);
	assert_int_equal(privs_fs_enter((uid_t)-1, (gid_t)-1, NULL, 0, &was), 0);
	assert_false(was.entered);
	privs_fs_leave(&was);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_names_are_said),
		cmocka_unit_test(numbers_that_mean_leave_are_no_users),
		cmocka_unit_test(a_user_brings_its_group),
		cmocka_unit_test(a_number_without_a_user_needs_a_group),
		cmocka_unit_test(who_gave_root_up_does_not_get_it_back),
		cmocka_unit_test(an_ordinary_user_may_only_ask_for_itself),
		cmocka_unit_test(files_are_opened_with_the_other_users_rights_and_then_with_ours),
		cmocka_unit_test(nobody_named_is_nobody_to_become),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
