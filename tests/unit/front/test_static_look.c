/* static_look: which files of a directory answer a path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/vassal_config.h"
#include "vassal/front/static_look.h"
#include "vassal/front/static_rules.h"

static const char *far; /* files of this ending are on a far disk */

bool __wrap_fd_is_far(int fd);

bool __wrap_fd_is_far(int fd)
{
	char self[64], name[256];
	ssize_t n;

	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	n = readlink(self, name, sizeof(name));
	return n > (ssize_t)strlen(far) && memcmp(name + n - strlen(far), far, strlen(far)) == 0;
}

/* A form may be a link to where static-safe allows it. */
static void one_far_form_makes_all_of_it_far(void **state)
{
	static const struct {
		const char *far;
		bool expected;
	} cases[] = {{"a.css", true}, {"a.css.gz", true}, {"a.css.br", true}, {"other", false}};
	static const char *const names[] = {"a.css", "a.css.gz", "a.css.br"};
	const struct vassal_config config = {.static_gzip_all = true};
	char top[] = "/tmp/test_static_look.XXXXXX";
	struct static_rules rules = {0};
	struct static_question q = {.target = top, .path = "a.css", .rules = &rules};
	struct static_found found;

	(void)state;
	assert_int_equal(static_rules_compile(&rules, &config, NULL), 0);
	assert_non_null(mkdtemp(top));
	q.root_fd = open(top, O_PATH | O_CLOEXEC);
	assert_true(q.root_fd >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		(void)close(openat(q.root_fd, names[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		far = cases[i].far;
		assert_int_equal(static_look(&q, false, &found), 0);
		assert_int_equal(found.verdict, STATIC_FILE);
		if (found.far != cases[i].expected)
			fail_msg("%s: %d", far, found.far);
		static_found_done(&found);
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(unlinkat(q.root_fd, names[i], 0), 0);
	(void)close(q.root_fd);
	assert_int_equal(rmdir(top), 0);
	static_rules_done(&rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_far_form_makes_all_of_it_far),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
