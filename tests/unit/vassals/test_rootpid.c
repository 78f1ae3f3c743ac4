/*
 * test_rootpid - which pidfiles root writes for an app, and which never.
 */
#include "emperor/vassals/rootpid.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "shared/fd.h"
#include "tests/unit/vassals/fixture.h"

static char dir[64];
static char between[64]; /* what it held before it was cut */

int __real_ftruncate(int fd, off_t n);
int __wrap_ftruncate(int fd, off_t n);

int __wrap_ftruncate(int fd, off_t n)
{
	ssize_t got = pread(fd, between, sizeof(between) - 1, 0);

	between[MAX(got, 0)] = '\0';
	return __real_ftruncate(fd, n);
}

/* A path in the folder; valid until the next but one. */
static const char *at(const char *name)
{
	static char paths[2][160];
	static unsigned turn;
	char *path = paths[turn++ % 2];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static int set_up(void **state)
{
	(void)state;
	(void)strcpy(dir, "/tmp/emperor-rootpid-XXXXXX");
	return mkdtemp(dir) && chmod(dir, 0755) == 0 && mkdir(at("sub"), 0755) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	static const char *const names[] = {"sub/pid", "sub/other", "link", "target"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		(void)unlink(at(names[i]));
	return rmdir(at("sub")) < 0 || rmdir(dir) < 0 ? -1 : 0;
}

static struct loaded *with(const char *path)
{
	char text[512];

	(void)snprintf(text, sizeof(text), "[vassal]\nmodule = x\nuid = nobody\npidfile = %s\n",
		       path);
	return fixture_load(text);
}

static void put(const char *path, const char *text)
{
	_cleanup_(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* "": it is not there. */
static const char *held(const char *path)
{
	static char text[64];
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	text[MAX(n, 0)] = '\0';
	return text;
}

static void the_pid_of_one_that_may_not_write_there_is_written_and_removed(void **state)
{
	struct loaded *l;
	struct stat st;

	(void)state;
	if (geteuid() != 0)
		skip();
	l = with(at("sub/pid"));
	assert_int_equal(rootpid_write(l, 1234567, NULL), 1);
	assert_string_equal(held(at("sub/pid")), "1234567\n");
	assert_int_equal(stat(at("sub/pid"), &st), 0);
	assert_int_equal(st.st_uid, 0);
	/* a newer generation, and then the older one leaves */
	assert_int_equal(rootpid_write(l, 89, NULL), 1);
	assert_string_equal(held(at("sub/pid")), "89\n");
	/* and `kill $(cat pid)` meanwhile met nobody else */
	assert_string_equal(between, "89\n\n\n\n\n\n");
	rootpid_remove(l, 1234567);
	assert_string_equal(held(at("sub/pid")), "89\n");
	rootpid_remove(l, 89);
	assert_string_equal(held(at("sub/pid")), "");
	loaded_unref(l);
}

/* What the front may write itself, or nobody should. */
static void what_is_not_roots_alone_is_left_to_the_front(void **state)
{
	static const struct {
		uid_t dir_uid, file_uid; /* of the file 0: there is none */
		mode_t dir_mode;
		bool roots, by_link, as_root;
	} rows[] = {
		{12345, 0, 0755, true, false, false}, {0, 0, 01777, true, false, false},
		{0, 0, 0755, false, false, false},    {0, 0, 0755, true, true, false},
		{0, 0, 0755, true, false, true},      {0, 12345, 0755, true, false, false},
	};

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(symlink("sub", at("link")), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct loaded *l = with(at(rows[i].by_link ? "link/pid" : "sub/pid"));

		l->roots = rows[i].roots;
		if (rows[i].as_root)
			l->uid = 0;
		(void)unlink(at("sub/pid"));
		if (rows[i].file_uid != 0) {
			put(at("sub/pid"), "77\n");
			assert_int_equal(chown(at("sub/pid"), rows[i].file_uid, 0), 0);
		}
		assert_int_equal(chown(at("sub"), rows[i].dir_uid, 0), 0);
		assert_int_equal(chmod(at("sub"), rows[i].dir_mode), 0);
		if (rootpid_write(l, 4242, NULL) != 0)
			fail_msg("row %zu is written", i);
		rootpid_remove(l, 77);
		assert_string_equal(held(at("sub/pid")), rows[i].file_uid != 0 ? "77\n" : "");
		loaded_unref(l);
	}
}

static void nothing_but_a_pid_is_written_over(void **state)
{
	static const char *const texts[] = {"root:x:0:0\n",
					    "12 monkeys\n",
					    "\n",
					    "-1\n",
					    "1234567890123456789012345\n",
					    "12                      monkeys\n"};
	struct err err = {0};
	struct loaded *l;

	(void)state;
	if (geteuid() != 0)
		skip();
	l = with(at("sub/pid"));
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		put(at("sub/pid"), texts[i]);
		assert_int_equal(rootpid_write(l, 4242, &err), -EEXIST);
		assert_non_null(strstr(err.text, at("sub/pid")));
		assert_string_equal(held(at("sub/pid")), texts[i]);
	}
	/* a second name of a file elsewhere, and a link to one */
	put(at("target"), "77\n");
	assert_int_equal(unlink(at("sub/pid")) | link(at("target"), at("sub/pid")), 0);
	assert_int_equal(rootpid_write(l, 4242, NULL), -EEXIST);
	assert_int_equal(unlink(at("sub/pid")) | symlink(at("target"), at("sub/pid")), 0);
	assert_int_equal(rootpid_write(l, 4242, NULL), -ELOOP);
	assert_string_equal(held(at("target")), "77\n");
	rootpid_remove(l, 77);
	assert_string_equal(held(at("target")), "77\n");
	loaded_unref(l);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_pid_of_one_that_may_not_write_there_is_written_and_removed),
		CASE(what_is_not_roots_alone_is_left_to_the_front),
		CASE(nothing_but_a_pid_is_written_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
