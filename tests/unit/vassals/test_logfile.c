/*
 * test_logfile - which files a log is written to, and which never.
 */
#include "emperor/vassals/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>

#include "tests/unit/vassals/fixture.h"

static char dir[64];

static int set_up(void **state)
{
	(void)state;
	(void)strcpy(dir, "/tmp/emperor-logfile-XXXXXX");
	return mkdtemp(dir) && chmod(dir, 0755) == 0 ? 0 : -1;
}

static void path_of(char *buf, size_t size, const char *name)
{
	(void)snprintf(buf, size, "%s/%s", dir, name);
}

static int tear_down(void **state)
{
	static const char *const names[] = {"log", "target", "fifo", "sub/log"};
	char path[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		path_of(path, sizeof(path), names[i]);
		(void)unlink(path);
	}
	path_of(path, sizeof(path), "sub");
	(void)rmdir(path);
	return rmdir(dir);
}

static struct loaded *with_log(const char *path)
{
	char text[512];

	(void)snprintf(text, sizeof(text), "[vassal]\nmodule = x\nlogto = %s\n", path);
	return fixture_load(text);
}

static int try_open(const char *path, int *ret_fd, struct err *err)
{
	struct loaded *l = with_log(path);
	int r = logfile_open(l, ret_fd, err);

	loaded_unref(l);
	return r;
}

static void an_ini_that_names_none_has_none(void **state)
{
	struct loaded *l = fixture_load("[vassal]\nmodule = x\n");
	int fd = 0;

	(void)state;
	assert_int_equal(logfile_open(l, &fd, NULL), 0);
	assert_int_equal(fd, -1);
	loaded_unref(l);
}

static void a_log_is_appended_to_and_never_inherited(void **state)
{
	char path[128], buf[16];
	int fd, file;

	(void)state;
	path_of(path, sizeof(path), "log");
	file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	assert_int_equal(fchmod(file, 0666), 0);
	assert_int_equal(write(file, "old\n", 4), 4);
	assert_int_equal(try_open(path, &fd, NULL), 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(write(fd, "new\n", 4), 4);
	assert_int_equal(pread(file, buf, sizeof(buf), 0), 8);
	(void)close(fd);
	(void)close(file);
}

static void links_fifos_and_directories_are_refused_by_name(void **state)
{
	char link_path[128], target[128], fifo[128];
	const char *const paths[] = {link_path, fifo, dir, "/no/such/dir/log"};
	int file;

	(void)state;
	path_of(link_path, sizeof(link_path), "log");
	path_of(target, sizeof(target), "target");
	path_of(fifo, sizeof(fifo), "fifo");
	file = open(target, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	assert_int_equal(fchmod(file, 0666), 0);
	assert_int_equal(symlink(target, link_path), 0);
	assert_int_equal(mkfifo(fifo, 0666), 0);
	assert_int_equal(chmod(fifo, 0666), 0);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct err err = {0};
		int fd = -7;

		assert_true(try_open(paths[i], &fd, &err) < 0);
		assert_int_equal(fd, -7);
		assert_non_null(strstr(err.text, paths[i]));
	}
	(void)close(file);
}

static void a_device_is_a_log_too(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(try_open("/dev/null", &fd, NULL), 0);
	(void)close(fd);
}

/* Where the app's rights end: root helps only an ini that root wrote, in a directory that only root writes. */
static void root_opens_for_the_app_only_where_nobody_else_can_write(void **state)
{
	char sub[128], path[160];
	struct loaded *l;
	struct stat st;
	int fd = -7;

	(void)state;
	if (geteuid() != 0)
		skip();
	path_of(sub, sizeof(sub), "sub");
	(void)snprintf(path, sizeof(path), "%s/log", sub);
	assert_int_equal(mkdir(sub, 0755), 0);
	l = with_log(path);
	assert_int_equal(logfile_open(l, &fd, NULL), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_uid, 0);
	(void)close(fd);
	assert_int_equal(unlink(path), 0);

	l->roots = false;
	assert_int_equal(logfile_open(l, &fd, NULL), -EACCES);
	l->roots = true;
	/* Someone else's directory, in which the app may not write either. */
	assert_int_equal(chown(sub, 12345, 12345), 0);
	assert_int_equal(logfile_open(l, &fd, NULL), -EACCES);
	assert_int_equal(access(path, F_OK), -1);
	loaded_unref(l);
}

/* The app owns a directory on the way and turns it into a link: the place that it chooses is root's alone, and no place of its. */
static void root_follows_no_link_to_a_log(void **state)
{
	char sub[128], link_path[128], path[160], there[160];
	struct err err = {0};
	struct loaded *l;
	int fd = -7;

	(void)state;
	if (geteuid() != 0)
		skip();
	path_of(sub, sizeof(sub), "sub");
	path_of(link_path, sizeof(link_path), "target");
	(void)snprintf(path, sizeof(path), "%s/log", link_path);
	(void)snprintf(there, sizeof(there), "%s/log", sub);
	assert_int_equal(mkdir(sub, 0755), 0);
	assert_int_equal(symlink("sub", link_path), 0);
	l = with_log(path);
	assert_int_equal(logfile_open(l, &fd, &err), -ELOOP);
	assert_non_null(strstr(err.text, path));
	assert_int_equal(access(there, F_OK), -1);
	assert_int_equal(fd, -7);
	loaded_unref(l);
}

static void a_log_in_the_apps_own_directory_belongs_to_the_app(void **state)
{
	const struct passwd *pw = getpwnam("nobody");
	char path[128];
	struct stat st;
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(pw);
	assert_int_equal(chown(dir, pw->pw_uid, pw->pw_gid), 0);
	path_of(path, sizeof(path), "log");
	assert_int_equal(try_open(path, &fd, NULL), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_uid, pw->pw_uid);
	(void)close(fd);
	assert_int_equal(geteuid(), 0);
	assert_int_equal(chown(dir, 0, 0), 0);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_ini_that_names_none_has_none),
		CASE(a_log_is_appended_to_and_never_inherited),
		CASE(links_fifos_and_directories_are_refused_by_name),
		CASE(a_device_is_a_log_too),
		CASE(root_opens_for_the_app_only_where_nobody_else_can_write),
		CASE(root_follows_no_link_to_a_log),
		CASE(a_log_in_the_apps_own_directory_belongs_to_the_app),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
