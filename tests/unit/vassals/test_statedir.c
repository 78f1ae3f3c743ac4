/*
 * test_statedir - files of state are the emperor's own or are not read, and one that is replaced is never half there.
 */
#include "emperor/vassals/statedir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "shared/buf.h"
#include "shared/err.h"

struct world {
	char dir[64];
	int fd;
};

static int make_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	(void)snprintf(w->dir, sizeof(w->dir), "/tmp/test-statedir-XXXXXX");
	if (!mkdtemp(w->dir) || statedir_open(w->dir, &w->fd, NULL) < 0)
		return -1;
	*state = w;
	return 0;
}

static int end_world(void **state)
{
	struct world *w = *state;
	char path[128];

	for (const char *const *name = (const char *const[]){"a.state", "b.state", ".new-a.state",
							     "readme", "b", NULL};
	     *name; name++)
		(void)unlinkat(w->fd, *name, 0);
	(void)snprintf(path, sizeof(path), "%s/state", w->dir);
	(void)close(w->fd);
	if (rmdir(path) < 0 || rmdir(w->dir) < 0)
		return -1;
	free(w);
	return 0;
}

static void write_text(const struct world *w, const char *name, const char *text)
{
	struct err err = {0};

	if (statedir_write(w->fd, name, span_str(text), &err) < 0)
		fail_msg("%s", err.text);
}

static int read_text(const struct world *w, const char *name, char *buf, size_t max)
{
	struct buf out = {0};
	int r = statedir_read(w->fd, name, &out, max, NULL);

	if (r == 0) {
		memcpy(buf, buf_span(&out).p, out.n);
		buf[out.n] = '\0';
	}
	buf_done(&out);
	return r;
}

static void the_last_that_was_written_is_read(void **state)
{
	char text[32];

	write_text(*state, "a", "one");
	write_text(*state, "a", "another");
	assert_int_equal(read_text(*state, "a", text, 16), 0);
	assert_string_equal(text, "another");
	statedir_remove(((struct world *)*state)->fd, "a");
	assert_int_equal(read_text(*state, "a", text, 16), -ENOENT);
}

static void what_an_emperor_left_half_written_is_in_nobodys_way(void **state)
{
	const struct world *w = *state;
	char text[32];
	int fd = openat(w->fd, ".new-a.state", O_WRONLY | O_CREAT, 0600);

	assert_int_equal(write(fd, "ha", 2), 2);
	(void)close(fd);
	write_text(w, "a", "whole");
	assert_int_equal(read_text(w, "a", text, 16), 0);
	assert_string_equal(text, "whole");
}

static void a_file_that_is_too_long_is_not_read(void **state)
{
	char text[32];

	write_text(*state, "a", "0123456789");
	assert_int_equal(read_text(*state, "a", text, 10), 0);
	assert_int_equal(read_text(*state, "a", text, 9), -EFBIG);
}

static void what_others_could_have_written_is_not_read(void **state)
{
	const struct world *w = *state;
	char text[32];

	write_text(w, "a", "x");
	assert_int_equal(fchmodat(w->fd, "a.state", 0620, 0), 0);
	assert_int_equal(read_text(w, "a", text, 16), -EPERM);
	if (geteuid() == 0) {
		write_text(w, "a", "x");
		assert_int_equal(fchownat(w->fd, "a.state", 33, 33, 0), 0);
		assert_int_equal(read_text(w, "a", text, 16), -EPERM);
	}
}

static void links_and_pipes_are_not_followed(void **state)
{
	const struct world *w = *state;
	char text[32];

	assert_int_equal(symlinkat("/etc/passwd", w->fd, "a.state"), 0);
	assert_int_equal(read_text(w, "a", text, 16), -ELOOP);
	assert_int_equal(mkfifoat(w->fd, "b.state", 0600), 0);
	assert_int_equal(read_text(w, "b", text, 16), -EPERM);
	/* and what is written takes their place */
	write_text(w, "a", "mine");
	assert_int_equal(read_text(w, "a", text, 16), 0);
	assert_string_equal(text, "mine");
}

static void a_directory_that_others_may_write_is_refused(void **state)
{
	const struct world *w = *state;
	struct err err = {0};
	int fd;

	assert_int_equal(fchmod(w->fd, 0770), 0);
	assert_int_equal(statedir_open(w->dir, &fd, &err), -EPERM);
	assert_non_null(strstr(err.text, "others may write"));
}

static void note(void *arg, const char *name)
{
	char *names = arg;

	(void)strcat(names, name);
}

static void only_apps_are_listed(void **state)
{
	const struct world *w = *state;
	char names[64] = "";

	write_text(w, "a", "x");
	(void)close(openat(w->fd, "readme", O_WRONLY | O_CREAT, 0600));
	(void)close(openat(w->fd, ".new-a.state", O_WRONLY | O_CREAT, 0600));
	assert_int_equal(statedir_each(w->fd, note, names, NULL), 0);
	assert_string_equal(names, "a");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_world, end_world)
	const struct CMUnitTest tests[] = {
		TEST(the_last_that_was_written_is_read),
		TEST(what_an_emperor_left_half_written_is_in_nobodys_way),
		TEST(a_file_that_is_too_long_is_not_read),
		TEST(what_others_could_have_written_is_not_read),
		TEST(links_and_pipes_are_not_followed),
		TEST(a_directory_that_others_may_write_is_refused),
		TEST(only_apps_are_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
