/*
 * test_environment - what is the emperor's alone stays behind, and a new user is told who it is.
 */
#include "emperor/vassals/environment.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "shared/base.h"

static char items[][32] = {"PATH=/bin",    "NOTIFY_SOCKET=/run/x", "HOME=/root",
			   "USER=root",    "LISTEN_FDS=3",         "LISTEN_FDSX=kept",
			   "LANG=C.UTF-8", "EMPEROR_HANDOFF=9"};
static char *given[ARRAY_SIZE(items) + 1];

static int set_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(items); i++)
		given[i] = items[i];
	return 0;
}

static unsigned count(char *const *env, const char *prefix)
{
	unsigned n = 0;

	for (size_t i = 0; env[i]; i++)
		n += strncmp(env[i], prefix, strlen(prefix)) == 0;
	return n;
}

static void the_emperors_own_stays_behind(void **state)
{
	static const char *const extra[] = {"EMPEROR_HANDOFF=1", "EMPEROR_INI=/x/a.ini", NULL};
	char **env = environment_make(given, (uid_t)-1, extra);

	(void)state;
	assert_non_null(env);
	assert_int_equal(count(env, "NOTIFY_SOCKET="), 0);
	assert_int_equal(count(env, "LISTEN_FDS="), 0);
	assert_int_equal(count(env, "LISTEN_FDSX=kept"), 1);
	assert_int_equal(count(env, "EMPEROR_HANDOFF="), 1);
	assert_int_equal(count(env, "EMPEROR_HANDOFF=1"), 1);
	assert_int_equal(count(env, "EMPEROR_INI="), 1);
	assert_int_equal(count(env, "EMPEROR_INI=/x/a.ini"), 1);
	assert_int_equal(count(env, "PATH=/bin"), 1);
	assert_int_equal(count(env, "HOME=/root"), 1);
	free(env);
}

static void a_new_user_gets_its_own_home(void **state)
{
	char **env = environment_make(given, 65534, NULL);

	(void)state;
	assert_non_null(env);
	assert_int_equal(count(env, "HOME="), 1);
	assert_int_equal(count(env, "HOME=/root"), 0);
	assert_int_equal(count(env, "USER=nobody"), 1);
	assert_int_equal(count(env, "LOGNAME=nobody"), 1);
	assert_int_equal(count(env, "LANG=C.UTF-8"), 1);
	free(env);
}

static void a_uid_without_an_entry_has_no_home_at_all(void **state)
{
	char **env = environment_make(given, 54321, NULL);

	(void)state;
	assert_non_null(env);
	assert_int_equal(count(env, "HOME="), 0);
	assert_int_equal(count(env, "USER="), 0);
	free(env);
}

static void no_environment_is_an_empty_one(void **state)
{
	char **env = environment_make(NULL, (uid_t)-1, NULL);

	(void)state;
	assert_non_null(env);
	assert_null(env[0]);
	free(env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_emperors_own_stays_behind),
		cmocka_unit_test(a_new_user_gets_its_own_home),
		cmocka_unit_test(a_uid_without_an_entry_has_no_home_at_all),
		cmocka_unit_test(no_environment_is_an_empty_one),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
