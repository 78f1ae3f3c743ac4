/*
 * test_proctitle - ps shows the title, and words and environment that were there stay readable.
 */
#include "shared/proctitle.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/base.h"

static char **words;

static size_t cmdline(char *buf, size_t size)
{
	_cleanup_(fd_closep) int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, buf, size - 1);

	assert_true(n >= 0);
	buf[n] = '\0';
	return (size_t)n;
}

static void the_title_is_what_the_kernel_shows(void **state)
{
	char buf[4096];

	(void)state;
	proctitle_set("emperor: %s", "gate");
	(void)cmdline(buf, sizeof(buf));
	assert_string_equal(buf, "emperor: gate");
}

static void a_shorter_title_leaves_nothing_of_the_longer_one(void **state)
{
	char buf[4096];
	size_t n;

	(void)state;
	proctitle_set("%s", "a rather long title");
	proctitle_set("x");
	n = cmdline(buf, sizeof(buf));
	assert_string_equal(buf, "x");
	for (size_t i = 1; i < n; i++)
		assert_int_equal(buf[i], 0);
}

static void arguments_and_environment_survive(void **state)
{
	(void)state;
	proctitle_set("%s", "something else altogether, over all that was there before");
	assert_non_null(strstr(words[0], "test_proctitle"));
	assert_string_equal(getenv("EMPEROR_TEST_PROCTITLE"), "kept");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_title_is_what_the_kernel_shows),
		cmocka_unit_test(a_shorter_title_leaves_nothing_of_the_longer_one),
		cmocka_unit_test(arguments_and_environment_survive),
	};

	/* Again with a variable that was there from the start: only such ones lie in the title's room. */
	if (!getenv("EMPEROR_TEST_PROCTITLE")) {
		(void)setenv("EMPEROR_TEST_PROCTITLE", "kept", 1);
		(void)execv("/proc/self/exe", argv);
		return 1;
	}
	proctitle_init(argc, argv);
	words = argv;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
