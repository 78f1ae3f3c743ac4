/*
 * test_role - messages between the emperor and its roles: what arrives is what was sent, and nothing else is let in.
 */
#include "emperor/role.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "shared/err.h"
#include "shared/fd.h"

static int pair_open(void **state)
{
	static int fds[2];

	*state = fds;
	return fd_seqpacket_pair(fds, true);
}

static int pair_close(void **state)
{
	const int *fds = *state;

	(void)close(fds[0]);
	(void)close(fds[1]);
	return 0;
}

static void what_is_sent_arrives(void **state)
{
	const int *pair = *state;
	const struct role_msg m = {
		.kind = GATE_STATE, .app = 7, .a = GATE_DOWN, .b = 5, .e = ~0ULL};
	struct role_msg got;
	int fds[2], nfds = 9;

	assert_int_equal(role_send(pair[0], &m, "imports nothing", NULL, 0), 0);
	assert_int_equal(role_recv(pair[1], &got, fds, &nfds, NULL), 1);
	assert_int_equal(got.kind, GATE_STATE);
	assert_int_equal(got.app, 7);
	assert_int_equal(got.b, 5);
	assert_true(got.e == ~0ULL);
	assert_string_equal(got.text, "imports nothing");
	assert_int_equal(nfds, 0);
	assert_int_equal(role_recv(pair[1], &got, fds, &nfds, NULL), -EAGAIN);
}

static void a_long_text_is_cut_and_terminated(void **state)
{
	const int *pair = *state;
	const struct role_msg m = {.kind = GATE_TRUST};
	struct role_msg got;
	char text[2 * ROLE_TEXT];
	int fds[2], nfds;

	memset(text, 't', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(role_send(pair[0], &m, text, NULL, 0), 0);
	assert_int_equal(role_recv(pair[1], &got, fds, &nfds, NULL), 1);
	assert_int_equal(strlen(got.text), ROLE_TEXT - 1);
}

static void descriptors_arrive_and_are_cloexec(void **state)
{
	const int *pair = *state;
	const struct role_msg m = {.kind = GATE_APP, .app = 1};
	struct role_msg got;
	int fds[2], nfds;

	assert_int_equal(role_send(pair[0], &m, "blog", pair, 2), 0);
	assert_int_equal(role_recv(pair[1], &got, fds, &nfds, NULL), 1);
	assert_int_equal(nfds, 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
		(void)close(fds[i]);
	}
}

static void a_sender_refuses_what_the_table_does_not_allow(void **state)
{
	const int *pair = *state;
	struct role_msg m = {.kind = GATE_PORT};

	assert_int_equal(role_send(pair[0], &m, ":80", NULL, 0), -EINVAL);
	assert_int_equal(role_send(pair[0], &m, ":80", pair, 2), -EINVAL);
	m.kind = ROLE_NONE;
	assert_int_equal(role_send(pair[0], &m, "", NULL, 0), -EINVAL);
	m.kind = ROLE_KIND_COUNT;
	assert_int_equal(role_send(pair[0], &m, "", NULL, 0), -EINVAL);
}

static unsigned open_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void every_odd_message_is_refused_and_its_descriptors_are_closed(void **state)
{
	static const struct {
		const char *why;
		uint16_t kind, text_n;
		size_t size;
		int nfds;
	} cases[] = {
		{"short", GATE_STOP, 0, 8, 0},
		{"no kind", ROLE_NONE, 0, offsetof(struct role_msg, text), 1},
		{"unknown kind", 999, 0, offsetof(struct role_msg, text), 1},
		{"text shorter than said", GATE_TRUST, 5, offsetof(struct role_msg, text) + 4, 0},
		{"text longer than said", GATE_TRUST, 5, offsetof(struct role_msg, text) + 6, 0},
		{"text without room for its end", GATE_TRUST, ROLE_TEXT, sizeof(struct role_msg),
		 0},
		{"too large", GATE_TRUST, 0, sizeof(struct role_msg) + 1, 1},
		{"missing descriptor", GATE_PORT, 0, offsetof(struct role_msg, text), 0},
		{"one of two descriptors", GATE_APP, 0, offsetof(struct role_msg, text), 1},
		{"unasked descriptor", GATE_STOP, 0, offsetof(struct role_msg, text), 1},
		{"three descriptors", GATE_APP, 0, offsetof(struct role_msg, text), 3},
	};
	const int *pair = *state;
	unsigned before = open_fds();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		static char raw[sizeof(struct role_msg) + 64];
		struct role_msg head = {.kind = cases[i].kind, .text_n = cases[i].text_n};
		const int fds[3] = {0, 0, 0};
		struct iovec iov = {raw, cases[i].size};
		struct role_msg got = {.app = 4711};
		int got_fds[2], nfds = 0;
		struct err err = {0};

		memcpy(raw, &head, MIN(sizeof(head), cases[i].size));
		assert_int_equal(fd_send(pair[0], &iov, 1, fds, cases[i].nfds), cases[i].size);
		if (role_recv(pair[1], &got, got_fds, &nfds, &err) != -EBADMSG)
			fail_msg("%s: was let in", cases[i].why);
		assert_int_equal(got.app, 4711);
		assert_true(err.text[0] != '\0');
		if (open_fds() != before)
			fail_msg("%s: left descriptors open", cases[i].why);
	}
}

static void a_closed_link_is_the_end(void **state)
{
	int *pair = *state;
	struct role_msg got;
	int fds[2], nfds;

	(void)close(pair[0]);
	assert_int_equal(role_recv(pair[1], &got, fds, &nfds, NULL), 0);
	assert_int_equal(fd_seqpacket_pair(fds, true), 0);
	pair[0] = fds[0];
	(void)close(fds[1]);
}

static void what_finds_no_free_descriptor_is_lost_and_asked_for_again(void **state)
{
	const int *pair = *state;
	const struct role_msg port = {.kind = GATE_PORT}, begin = {.kind = ROLE_BEGIN},
			      end = {.kind = ROLE_END};
	struct rlimit few, limit;
	struct role_msg got;
	int fds[2], nfds;
	bool lost = false;

	assert_int_equal(role_send(pair[0], &port, "x", pair, 1), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = limit;
	few.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(role_recv(pair[1], &got, fds, &nfds, NULL), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	role_lose(pair[1], &lost);
	assert_int_equal(role_recv(pair[0], &got, fds, &nfds, NULL), 1);
	assert_int_equal(got.kind, ROLE_AGAIN);
	/* The end of what was not heard whole would forget what was lost. */
	assert_true(role_counts(&lost, &port));
	assert_false(role_counts(&lost, &end));
	assert_true(role_counts(&lost, &begin));
	assert_true(role_counts(&lost, &port));
	assert_true(role_counts(&lost, &end));
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, pair_open, pair_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_is_sent_arrives),
		CASE(what_finds_no_free_descriptor_is_lost_and_asked_for_again),
		CASE(a_long_text_is_cut_and_terminated),
		CASE(descriptors_arrive_and_are_cloexec),
		CASE(a_sender_refuses_what_the_table_does_not_allow),
		CASE(every_odd_message_is_refused_and_its_descriptors_are_closed),
		CASE(a_closed_link_is_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
