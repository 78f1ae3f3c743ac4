/*
 * test_start - what a program beside the app finds in its environment, and how its minder ends it.
 */
#include "vassal/tasks/start.h"

#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "shared/handoff.h"
#include "shared/vassal_config.h"
#include "vassal/tasks/sweep.h"

static const char *get(char **env, const char *name)
{
	const char *found = NULL;
	size_t n = strlen(name);

	for (size_t i = 0; env[i]; i++) {
		if (strncmp(env[i], name, n) != 0 || env[i][n] != '=')
			continue;
		assert_null(found); /* each name once */
		found = env[i] + n + 1;
	}
	return found;
}

static void the_environment_is_the_apps(void **state)
{
	char colour[] = "COLOUR=green", path[] = "PATH=/x", app[] = "EMPEROR_APP=liar";
	char home[] = "/srv/venv";
	char *lines[] = {colour, path, app};
	const struct vassal_config c = {.env = {.v = lines, .n = 3}, .home = home};
	const struct task_config t = {.name = "celery"};
	const struct start_setup s = {
		.config = &c, .task = &t, .name = "blog", .generation = 7, .mark = "celery.1.1"};
	char **env;

	(void)state;
	assert_int_equal(setenv(HANDOFF_ENV, "1", 1), 0);
	assert_int_equal(setenv("COLOUR", "red", 1), 0);
	env = start_environ(&s);
	assert_non_null(env);
	assert_null(get(env, HANDOFF_ENV));
	assert_string_equal(get(env, "COLOUR"), "green");
	assert_string_equal(get(env, "EMPEROR_APP"), "blog");
	assert_string_equal(get(env, "EMPEROR_GENERATION"), "7");
	assert_string_equal(get(env, "VIRTUAL_ENV"), "/srv/venv");
	assert_string_equal(get(env, "PATH"), "/srv/venv/bin:/x");
	assert_string_equal(get(env, SWEEP_MARK), "celery.1.1");
	start_environ_free(env);
}

static pid_t spawn_marked(const char *mark)
{
	char text[64], name[] = "sleep", seconds[] = "100";
	char *argv[] = {name, seconds, NULL};
	char *env[] = {text, NULL};
	pid_t pid;

	(void)snprintf(text, sizeof(text), SWEEP_MARK "=%s", mark);
	assert_int_equal(posix_spawn(&pid, "/bin/sleep", NULL, NULL, argv, env), 0);
	return pid;
}

static void a_sweep_ends_those_of_its_mark_and_nobody_else(void **state)
{
	pid_t one, other;
	char mine[32], longer[40];
	int status;

	(void)state;
	(void)snprintf(mine, sizeof(mine), "test.%d.1", (int)getpid());
	(void)snprintf(longer, sizeof(longer), "%s0", mine);
	one = spawn_marked(mine);
	other = spawn_marked(longer);
	assert_int_equal(sweep_kill("test.nobody"), 0);
	assert_true(sweep_kill(mine) > 0);
	assert_int_equal(waitpid(one, &status, 0), one);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(waitpid(other, &status, WNOHANG), 0);
	assert_int_equal(kill(other, SIGKILL), 0);
	assert_int_equal(waitpid(other, &status, 0), other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_environment_is_the_apps),
		cmocka_unit_test(a_sweep_ends_those_of_its_mark_and_nobody_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
