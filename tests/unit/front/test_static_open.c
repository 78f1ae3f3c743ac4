/* static_open: what lies below a directory, and what only seems to. With openat2 and without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vassal/front/static_open.h"

static int answer;     /* of openat2: 0 = the kernel's own */
static unsigned times; /* so often; 0: always */

long __wrap_syscall(long number, int dir, const char *path, void *how, size_t size);
long __real_syscall(long number, int dir, const char *path, void *how, size_t size);

long __wrap_syscall(long number, int dir, const char *path, void *how, size_t size)
{
	assert_int_equal(number, SYS_openat2);
	if (answer == 0)
		return __real_syscall(number, dir, path, how, size);
	errno = answer;
	if (times > 0 && --times == 0)
		answer = 0;
	return -1;
}

static char top[64];
static int root = -1;

static const char *at(const char *name)
{
	static char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

static void file(const char *name, const char *text)
{
	int fd = open(at(name), O_WRONLY | O_CREAT, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void link_to(const char *target, const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s", at(name));
	assert_int_equal(symlink(target, path), 0);
}

static int make_tree(void **state)
{
	char path[300];

	(void)state;
	strcpy(top, "/tmp/test_static_open.XXXXXX");
	assert_non_null(mkdtemp(top));
	assert_int_equal(mkdir(at("root"), 0755), 0);
	assert_int_equal(mkdir(at("root/sub"), 0755), 0);
	assert_int_equal(mkdir(at("safe"), 0755), 0);
	assert_int_equal(mkdir(at("safer"), 0755), 0);
	file("root/a", "a");
	file("root/sub/b", "b");
	file("safe/s", "s");
	file("safer/r", "r");
	file("secret", "x");
	link_to("sub/b", "root/inside");
	link_to("../secret", "root/relative");
	link_to("..", "root/up");
	link_to("../safe/s", "root/tosafe");
	link_to("../safe", "root/safedir");
	link_to("../safer/r", "root/tosafer");
	(void)snprintf(path, sizeof(path), "%s/secret", top);
	link_to(path, "root/absolute");
	(void)snprintf(path, sizeof(path), "%s/root/sub", top);
	link_to(path, "root/home");
	link_to("../root/sub/b", "root/outandback");
	(void)snprintf(path, sizeof(path), "%s/rootsecret", top);
	file("rootsecret", "x");
	link_to(path, "root/alike");
	(void)snprintf(path, sizeof(path), "/proc/self/root%s/secret", top);
	link_to(path, "root/magic");
	link_to("../../secret", "safe/onward");
	link_to("../safe/onward", "root/twice");
	root = open(at("root"), O_PATH);
	assert_true(root >= 0);
	answer = 0;
	return 0;
}

static int remove_tree(void **state)
{
	char command[128];

	(void)state;
	close(root);
	(void)snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command);
}

/* The first byte of what was opened, or '-'. */
static char read_from(const char *path, const struct option_list *safe, int *ret_error)
{
	int fd = static_open(root, path, safe, false);
	char c = '-';

	*ret_error = fd < 0 ? fd : 0;
	if (fd < 0)
		return c;
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	(void)!read(fd, &c, 1);
	close(fd);
	return c;
}

struct expectation {
	const char *path;
	char got;
};

static void assert_all(const struct expectation *e, size_t n, const struct option_list *safe)
{
	for (size_t i = 0; i < n; i++) {
		int error;
		char c = read_from(e[i].path, safe, &error);

		if (c != e[i].got)
			fail_msg("%s: '%c' (%s)", e[i].path, c, strerror(-error));
	}
}

static void links_inside_are_followed_and_no_others(void **state)
{
	static const struct expectation all[] = {
		{"a", 'a'},         {"sub/b", 'b'},    {"inside", 'b'},  {"relative", '-'},
		{"up/secret", '-'}, {"absolute", '-'}, {"magic", '-'},   {"tosafe", '-'},
		{"twice", '-'},     {"nothing", '-'},  {"a/below", '-'}, {"../secret", '-'},
		{"safedir/s", '-'}, {"tosafer", '-'},  {"home/b", 'b'},  {"outandback", 'b'},
		{"alike", '-'},
	};

	(void)state;
	assert_all(all, ARRAY_SIZE(all), NULL);
}

static void a_safe_directory_may_be_led_to_and_not_through(void **state)
{
	static const struct expectation all[] = {
		{"a", 'a'},         {"tosafe", 's'},
		{"safedir/s", 's'}, {"twice", '-'},
		{"tosafer", '-'},   {"absolute", '-'},
		{"relative", '-'},  {"magic", '-'},
		{"up/secret", '-'}, {"safedir/onward", '-'},
		{"home/b", 'b'},    {"outandback", 'b'},
		{"alike", '-'},
	};
	char path[256];
	char *v[] = {path};
	struct option_list safe = {.v = v, .n = 1};

	(void)state;
	(void)snprintf(path, sizeof(path), "%s", at("safe"));
	assert_all(all, ARRAY_SIZE(all), &safe);
}

static void a_safe_directory_may_be_one_file(void **state)
{
	char path[256];
	char *v[] = {path};
	struct option_list safe = {.v = v, .n = 1};
	int error;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s", at("safe/s"));
	assert_int_equal(read_from("tosafe", &safe, &error), 's');
	assert_int_equal(read_from("tosafer", &safe, &error), '-');
}

static void without_openat2_no_link_is_followed(void **state)
{
	static const struct expectation all[] = {
		{"a", 'a'},        {"sub/b", 'b'},     {"sub//b", '-'}, {"inside", '-'},
		{"relative", '-'}, {"up/secret", '-'}, {"tosafe", '-'}, {"../secret", '-'},
		{"sub/../a", '-'}, {"safedir/s", '-'},
	};
	static const int answers[] = {ENOSYS, EPERM};
	char path[256];
	char *v[] = {path};
	struct option_list safe = {.v = v, .n = 1};

	(void)state;
	(void)snprintf(path, sizeof(path), "%s", at("safe"));
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		answer = answers[i];
		assert_all(all, ARRAY_SIZE(all), &safe);
	}
}

static void who_may_not_wait_is_told_to_ask_a_thread(void **state)
{
	static const int answers[] = {ENOSYS, EPERM, EINVAL, EAGAIN, EXDEV};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		answer = answers[i];
		assert_int_equal(static_open(root, "a", NULL, true), -EAGAIN);
	}
	answer = EACCES;
	assert_int_equal(static_open(root, "a", NULL, true), -EACCES);
}

/* openat2(2): EAGAIN without RESOLVE_CACHED says that something was renamed meanwhile, anywhere. */
static void a_rename_elsewhere_makes_no_file_unknown(void **state)
{
	int error;

	(void)state;
	answer = EAGAIN;
	times = 3;
	assert_int_equal(read_from("a", NULL, &error), 'a');
	/* but nobody looks for ever */
	answer = EAGAIN;
	assert_int_equal(read_from("a", NULL, &error), '-');
	assert_int_equal(error, -EAGAIN);
}

static void where_a_safe_directory_is_a_thread_looks(void **state)
{
	char path[] = "/nowhere";
	char *v[] = {path};
	struct option_list safe = {.v = v, .n = 1};
	int error;

	(void)state;
	assert_int_equal(static_open(root, "tosafe", &safe, true), -EAGAIN);
	assert_int_equal(read_from("tosafe", &safe, &error), '-');
	assert_int_equal(error, -EXDEV);
}

static void nothing_is_left_open(void **state)
{
	int before = open("/dev/null", O_RDONLY), after, error;
	char path[256];
	char *v[] = {path};
	struct option_list safe = {.v = v, .n = 1};
	static const char *const paths[] = {"a",      "tosafe",   "tosafer", "twice",
					    "sub/no", "relative", "magic",   "up/secret"};

	(void)state;
	(void)snprintf(path, sizeof(path), "%s", at("safe"));
	for (int round = 0; round < 2; round++) {
		answer = round ? ENOSYS : 0;
		for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
			(void)read_from(paths[i], &safe, &error);
	}
	close(before);
	after = open("/dev/null", O_RDONLY);
	assert_int_equal(after, before);
	close(after);
}

static void the_directory_itself_has_no_name(void **state)
{
	struct stat st;
	int fd = static_open(root, "", NULL, true);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(links_inside_are_followed_and_no_others, make_tree,
						remove_tree),
		cmocka_unit_test_setup_teardown(a_safe_directory_may_be_led_to_and_not_through,
						make_tree, remove_tree),
		cmocka_unit_test_setup_teardown(a_safe_directory_may_be_one_file, make_tree,
						remove_tree),
		cmocka_unit_test_setup_teardown(without_openat2_no_link_is_followed, make_tree,
						remove_tree),
		cmocka_unit_test_setup_teardown(who_may_not_wait_is_told_to_ask_a_thread, make_tree,
						remove_tree),
		cmocka_unit_test_setup_teardown(a_rename_elsewhere_makes_no_file_unknown, make_tree,
						remove_tree),
		cmocka_unit_test_setup_teardown(where_a_safe_directory_is_a_thread_looks, make_tree,
						remove_tree),
		cmocka_unit_test_setup_teardown(nothing_is_left_open, make_tree, remove_tree),
		cmocka_unit_test_setup_teardown(the_directory_itself_has_no_name, make_tree,
						remove_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
