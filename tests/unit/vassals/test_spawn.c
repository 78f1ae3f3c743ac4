/*
 * test_spawn - the child is who it was to be and holds what it was given, nothing else; a step that fails is named.
 */
#include "emperor/vassals/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "shared/err.h"
#include "shared/privs.h"

static int wait_outcome(int fd, struct err *err)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int r;

	do {
		(void)poll(&p, 1, 2000);
		r = spawn_outcome(fd, err);
	} while (r == -EAGAIN);
	return r;
}

/* Runs a shell command with its descriptor 3 as a pipe to us; what it wrote there, and its exit status. */
static int shell(struct spawn *s, const char *command, char *buf, size_t size)
{
	char sh[] = "sh", c[] = "-c", text[512], path[] = "PATH=/usr/bin:/bin", mark[] = "MARK=set";
	char *argv[] = {sh, c, text, NULL};
	char *envp[] = {path, mark, NULL};
	int fds[2], outcome, status = -1;
	size_t n = 0;
	ssize_t r;
	pid_t pid;

	(void)snprintf(text, sizeof(text), "%s", command);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	s->path = "/bin/sh";
	s->argv = argv;
	s->envp = envp;
	s->fds = &fds[1];
	s->fds_n = 1;
	assert_int_equal(spawn_start(s, &pid, &outcome, NULL), 0);
	(void)close(fds[1]);
	assert_int_equal(wait_outcome(outcome, NULL), 1);
	while ((r = read(fds[0], buf + n, size - 1 - n)) > 0)
		n += (size_t)r;
	buf[n] = '\0';
	(void)close(fds[0]);
	(void)close(outcome);
	(void)waitpid(pid, &status, 0);
	return status;
}

static void only_the_named_descriptors_are_open(void **state)
{
	struct spawn s = {.umask = (mode_t)-1};
	char buf[512];
	int leak = open("/dev/null", O_RDONLY); /* on purpose without CLOEXEC */

	(void)state;
	(void)shell(&s,
		    "for f in 0 1 2 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$f ] && printf $f; done >&3",
		    buf, sizeof(buf));
	(void)close(leak);
	assert_string_equal(buf, "0123");
}

static void standard_input_is_dev_null_and_output_goes_to_our_stderr(void **state)
{
	struct spawn s = {.umask = (mode_t)-1};
	char buf[512], want[512] = "/dev/null\n";
	ssize_t n = readlink("/proc/self/fd/2", want + 10, sizeof(want) - 12);

	(void)state;
	assert_true(n > 0);
	(void)strcpy(want + 10 + n, "\n");
	(void)shell(
		&s,
		"a=$(readlink /proc/$$/fd/0) b=$(readlink /proc/$$/fd/1); echo $a >&3; echo $b >&3",
		buf, sizeof(buf));
	assert_string_equal(buf, want);
}

static void the_child_leads_a_session_and_has_fresh_signals(void **state)
{
	struct spawn s = {.umask = (mode_t)-1};
	char buf[512], session[32], none[2];
	sigset_t set, was;
	int pid;

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &set, &was);
	(void)shell(&s,
		    "echo $$ >&3; cut -d' ' -f6 /proc/$$/stat >&3; grep -E '^Sig(Blk|Ign)' "
		    "/proc/$$/status | "
		    "grep -v 0000000000000000 >&3",
		    buf, sizeof(buf));
	(void)sigprocmask(SIG_SETMASK, &was, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	assert_int_equal(sscanf(buf, "%d %31s %1s", &pid, session, none), 2);
	assert_int_equal(atoi(session), pid);
}

static void limits_umask_and_directories_are_set(void **state)
{
	struct spawn s = {
		.umask = 027,
		.limits = {{RLIMIT_NOFILE, 77}},
		.limits_n = 1,
		.home_dir = "/nowhere/at/all",
	};
	char buf[512];

	(void)state;
	(void)shell(&s, "ulimit -n >&3; umask >&3; pwd >&3; echo $MARK >&3", buf, sizeof(buf));
	assert_string_equal(buf, "77\n0027\n/\nset\n");
	s.home_dir = "/usr";
	s.chdir = "bin";
	(void)shell(&s, "pwd >&3", buf, sizeof(buf));
	assert_string_equal(buf, "/usr/bin\n");
}

static void the_child_is_the_user_and_gains_nothing(void **state)
{
	struct privs p = {
		.uid = 65534, .gid = 65534, .groups = {65534}, .groups_n = 1, .set_groups = true};
	struct spawn s = {.umask = (mode_t)-1, .privs = &p, .no_new_privs = true};
	char buf[512];

	(void)state;
	if (geteuid() != 0)
		skip();
	(void)shell(&s, "id -u >&3; id -g >&3; id -G >&3; grep NoNewPrivs /proc/$$/status >&3", buf,
		    sizeof(buf));
	assert_string_equal(buf, "65534\n65534\n65534\nNoNewPrivs:\t1\n");
}

static int failing(struct spawn *s, struct err *err)
{
	char name[] = "x";
	char *argv[] = {name, NULL};
	char *envp[] = {NULL};
	int outcome, status;
	pid_t pid;
	int r;

	s->argv = argv;
	s->envp = envp;
	assert_int_equal(spawn_start(s, &pid, &outcome, err), 0);
	r = wait_outcome(outcome, err);
	(void)close(outcome);
	(void)waitpid(pid, &status, 0);
	assert_int_equal(WEXITSTATUS(status), 127);
	return r;
}

static void a_step_that_fails_names_what_it_was_asked_for(void **state)
{
	struct spawn cases[] = {
		{.path = "/nowhere/at/all", .umask = (mode_t)-1},
		{.path = "/bin/true", .umask = (mode_t)-1, .chdir = "/nowhere/at/all"},
		{.path = "/bin/true",
		 .umask = (mode_t)-1,
		 .limits = {{RLIMIT_NPROC, 1000}, {1000, 77}},
		 .limits_n = 2},
	};
	static const struct {
		int code;
		const char *text;
	} want[ARRAY_SIZE(cases)] = {
		{-ENOENT, "run /nowhere/at/all: No such file or directory"},
		{-ENOENT, "chdir /nowhere/at/all: No such file or directory"},
		{-EINVAL, "limit = 77: Invalid argument"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = {0};

		assert_int_equal(failing(&cases[i], &err), want[i].code);
		assert_string_equal(err.text, want[i].text);
	}
}

/* Above fs.nr_open the kernel refuses even root; the child starts with what there is, and that is told beforehand. */
static void a_limit_that_nobody_may_have_is_clamped_to_the_hard_one(void **state)
{
	struct spawn s = {
		.umask = (mode_t)-1, .limits = {{RLIMIT_NOFILE, 1ULL << 40}}, .limits_n = 1};
	char buf[512], want[64];
	struct rlimit r;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &r), 0);
	assert_true(spawn_limit_value(&s.limits[0], false) == r.rlim_max);
	(void)snprintf(want, sizeof(want), "%llu\n", (unsigned long long)r.rlim_max);
	(void)shell(&s, "ulimit -S -n >&3", buf, sizeof(buf));
	assert_string_equal(buf, want);
}

static void a_hard_limit_that_is_to_be_kept_is_never_raised(void **state)
{
	struct spawn s = {.umask = (mode_t)-1, .limits_n = 1};
	struct rlimit was, low;
	char buf[512];

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(getrlimit(RLIMIT_NPROC, &was), 0);
	low = (struct rlimit){.rlim_cur = 5000, .rlim_max = 5000};
	s.limits[0] = (struct spawn_limit){RLIMIT_NPROC, 6000};
	if (setrlimit(RLIMIT_NPROC, &low) < 0)
		skip();
	s.keep_hard = true;
	assert_true(spawn_limit_value(&s.limits[0], true) == 5000);
	(void)shell(&s, "grep processes /proc/$$/limits | tr -s ' ' >&3", buf, sizeof(buf));
	(void)setrlimit(RLIMIT_NPROC, &was);
	assert_string_equal(buf, "Max processes 5000 5000 processes \n");
}

static void output_goes_where_it_is_told(void **state)
{
	struct spawn s = {.umask = (mode_t)-1};
	char buf[512], said[64];
	int fds[2];
	ssize_t n;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	s.stderr_fd = fds[1];
	(void)shell(&s, "echo out; echo err >&2; [ -e /proc/$$/fd/4 ] && echo leaked", buf,
		    sizeof(buf));
	(void)close(fds[1]);
	n = read(fds[0], said, sizeof(said) - 1);
	assert_int_equal(n, 8);
	said[n] = '\0';
	assert_string_equal(said, "out\nerr\n");
	(void)close(fds[0]);
}

static void a_user_that_cannot_be_is_named(void **state)
{
	struct privs p = {.uid = 4242, .gid = 4243, .set_groups = true};
	struct spawn s = {.path = "/bin/true", .umask = (mode_t)-1, .privs = &p};
	struct err err = {0};

	(void)state;
	if (geteuid() == 0)
		skip();
	assert_int_equal(failing(&s, &err), -EPERM);
	assert_non_null(strstr(err.text, "become uid 4242, gid 4243"));
}

static void a_path_longer_than_the_report_is_cut(void **state)
{
	static char longer[3000];
	struct spawn s = {.path = "/bin/true", .umask = (mode_t)-1, .chdir = longer};
	struct err err = {0};

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(longer); i++)
		longer[i] = i % 100 == 0 ? '/' : 'x';
	assert_int_equal(failing(&s, &err), -ENOENT);
	assert_non_null(strstr(err.text, "chdir /xxx"));
}

static void a_directory_is_entered_with_the_users_rights_not_ours(void **state)
{
	char dir[] = "/tmp/emperor-spawn-XXXXXX";
	struct privs p = {.uid = 65534, .gid = 65534, .set_groups = true};
	struct spawn s = {.path = "/bin/true", .umask = (mode_t)-1, .privs = &p, .chdir = dir};
	struct err err = {0};

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	assert_int_equal(failing(&s, &err), -EACCES);
	assert_int_equal(rmdir(dir), 0);
}

/* Sources that stand where other ones must go: 3 and 4 crosswise. */
static void descriptors_may_stand_in_each_others_places(void **state)
{
	char sh[] = "sh", c[] = "-c", text[] = "read a <&3; read b <&4; [ $a = a ] && [ $b = b ]";
	char *argv[] = {sh, c, text, NULL};
	char *envp[] = {NULL};
	int a[2], b[2], high_a, high_b, outcome, status;
	struct spawn s = {.path = "/bin/sh", .argv = argv, .envp = envp, .umask = (mode_t)-1};
	int fds[2];
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(a, O_CLOEXEC), 0);
	assert_int_equal(pipe2(b, O_CLOEXEC), 0);
	assert_int_equal(write(a[1], "a\n", 2), 2);
	assert_int_equal(write(b[1], "b\n", 2), 2);
	high_a = fcntl(a[0], F_DUPFD_CLOEXEC, 50);
	high_b = fcntl(b[0], F_DUPFD_CLOEXEC, 50);
	for (int i = 0; i < 2; i++) {
		(void)close(a[i]);
		(void)close(b[i]);
	}
	assert_int_equal(dup3(high_b, 3, O_CLOEXEC), 3);
	assert_int_equal(dup3(high_a, 4, O_CLOEXEC), 4);
	fds[0] = 4;
	fds[1] = 3;
	s.fds = fds;
	s.fds_n = 2;
	assert_int_equal(spawn_start(&s, &pid, &outcome, NULL), 0);
	assert_int_equal(wait_outcome(outcome, NULL), 1);
	(void)waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	(void)close(outcome);
	(void)close(3);
	(void)close(4);
	(void)close(high_a);
	(void)close(high_b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_named_descriptors_are_open),
		cmocka_unit_test(standard_input_is_dev_null_and_output_goes_to_our_stderr),
		cmocka_unit_test(the_child_leads_a_session_and_has_fresh_signals),
		cmocka_unit_test(limits_umask_and_directories_are_set),
		cmocka_unit_test(the_child_is_the_user_and_gains_nothing),
		cmocka_unit_test(a_step_that_fails_names_what_it_was_asked_for),
		cmocka_unit_test(a_limit_that_nobody_may_have_is_clamped_to_the_hard_one),
		cmocka_unit_test(a_hard_limit_that_is_to_be_kept_is_never_raised),
		cmocka_unit_test(output_goes_where_it_is_told),
		cmocka_unit_test(a_user_that_cannot_be_is_named),
		cmocka_unit_test(a_path_longer_than_the_report_is_cut),
		cmocka_unit_test(a_directory_is_entered_with_the_users_rights_not_ours),
		cmocka_unit_test(descriptors_may_stand_in_each_others_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
