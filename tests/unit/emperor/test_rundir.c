/*
 * test_rundir - one emperor for each directory, and only in a directory that is ours alone.
 */
#include "emperor/rundir.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "shared/err.h"

static char base[64];
static char path[80];

static int set_up(void **state)
{
	(void)state;
	(void)strcpy(base, "/tmp/emperor-rundir-XXXXXX");
	if (!mkdtemp(base))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/run", base);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	(void)remove(path);
	return rmdir(base);
}

static void it_is_made_and_left_without_a_pidfile(void **state)
{
	struct rundir d;
	char file[128], text[32] = "";
	FILE *f;

	(void)state;
	assert_int_equal(rundir_open(path, &d, NULL), 0);
	rundir_file(&d, "emperor.pid", file, sizeof(file));
	f = fopen(file, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	(void)fclose(f);
	assert_int_equal(atoi(text), getpid());
	rundir_close(&d);
	assert_int_equal(access(file, F_OK), -1);
	rundir_close(&d);
}

static void a_second_emperor_is_told_of_the_first(void **state)
{
	struct rundir d, second;
	struct err err = {0};
	char pid_text[32];
	int status;
	pid_t pid;

	(void)state;
	/* The lock belongs to a process: the second one must be another. */
	assert_int_equal(rundir_open(path, &d, NULL), 0);
	(void)snprintf(pid_text, sizeof(pid_text), "pid %d", (int)getpid());
	pid = fork();
	if (pid == 0) {
		int r = rundir_open(path, &second, &err);

		_exit(r == -EBUSY && strstr(err.text, pid_text) ? 0 : 1);
	}
	(void)waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	rundir_close(&d);
}

/*
 * Waits in no lock: another process holds the pidfile, takes it away and ends, over and over. Whoever then holds a lock holds
 * that of the file which others find.
 */
static void the_lock_is_that_of_the_file_that_others_find(void **state)
{
	struct stat ours, there;
	struct rundir d;
	char file[128];
	unsigned got = 0;
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(file, sizeof(file), "%s/emperor.pid", path);
	pid = fork();
	if (pid == 0) {
		(void)alarm(30); /* if we fail before we end it */
		for (;;)
			if (rundir_open(path, &d, NULL) == 0)
				rundir_close(&d);
	}
	for (unsigned i = 0; i < 200000 && got < 2000; i++) {
		if (rundir_open(path, &d, NULL) < 0)
			continue;
		got++;
		assert_int_equal(fstat(d.lock_fd, &ours), 0);
		assert_int_equal(lstat(file, &there), 0);
		assert_int_equal(ours.st_ino, there.st_ino);
		rundir_close(&d);
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &status, 0);
	(void)unlink(file);
	assert_true(got > 0);
}

static void a_directory_that_others_may_write_is_refused(void **state)
{
	struct rundir d;

	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, 0777), 0);
	assert_int_equal(rundir_open(path, &d, NULL), -EPERM);
}

static void a_link_is_refused(void **state)
{
	struct rundir d;

	(void)state;
	assert_int_equal(symlink("/tmp", path), 0);
	assert_int_equal(rundir_open(path, &d, NULL), -ENOTDIR);
}

static void another_users_directory_is_refused(void **state)
{
	struct rundir d;

	(void)state;
	if (geteuid() != 0)
		skip(); /* only root can become, or give a file to, another user */
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chown(path, 65534, 65534), 0);
	assert_int_equal(rundir_open(path, &d, NULL), -EPERM);
}

static void only_a_process_that_is_what_was_noted_is_found(void **state)
{
	struct rundir d;
	char file[128];
	int quiet[2]; /* what it reads from, so that it stays: stdin may be at its end */
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(quiet), 0);
	assert_int_equal(rundir_open(path, &d, NULL), 0);
	assert_int_equal(rundir_find_pid(&d, "gate"), 0);
	assert_int_equal(rundir_put_pid(&d, "gate", getpid(), NULL), 0);
	assert_int_equal(rundir_find_pid(&d, "gate"), 0); /* ours is no gate */
	pid = fork();
	if (pid == 0) {
		(void)dup2(quiet[0], STDIN_FILENO);
		(void)execl("/bin/sh", "emperor: gate", "-c", "read x", (char *)NULL);
		_exit(1);
	}
	assert_int_equal(rundir_put_pid(&d, "gate", pid, NULL), 0);
	for (int i = 0; i < 500 && rundir_find_pid(&d, "gate") != pid; i++)
		(void)usleep(1000);
	assert_int_equal(rundir_find_pid(&d, "gate"), pid);
	assert_int_equal(rundir_find_pid(&d, "stats"), 0);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	assert_int_equal(rundir_find_pid(&d, "gate"), 0);
	assert_int_equal(rundir_put_pid(&d, "gate", 0, NULL), 0);
	rundir_file(&d, "gate.pid", file, sizeof(file));
	assert_int_equal(access(file, F_OK), -1);
	assert_int_equal(rundir_put_pid(&d, "gate", 0, NULL), 0);
	rundir_close(&d);
	(void)close(quiet[0]);
	(void)close(quiet[1]);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_is_made_and_left_without_a_pidfile),
		TEST(a_second_emperor_is_told_of_the_first),
		TEST(the_lock_is_that_of_the_file_that_others_find),
		TEST(a_directory_that_others_may_write_is_refused),
		TEST(a_link_is_refused),
		TEST(another_users_directory_is_refused),
		TEST(only_a_process_that_is_what_was_noted_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
