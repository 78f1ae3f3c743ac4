/*
 * Tests of shared/pass: connections travel whole or not at all, and the rule of who answers a path.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "shared/err.h"
#include "shared/fd.h"
#include "shared/pass.h"

static void a_connection_arrives_with_all_that_was_read(void **state)
{
	static char buf[PASS_BUF_SIZE] __attribute__((aligned(8)));
	static char bytes[LIMIT_PASS_BYTES];
	static char carve[LIMIT_CARVE_BYTES];
	struct pass sent = {
		.head = {.epoch = 7, .flags = PASS_ONE_REQUEST | PASS_BOUNCE, .listener = 3},
		.script = SPAN("/blog"),
		.carve = span_of(carve, sizeof(carve)),
		.host = SPAN("blog.example"),
		.intro = SPAN("PROXY UNKNOWN\r\n"),
		.bytes = span_of(bytes, sizeof(bytes))};
	struct err err = {0};
	struct pass got;
	int pair[2];

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	assert_int_equal(fd_seqpacket_pair(pair, true), 0);
	sent.fd = pair[0];
	assert_int_equal(pass_send(pair[0], &sent), 0);
	assert_int_equal(pass_recv(pair[1], buf, sizeof(buf), &got, &err), 1);
	assert_int_equal(got.head.epoch, 7);
	assert_int_equal(got.head.flags, PASS_ONE_REQUEST | PASS_BOUNCE);
	assert_int_equal(got.head.listener, 3);
	assert_true(span_eq(got.script, SPAN("/blog")));
	assert_true(span_eq(got.carve, sent.carve));
	assert_true(span_eq(got.host, sent.host));
	assert_int_equal(got.bytes.n, sent.intro.n + sent.bytes.n);
	assert_true(span_starts(got.bytes, sent.intro));
	assert_true(span_eq(span_skip(got.bytes, sent.intro.n), sent.bytes));
	assert_true(fcntl(got.fd, F_GETFD) & FD_CLOEXEC);
	(void)close(got.fd);
	assert_int_equal(pass_recv(pair[1], buf, sizeof(buf), &got, &err), -EAGAIN);
	(void)close(pair[0]);
	assert_int_equal(pass_recv(pair[1], buf, sizeof(buf), &got, &err), 0);
	(void)close(pair[1]);
}

static void what_is_too_large_is_not_sent(void **state)
{
	static char bytes[65536 + LIMIT_PASS_BYTES];
	struct pass p = {.fd = 0};

	(void)state;
	p.bytes = span_of(bytes, PASS_BYTES_MAX + 1);
	assert_int_equal(pass_send(-1, &p), -EMSGSIZE);
	p.bytes.n = 0;
	p.intro = span_of(bytes, PROXY_V1_MAX + 1);
	assert_int_equal(pass_send(-1, &p), -EMSGSIZE);
	p.intro.n = PROXY_V1_MAX;
	p.bytes.n = LIMIT_PASS_BYTES + 1;
	assert_int_equal(pass_send(-1, &p), -EMSGSIZE);
	p.intro.n = p.bytes.n = 0;
	p.carve = span_of(bytes, LIMIT_CARVE_BYTES + 1);
	assert_int_equal(pass_send(-1, &p), -EMSGSIZE);
	p.carve.n = 0;
	p.script = span_of(bytes, 65536 + 5); /* must not become 5 */
	assert_int_equal(pass_send(-1, &p), -EMSGSIZE);
	p.script.n = 0;
	p.host = span_of(bytes, 65536 + 5);
	assert_int_equal(pass_send(-1, &p), -EMSGSIZE);
}

static int lowest_free_fd(void)
{
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);

	assert_true(fd >= 0);
	(void)close(fd);
	return fd;
}

/* One hostile message: what pass_recv says of it, with no descriptor left behind. */
static int receive_raw(const struct pass_head *head, size_t n, int nfds)
{
	static char buf[PASS_BUF_SIZE] __attribute__((aligned(8)));
	int before = lowest_free_fd();
	int fds[3] = {0, 0, 0};
	struct iovec iov = {(void *)(uintptr_t)head, n};
	struct err err = {0};
	struct pass got;
	int pair[2];
	int r;

	assert_int_equal(fd_seqpacket_pair(pair, true), 0);
	assert_int_equal(fd_send(pair[0], &iov, 1, fds, nfds), n);
	r = pass_recv(pair[1], buf, sizeof(buf), &got, &err);
	if (r == 1)
		(void)close(got.fd);
	(void)close(pair[0]);
	(void)close(pair[1]);
	assert_int_equal(lowest_free_fd(), before);
	return r;
}

static void malformed_messages_are_refused_and_leave_nothing_open(void **state)
{
	const struct pass_head good = {.magic = PASS_MAGIC};
	struct pass_head head = good;

	(void)state;
	assert_int_equal(receive_raw(&head, sizeof(head), 1), 1);
	assert_int_equal(receive_raw(&head, sizeof(head), 0), -EBADMSG);
	assert_int_equal(receive_raw(&head, sizeof(head), 2), -EBADMSG);
	assert_int_equal(receive_raw(&head, sizeof(head), 3), -EBADMSG);
	assert_int_equal(receive_raw(&head, sizeof(head) - 1, 1), -EBADMSG);
	assert_int_equal(receive_raw(&head, 1, 1), -EBADMSG);
	head.magic ^= 1;
	assert_int_equal(receive_raw(&head, sizeof(head), 1), -EBADMSG);
	head = good;
	head.bytes_n = 1;
	assert_int_equal(receive_raw(&head, sizeof(head), 1), -EBADMSG);
	head.bytes_n = UINT32_MAX;
	head.script_n = 1;
	assert_int_equal(receive_raw(&head, sizeof(head), 1), -EBADMSG);
	head = good;
	head.carve_n = UINT16_MAX;
	assert_int_equal(receive_raw(&head, sizeof(head), 1), -EBADMSG);
}

static void paths_are_compared_on_segment_boundaries(void **state)
{
	static const struct {
		const char *path, *prefix;
		bool under;
	} cases[] = {
		{"/", "", true},      {"/", "/", true},          {"", "", true},
		{"/a", "/a", true},   {"/a/", "/a", true},       {"/a/b", "/a", true},
		{"/a?b", "/a", true}, {"/ab", "/a", false},      {"/", "/a", false},
		{"/a", "/a/", true},  {"/a/b", "/a/", true},     {"/b/a", "/a", false},
		{"/A", "/a", false},  {"/a/b", "/a/b/c", false}, {"/a//b", "/a", true},
		{"*", "/a", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (pass_path_under(span_str(cases[i].path), span_str(cases[i].prefix)) !=
		    cases[i].under)
			fail_msg("%s under %s", cases[i].path, cases[i].prefix);
}

static void carved_out_paths_are_not_ours(void **state)
{
	static const char carve[] = "/a/admin\0/a/x/y"; /* the last NUL comes from the literal */
	const struct span both = span_of(carve, sizeof(carve));

	(void)state;
	assert_true(pass_path_ours(SPAN("/a/b"), SPAN("/a"), both));
	assert_true(pass_path_ours(SPAN("/a/administrator"), SPAN("/a"), both));
	assert_true(pass_path_ours(SPAN("/a/x"), SPAN("/a"), both));
	assert_false(pass_path_ours(SPAN("/a/admin"), SPAN("/a"), both));
	assert_false(pass_path_ours(SPAN("/a/admin/x"), SPAN("/a"), both));
	assert_false(pass_path_ours(SPAN("/a/x/y/z"), SPAN("/a"), both));
	assert_false(pass_path_ours(SPAN("/b"), SPAN("/a"), both));
	/* the last one without its NUL counts all the same */
	assert_false(pass_path_ours(SPAN("/a/x/y"), SPAN("/a"), span_of(carve, sizeof(carve) - 1)));
	assert_true(pass_path_ours(SPAN("/anything"), SPAN(""), SPAN("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_arrives_with_all_that_was_read),
		cmocka_unit_test(what_is_too_large_is_not_sent),
		cmocka_unit_test(malformed_messages_are_refused_and_leave_nothing_open),
		cmocka_unit_test(paths_are_compared_on_segment_boundaries),
		cmocka_unit_test(carved_out_paths_are_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
