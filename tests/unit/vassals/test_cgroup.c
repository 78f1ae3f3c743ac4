/*
 * test_cgroup - over a directory that looks like the kernel's: what is found, refused, written and read. The files exist
 * beforehand as they do there, for nothing here may make one.
 */
#include "emperor/vassals/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "shared/err.h"

void __real__exit(int status) __attribute__((noreturn));
void __wrap__exit(int status) __attribute__((noreturn));

/* Of a child: 64 more if it holds anything but its standard descriptors. */
void __wrap__exit(int status)
{
	for (int fd = STDERR_FILENO + 1; fd < 64; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			status |= 64;
	__real__exit(status);
}

struct world {
	char top[64];
	char path[PATH_MAX];
	char mounts[PATH_MAX];
};

static const char *at(struct world *w, const char *name)
{
	(void)snprintf(w->path, sizeof(w->path), "%s/%s", w->top, name);
	return w->path;
}

static void put(struct world *w, const char *name, const char *text)
{
	FILE *f = fopen(at(w, name), "we");

	assert_non_null(f);
	(void)fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void expect(struct world *w, const char *name, const char *text)
{
	char buf[512] = "";
	FILE *f = fopen(at(w, name), "re");

	assert_non_null(f);
	buf[fread(buf, 1, sizeof(buf) - 1, f)] = '\0';
	assert_int_equal(fclose(f), 0);
	assert_string_equal(buf, text);
}

static void make_dir(struct world *w, const char *name)
{
	assert_int_equal(mkdir(at(w, name), 0755), 0);
}

/* The root, and the group that an emperor before us has made. */
static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	char line[256];

	assert_non_null(w);
	(void)snprintf(w->top, sizeof(w->top), "/tmp/emperor-cgroup-XXXXXX");
	assert_non_null(mkdtemp(w->top));
	(void)snprintf(line, sizeof(line),
		       "tmpfs /tmp tmpfs rw 0 0\nnone %s/fs cgroup2 rw,nosuid 0 0\n", w->top);
	put(w, "mounts", line);
	make_dir(w, "fs");
	make_dir(w, "fs/emperor");
	make_dir(w, "fs/emperor/app-blog");
	put(w, "fs/cgroup.subtree_control", "cpu memory pids\n");
	put(w, "fs/emperor/cgroup.controllers", "cpuset cpu memory pids\n");
	put(w, "fs/emperor/cgroup.subtree_control", "\n");
	put(w, "fs/emperor/app-blog/cgroup.procs", "");
	put(w, "fs/emperor/app-blog/memory.max", "max\n");
	put(w, "fs/emperor/app-blog/memory.high", "max\n");
	put(w, "fs/emperor/app-blog/memory.events",
	    "low 0\nhigh 12\nmax 3\noom 2\noom_kill 2\noom_group_kill 0\n");
	(void)snprintf(w->mounts, sizeof(w->mounts), "%s/mounts", w->top);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf %s", w->top);
	assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): a test's own folder */
	free(w);
	return 0;
}

static struct cgroup find(struct world *w)
{
	const struct cgroup_places places = {.mounts = w->mounts};
	struct cgroup c;

	cgroup_find(&c, &places);
	return c;
}

static void a_group_below_the_root_is_divided(void **state)
{
	struct world *w = *state;
	struct cgroup c = find(w);

	assert_string_equal(c.why, "");
	assert_string_equal(c.dir, at(w, "fs/emperor"));
	expect(w, "fs/emperor/cgroup.subtree_control", "+memory");
	expect(w, "fs/cgroup.subtree_control", "cpu memory pids\n"); /* not ours to change */
	cgroup_done(&c);
}

static void what_cannot_be_divided_is_refused_with_a_reason(void **state)
{
	static const struct {
		const char *file, *text, *why;
	} cases[] = {
		{"fs/emperor/cgroup.controllers", "cpu pids memory_recursiveprot\n",
		 "memory controller is not among"},
		{"fs/cgroup.subtree_control", "cpu pids\n", "hands no memory controller down"},
		{"mounts", "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n", "no cgroup v2"},
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world *fresh;
		struct cgroup c;
		void *again;

		setup(&again);
		fresh = again;
		put(fresh, cases[i].file, cases[i].text);
		c = find(fresh);
		assert_null(c.dir);
		assert_non_null(strstr(c.why, cases[i].why));
		cgroup_done(&c);
		teardown(&again);
	}
	(void)w;
}

static void a_directory_that_is_named_is_taken_as_it_is(void **state)
{
	struct world *w = *state;
	char dir[PATH_MAX];
	const struct cgroup_places places = {.dir = dir};
	struct cgroup c;

	(void)snprintf(dir, sizeof(dir), "%s/fs/emperor", w->top);
	put(w, "fs/cgroup.subtree_control", "\n"); /* the operator has seen to it */
	cgroup_find(&c, &places);
	assert_string_equal(c.why, "");
	expect(w, "fs/emperor/cgroup.subtree_control", "+memory");
	cgroup_done(&c);
}

static void an_app_enters_a_group_with_its_limit(void **state)
{
	struct world *w = *state;
	struct cgroup c = find(w);
	struct err err = {0};
	int fd = -1;

	assert_int_equal(cgroup_enter(&c, "blog", 1073741824, &fd, &err), 0);
	expect(w, "fs/emperor/app-blog/memory.max", "1073741824");
	expect(w, "fs/emperor/app-blog/memory.high", "1006632960");
	assert_int_equal(write(fd, "0", 1), 1);
	assert_int_equal(close(fd), 0);
	expect(w, "fs/emperor/app-blog/cgroup.procs", "0");
	assert_int_equal(cgroup_enter(&c, "blog", 0, &fd, &err), 0);
	assert_int_equal(close(fd), 0);
	expect(w, "fs/emperor/app-blog/memory.max", "max");
	cgroup_done(&c);
}

/* The kernel would take back what is over it first, and the emperor wait for that. */
static void a_limit_below_what_the_group_holds_is_written_by_a_child(void **state)
{
	struct world *w = *state;
	struct cgroup c = find(w);
	struct err err = {0};
	int held = open(w->top, O_RDONLY | O_CLOEXEC);
	int status = -1;

	assert_true(held > STDERR_FILENO);
	put(w, "fs/emperor/app-blog/memory.current", "900000000\n");
	assert_int_equal(cgroup_limit(&c, "blog", 1073741824, &err), 0);
	assert_int_equal(waitpid(-1, &status, WNOHANG), -1);
	expect(w, "fs/emperor/app-blog/memory.max", "1073741824");

	assert_int_equal(cgroup_limit(&c, "blog", 104857600, &err), 0);
	assert_true(waitpid(-1, &status, 0) > 0);
	assert_int_equal(status, 0);
	(void)close(held);
	expect(w, "fs/emperor/app-blog/memory.max", "104857600");
	expect(w, "fs/emperor/app-blog/memory.high", "98304000");
	cgroup_done(&c);
}

/* Here memory.max forgets what it was told, as if somebody had written another limit at once. */
static void a_child_that_is_late_leaves_the_rest_to_who_came_later(void **state)
{
	struct world *w = *state;
	struct cgroup c = find(w);
	struct err err = {0};
	int status = -1;

	put(w, "fs/emperor/app-blog/memory.current", "900000000\n");
	assert_int_equal(unlink(at(w, "fs/emperor/app-blog/memory.max")), 0);
	assert_int_equal(symlink("/dev/null", at(w, "fs/emperor/app-blog/memory.max")), 0);
	assert_int_equal(cgroup_limit(&c, "blog", 104857600, &err), 0);
	assert_true(waitpid(-1, &status, 0) > 0);
	assert_int_equal(status, 0);
	expect(w, "fs/emperor/app-blog/memory.high", "max\n");
	cgroup_done(&c);
}

static void a_control_that_is_not_there_is_an_error_and_not_made(void **state)
{
	struct world *w = *state;
	struct cgroup c = find(w);
	struct err err = {0};
	int fd = -1;

	assert_int_equal(cgroup_enter(&c, "shop", 1048576, &fd, &err), -ENOENT);
	assert_non_null(strstr(err.text, "memory.max"));
	assert_int_equal(access(at(w, "fs/emperor/app-shop/memory.max"), F_OK), -1);
	assert_int_equal(fd, -1);
	cgroup_remove(&c, "shop");
	assert_int_equal(access(at(w, "fs/emperor/app-shop"), F_OK), -1);
	cgroup_done(&c);
}

static void kills_for_want_of_memory_are_read(void **state)
{
	struct world *w = *state;
	struct cgroup c = find(w);
	uint64_t n = 0;

	assert_int_equal(cgroup_oom_kills(&c, "blog", &n), 0);
	assert_int_equal(n, 2);
	put(w, "fs/emperor/app-blog/memory.events", "oom_group_kill 7\n");
	assert_int_equal(cgroup_oom_kills(&c, "blog", &n), -EBADMSG);
	assert_int_equal(cgroup_oom_kills(&c, "shop", &n), -ENOENT);
	cgroup_done(&c);
	assert_int_equal(cgroup_oom_kills(&c, "blog", &n), -EOPNOTSUPP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_group_below_the_root_is_divided, setup, teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_divided_is_refused_with_a_reason,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_directory_that_is_named_is_taken_as_it_is, setup,
						teardown),
		cmocka_unit_test_setup_teardown(an_app_enters_a_group_with_its_limit, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			a_limit_below_what_the_group_holds_is_written_by_a_child, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_child_that_is_late_leaves_the_rest_to_who_came_later, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_control_that_is_not_there_is_an_error_and_not_made, setup, teardown),
		cmocka_unit_test_setup_teardown(kills_for_want_of_memory_are_read, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
