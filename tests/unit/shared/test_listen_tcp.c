/*
 * test_listen_tcp - ports: who has one, who is heard on it, and who is left to the kernel.
 */
#include "shared/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "shared/err.h"

static const struct listen_options plain = {.owner_uid = (uid_t)-1, .owner_gid = (gid_t)-1};

static struct address parsed(const char *text)
{
	struct address a;

	assert_int_equal(address_parse(text, &a, NULL), 0);
	return a;
}

static in_port_t port_of(int fd)
{
	struct address a = {0};
	socklen_t len = sizeof(a.storage);

	assert_int_equal(getsockname(fd, &a.sa, &len), 0);
	return a.sa.sa_family == AF_INET6 ? a.in6.sin6_port : a.in.sin_port;
}

static int try_connect(const struct address *a)
{
	int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r = connect(fd, &a->sa, a->len) < 0 ? -errno : 0;

	(void)close(fd);
	return r;
}

static int deferred_s(int fd)
{
	int s = -1;
	socklen_t n = sizeof(s);

	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &s, &n), 0);
	return s;
}

static void whoever_says_nothing_is_kept_by_the_kernel(void **state)
{
	struct address a = parsed("127.0.0.1:1");
	struct listen_options o = plain;
	FILE *cookies = fopen("/proc/sys/net/ipv4/tcp_syncookies", "re");
	/* without them the mute could keep everybody else out */
	int expected = cookies && fgetc(cookies) != '0' ? 3 : 0;
	int fd;

	(void)state;
	if (cookies)
		(void)fclose(cookies);
	a.in.sin_port = 0;
	o.defer_accept = true;
	assert_int_equal(listen_open(&a, &o, &fd, NULL, NULL), 0);
	assert_int_equal(deferred_s(fd), expected);
	(void)close(fd);
	/* one that was kept may be another build's, whatever is known of it */
	assert_int_equal(listen_open(&a, &plain, &fd, NULL, NULL), 0);
	assert_int_equal(deferred_s(fd), 0);
	assert_int_equal(listen_adjust(fd, -1, &a, &o, &o, NULL), 0);
	assert_int_equal(deferred_s(fd), expected);
	(void)close(fd);
}

/* In a network of its own, whose cookies it may switch off. 0: nothing was deferred. */
static int child_without_cookies(void)
{
	struct address a = parsed("0.0.0.0:1");
	struct listen_options o = plain;
	int fd = unshare(CLONE_NEWNET) < 0
			 ? -1
			 : open("/proc/sys/net/ipv4/tcp_syncookies", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "0", 1) != 1)
		return 77;
	a.in.sin_port = 0;
	o.defer_accept = true;
	return listen_open(&a, &o, &fd, NULL, NULL) < 0 ? 78 : deferred_s(fd);
}

/* Nothing tells of cookies: a kernel that has none, or a /proc that is hidden. 0: nothing was deferred. */
static int child_that_cannot_know(void)
{
	struct address a = parsed("127.0.0.1:1");
	struct listen_options o = plain;
	int fd;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", "/proc/sys", "tmpfs", 0, NULL) < 0)
		return 77;
	a.in.sin_port = 0;
	o.defer_accept = true;
	return listen_open(&a, &o, &fd, NULL, NULL) < 0 ? 78 : deferred_s(fd);
}

static void nobody_is_deferred_in(int (*child)(void))
{
	int status = 0;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	pid = fork();
	if (pid == 0)
		_exit(child());
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status == W_EXITCODE(77, 0))
		skip(); /* a container that gives nothing of the kind away */
	assert_int_equal(status, 0);
}

static void the_mute_could_keep_others_out_where_there_are_no_cookies(void **state)
{
	(void)state;
	nobody_is_deferred_in(child_without_cookies);
}

static void nor_are_they_believed_in_unseen(void **state)
{
	(void)state;
	nobody_is_deferred_in(child_that_cannot_know);
}

static void a_port_in_use_is_said(void **state)
{
	struct address a = parsed("127.0.0.1:1");
	struct err err = {0};
	int fd, second;

	(void)state;
	a.in.sin_port = 0;
	assert_int_equal(listen_open(&a, &plain, &fd, NULL, NULL), 0);
	a.in.sin_port = port_of(fd);
	assert_int_equal(try_connect(&a), 0);
	assert_int_equal(listen_open(&a, &plain, &second, NULL, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, "127.0.0.1:"));
	(void)close(fd);
}

static void any_answers_on_ipv4_too(void **state)
{
	struct address any = parsed(":1");
	struct address four = parsed("127.0.0.1:1");
	int fd;

	(void)state;
	if (any.sa.sa_family == AF_INET6)
		any.in6.sin6_port = 0;
	else
		any.in.sin_port = 0;
	assert_int_equal(listen_open(&any, &plain, &fd, NULL, NULL), 0);
	four.in.sin_port = port_of(fd);
	assert_int_equal(try_connect(&four), 0);
	(void)close(fd);
}

static void a_backlog_beyond_somaxconn_is_clamped_and_told(void **state)
{
	struct listen_options o = plain;
	struct address a = parsed("127.0.0.1:1");
	bool clamped;
	int fd;

	(void)state;
	a.in.sin_port = 0;
	o.backlog = INT32_MAX;
	assert_int_equal(listen_open(&a, &o, &fd, &clamped, NULL), 0);
	assert_true(clamped);
	(void)close(fd);
	o.backlog = 1;
	assert_int_equal(listen_open(&a, &o, &fd, &clamped, NULL), 0);
	assert_false(clamped);
	(void)close(fd);
}

static void an_empty_address_is_refused(void **state)
{
	struct address a = {0};
	int fd;

	(void)state;
	assert_int_equal(listen_open(&a, &plain, &fd, NULL, NULL), -EAFNOSUPPORT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whoever_says_nothing_is_kept_by_the_kernel),
		cmocka_unit_test(the_mute_could_keep_others_out_where_there_are_no_cookies),
		cmocka_unit_test(nor_are_they_believed_in_unseen),
		cmocka_unit_test(a_port_in_use_is_said),
		cmocka_unit_test(any_answers_on_ipv4_too),
		cmocka_unit_test(a_backlog_beyond_somaxconn_is_clamped_and_told),
		cmocka_unit_test(an_empty_address_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
