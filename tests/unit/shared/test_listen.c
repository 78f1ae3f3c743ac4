/*
 * test_listen - what stands in a socket's way decides: a stale socket is replaced, anything else is left alone.
 */
#include "shared/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "shared/err.h"

static const struct listen_options plain = {.owner_uid = (uid_t)-1,
					    .owner_gid = (gid_t)-1,
					    .bind_uid = (uid_t)-1,
					    .bind_gid = (gid_t)-1};
static char dir[64];
static char path[80];

static int set_up(void **state)
{
	(void)state;
	(void)strcpy(dir, "/tmp/emperor-listen-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/s", dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(dir);
}

static struct address parsed(const char *text)
{
	struct address a;

	assert_int_equal(address_parse(text, &a, NULL), 0);
	return a;
}

static int open_path(int *fd, struct err *err)
{
	struct address a = parsed(path);

	return listen_open(&a, &plain, fd, NULL, err);
}

static int try_connect(const struct address *a)
{
	int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r = connect(fd, &a->sa, a->len) < 0 ? -errno : 0;

	(void)close(fd);
	return r;
}

static void a_unix_socket_gets_its_mode_and_is_born_cloexec(void **state)
{
	struct listen_options o = plain;
	struct address a = parsed(path);
	struct stat st;
	int fd;

	(void)state;
	o.mode = 0664;
	assert_int_equal(listen_open(&a, &o, &fd, NULL, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0664);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(try_connect(&a), 0);
	(void)close(fd);
}

static void a_stale_socket_is_replaced(void **state)
{
	struct address a = parsed(path);
	int fd;

	(void)state;
	assert_int_equal(open_path(&fd, NULL), 0);
	(void)close(fd);
	assert_int_equal(try_connect(&a), -ECONNREFUSED);
	assert_int_equal(open_path(&fd, NULL), 0);
	assert_int_equal(try_connect(&a), 0);
	(void)close(fd);
}

static void a_live_socket_is_left_alone(void **state)
{
	struct address a = parsed(path);
	struct err err = {0};
	int fd, second;

	(void)state;
	assert_int_equal(open_path(&fd, NULL), 0);
	assert_int_equal(open_path(&second, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, path));
	assert_int_equal(try_connect(&a), 0);
	(void)close(fd);
}

static void a_file_in_the_way_is_an_error_and_stays(void **state)
{
	struct err err = {0};
	struct stat st;
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	(void)state;
	assert_int_equal(write(fd, "mine", 4), 4);
	(void)close(fd);
	assert_int_equal(open_path(&fd, &err), -EEXIST);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(st.st_size, 4);
}

static void a_link_in_the_way_is_an_error_wherever_it_leads(void **state)
{
	char target[96];
	struct stat st;
	int fd;

	(void)state;
	(void)snprintf(target, sizeof(target), "%s-target", path);
	assert_int_equal(symlink(target, path), 0);
	assert_int_equal(open_path(&fd, NULL), -ELOOP);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(lstat(target, &st), -1);
}

static void unlink_takes_our_name_away_and_nobody_elses(void **state)
{
	struct address a = parsed(path);
	int old, now;

	(void)state;
	assert_int_equal(open_path(&old, NULL), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(open_path(&now, NULL), 0);
	listen_unlink(old);
	assert_int_equal(try_connect(&a), 0);
	listen_unlink(now);
	assert_int_equal(access(path, F_OK), -1);
	(void)close(old);
	(void)close(now);
}

static void an_apps_socket_is_made_with_the_apps_rights(void **state)
{
	struct listen_options o = plain;
	struct address a = parsed(path);
	struct stat st;
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip(); /* only root can become, or give a file to, another user */
	o.bind_uid = 65534;
	o.bind_gid = 65534;
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(listen_open(&a, &o, &fd, NULL, NULL), -EACCES);
	assert_int_equal(chmod(dir, 0777), 0);
	assert_int_equal(listen_open(&a, &o, &fd, NULL, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 65534);
	/* And we are ourselves again. */
	assert_int_equal(chmod(dir, 0700), 0);
	assert_int_equal(access(path, F_OK), 0);
	(void)close(fd);
	o.owner_uid = 1;
	o.owner_gid = 2;
	assert_int_equal(chmod(dir, 0777), 0);
	assert_int_equal(listen_open(&a, &o, &fd, NULL, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 1);
	assert_int_equal(st.st_gid, 2);
	(void)close(fd);
}

#define APP 65534

/* As an app's user, in a directory that is the user's own. */
static struct listen_options as_app(void)
{
	struct listen_options o = plain;

	o.bind_uid = APP;
	o.bind_gid = APP;
	return o;
}

static void a_name_is_removed_while_it_is_ours_and_not_after(void **state)
{
	struct address a = parsed(path);
	int fd, name, other;

	(void)state;
	assert_int_equal(listen_open_named(&a, &plain, &fd, &name, NULL, NULL), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(open_path(&other, NULL), 0);
	(void)close(other); /* stale, so that only its inode tells that it is another's */
	listen_remove(name, &a, &plain);
	assert_int_equal(access(path, F_OK), 0);
	(void)close(name);
	(void)close(fd);
	assert_int_equal(listen_open_named(&a, &plain, &fd, &name, NULL, NULL), 0);
	listen_remove(name, &a, &plain);
	assert_int_equal(access(path, F_OK), -1);
	(void)close(name);
	(void)close(fd);
}

/* What the app's user could not remove, root does not remove for it. */
static void an_apps_name_is_removed_with_the_apps_rights(void **state)
{
	struct listen_options o = as_app();
	struct address a = parsed(path);
	int fd, name;

	(void)state;
	if (geteuid() != 0)
		skip(); /* only root can become, or give a file to, another user */
	assert_int_equal(chown(dir, APP, APP), 0);
	assert_int_equal(listen_open_named(&a, &o, &fd, &name, NULL, NULL), 0);
	assert_int_equal(chown(dir, 0, 0), 0);
	assert_int_equal(chmod(dir, 0755), 0);
	listen_remove(name, &a, &o);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(chown(dir, APP, APP), 0);
	listen_remove(name, &a, &o);
	assert_int_equal(access(path, F_OK), -1);
	(void)close(name);
	(void)close(fd);
}

static void a_name_that_was_given_away_goes_from_a_sticky_directory_too(void **state)
{
	struct listen_options o = as_app();
	struct address a = parsed(path);
	int fd, name;

	(void)state;
	if (geteuid() != 0)
		skip(); /* only root can become, or give a file to, another user */
	o.owner_uid = 1;
	assert_int_equal(chmod(dir, 01777), 0);
	assert_int_equal(listen_open_named(&a, &o, &fd, &name, NULL, NULL), 0);
	listen_remove(name, &a, &o);
	assert_int_equal(access(path, F_OK), -1);
	(void)close(name);
	(void)close(fd);
}

static void every_group_of_the_app_counts_and_a_refusal_names_the_directory(void **state)
{
	struct listen_options o = as_app();
	struct address a = parsed(path);
	struct err err = {0};
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip(); /* only root can become, or give a file to, another user */
	assert_int_equal(chown(dir, 0, 12345), 0);
	assert_int_equal(chmod(dir, 0775), 0);
	assert_int_equal(listen_open(&a, &o, &fd, NULL, &err), -EACCES);
	assert_non_null(
		strstr(err.text, "user nobody may not create files in /tmp/emperor-listen"));
	o.bind_groups[0] = 777;
	o.bind_groups[1] = 12345;
	o.bind_groups_n = 2;
	assert_int_equal(listen_open(&a, &o, &fd, NULL, NULL), 0);
	(void)close(fd);
}

static mode_t mode_of(const char *file)
{
	struct stat st;

	assert_int_equal(lstat(file, &st), 0);
	return st.st_mode & 07777;
}

static void mode_and_owner_of_a_name_change_while_it_listens(void **state)
{
	struct listen_options was = plain;
	struct listen_options now = plain;
	struct address a = parsed(path);
	struct stat st;
	int fd, name;

	(void)state;
	was.mode = 0600;
	now.mode = 0640;
	assert_int_equal(listen_open_named(&a, &was, &fd, &name, NULL, NULL), 0);
	assert_true(name >= 0);
	assert_int_equal(listen_adjust(fd, name, &a, &was, &now, NULL), 0);
	assert_int_equal(mode_of(path), 0640);
	was = now;
	now.mode = 0;
	assert_int_equal(listen_adjust(fd, name, &a, &was, &now, NULL), 0);
	assert_int_equal(mode_of(path), 0666);
	if (geteuid() == 0) {
		was = now;
		now.bind_uid = 12345;
		now.bind_gid = 12346;
		assert_int_equal(listen_adjust(fd, name, &a, &was, &now, NULL), 0);
		assert_int_equal(lstat(path, &st), 0);
		assert_int_equal(st.st_uid, 12345);
		assert_int_equal(st.st_gid, 12346);
		was = now;
		now.owner_gid = 0;
		assert_int_equal(listen_adjust(fd, name, &a, &was, &now, NULL), 0);
		assert_int_equal(lstat(path, &st), 0);
		assert_int_equal(st.st_uid, 12345);
		assert_int_equal(st.st_gid, 0);
	}
	assert_int_equal(try_connect(&a), 0);
	(void)close(name);
	listen_unlink(fd);
	(void)close(fd);
}

/* What an operator changed by hand and no ini speaks of is not changed back. */
static void what_did_not_change_is_not_touched(void **state)
{
	struct listen_options now = plain;
	struct address a = parsed(path);
	int fd, name;

	(void)state;
	assert_int_equal(listen_open_named(&a, &plain, &fd, &name, NULL, NULL), 0);
	assert_int_equal(chmod(path, 0604), 0);
	now.backlog = 5;
	assert_int_equal(listen_adjust(fd, name, &a, &plain, &now, NULL), 0);
	assert_int_equal(mode_of(path), 0604);
	(void)close(name);
	listen_unlink(fd);
	(void)close(fd);
}

static void a_name_that_others_swapped_is_not_changed(void **state)
{
	struct listen_options now = plain;
	struct address a = parsed(path);
	struct err err = {0};
	int fd, name, file;

	(void)state;
	now.mode = 0600;
	assert_int_equal(listen_open_named(&a, &plain, &fd, &name, NULL, NULL), 0);
	/* Another file under the name: the pinned one is changed, or none. */
	assert_int_equal(unlink(path), 0);
	file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	(void)listen_adjust(fd, name, &a, &plain, &now, &err);
	assert_int_equal(mode_of(path), 0644);
	(void)close(name);
	(void)close(file);
	(void)close(fd);
	/* Owned by somebody whom we did not give it to. */
	assert_int_equal(unlink(path), 0);
	if (geteuid() == 0) {
		assert_int_equal(listen_open_named(&a, &plain, &fd, &name, NULL, NULL), 0);
		assert_int_equal(chown(path, 777, 777), 0);
		assert_int_equal(listen_adjust(fd, name, &a, &plain, &now, &err), -EEXIST);
		assert_int_equal(mode_of(path), 0666);
		(void)close(name);
		(void)close(fd);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_unix_socket_gets_its_mode_and_is_born_cloexec),
		TEST(a_stale_socket_is_replaced),
		TEST(a_live_socket_is_left_alone),
		TEST(a_file_in_the_way_is_an_error_and_stays),
		TEST(a_link_in_the_way_is_an_error_wherever_it_leads),
		TEST(unlink_takes_our_name_away_and_nobody_elses),
		TEST(an_apps_socket_is_made_with_the_apps_rights),
		TEST(a_name_is_removed_while_it_is_ours_and_not_after),
		TEST(an_apps_name_is_removed_with_the_apps_rights),
		TEST(a_name_that_was_given_away_goes_from_a_sticky_directory_too),
		TEST(every_group_of_the_app_counts_and_a_refusal_names_the_directory),
		TEST(mode_and_owner_of_a_name_change_while_it_listens),
		TEST(what_did_not_change_is_not_touched),
		TEST(a_name_that_others_swapped_is_not_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
