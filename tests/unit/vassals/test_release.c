/*
 * test_release - links in the paths of code are resolved, and people are told where the code lies.
 */
#include "emperor/vassals/release.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/config_items.h"

static void add(struct config_items *items, const char *key, const char *value)
{
	assert_int_equal(config_items_add(items, key, value, "a.ini", 1, true, NULL), 0);
}

static void the_path_that_says_most_is_the_one_that_is_shown(void **state)
{
	static const struct {
		const char *items[4][2];
		const char *path;
	} cases[] = {
		{{{"home", "/srv/venv"}, {"chdir", "/srv/r1"}, {"pythonpath", "/lib"}}, "/srv/r1"},
		{{{"chdir", "/srv/r1"}, {"chdir", "/srv/r2"}}, "/srv/r2"},
		{{{"pythonpath", "/srv/a"}, {"pythonpath", "/srv/b"}, {"home", "/v"}}, "/srv/a"},
		{{{"wsgi-file", "/srv/r3/app.py"}, {"pythonpath", "/lib"}}, "/srv/r3"},
		{{{"wsgi-file", "/app.py"}}, "/"},
		{{{"virtualenv", "/srv/venv"}}, "/srv/venv"}, /* another name of home */
		{{{"chdir", "here"}, {"module", "/srv/x"}}, ""},
		{{{"module", "x"}}, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config_items items = {0};
		char path[PATH_MAX] = "before";
		char *bytes = NULL;
		size_t n = 0;

		for (size_t k = 0; k < 4 && cases[i].items[k][0]; k++)
			add(&items, cases[i].items[k][0], cases[i].items[k][1]);
		assert_int_equal(config_items_encode(&items, &bytes, &n, NULL), 0);
		release_path(span_of(bytes, n), path);
		if (strcmp(path, cases[i].path) != 0)
			fail_msg("case %zu: %s", i, path);
		/* what nobody can read says nothing */
		release_path(span_of(bytes, n - 1), path);
		assert_string_equal(path, "");
		free(bytes);
		config_items_done(&items);
	}
}

static void links_are_resolved_and_what_is_not_there_stays(void **state)
{
	char dir[] = "/tmp/test-release-XXXXXX";
	char r1[64], current[64], gone[64];
	struct config_items items = {0};

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(r1, sizeof(r1), "%s/r1", dir);
	(void)snprintf(current, sizeof(current), "%s/current", dir);
	(void)snprintf(gone, sizeof(gone), "%s/gone", dir);
	assert_int_equal(mkdir(r1, 0700), 0);
	assert_int_equal(symlink(r1, current), 0);
	add(&items, "chdir", current);
	add(&items, "home", gone);
	add(&items, "logto", current);
	assert_int_equal(release_pin(&items, NULL), 0);
	assert_string_equal(items.v[0].value, r1);
	assert_string_equal(items.v[1].value, gone);
	assert_string_equal(items.v[2].value, current);
	config_items_done(&items);
	(void)unlink(current);
	(void)rmdir(r1);
	(void)rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_path_that_says_most_is_the_one_that_is_shown),
		cmocka_unit_test(links_are_resolved_and_what_is_not_there_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
