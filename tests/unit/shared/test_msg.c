/*
 * test_msg - what is sent arrives; whatever does not fit its kind is refused, and no descriptor stays behind.
 */
#include "shared/msg.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "shared/err.h"
#include "shared/fd.h"
#include "shared/handoff.h"

#define HEAD offsetof(struct msg, text)

static int pair[2];

static int set_up(void **state)
{
	(void)state;
	return fd_seqpacket_pair(pair, true);
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0)
			(void)close(pair[i]);
	return 0;
}

static int lowest_free_fd(void)
{
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 3);

	(void)close(fd);
	return fd;
}

static void a_message_arrives_as_it_was_sent(void **state)
{
	const struct msg m = {
		.kind = MSG_FAILED, .bank = 2, .generation = 7, .a = FAIL_IMPORT, .b = ~0ULL};
	struct msg got;
	int fd = 99;

	(void)state;
	assert_int_equal(msg_send(pair[0], &m, "no such module", -1), 0);
	assert_int_equal(msg_recv(pair[1], &got, &fd, NULL), 1);
	assert_int_equal(got.kind, MSG_FAILED);
	assert_int_equal(got.bank, 2);
	assert_int_equal(got.generation, 7);
	assert_int_equal(got.a, FAIL_IMPORT);
	assert_true(got.b == ~0ULL);
	assert_string_equal(got.text, "no such module");
	assert_int_equal(fd, -1);
	assert_int_equal(msg_recv(pair[1], &got, &fd, NULL), -EAGAIN);
}

static void a_long_text_is_cut_and_terminated(void **state)
{
	const struct msg m = {.kind = MSG_STATE};
	char text[LIMIT_MSG_TEXT + 100];
	struct msg got;
	int fd;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(msg_send(pair[0], &m, text, -1), 0);
	assert_int_equal(msg_recv(pair[1], &got, &fd, NULL), 1);
	assert_int_equal(strlen(got.text), LIMIT_MSG_TEXT - 1);
	assert_int_equal(got.text_n, LIMIT_MSG_TEXT - 1);
}

/* For each kind: does it go with a descriptor, and without one? */
static void descriptors_travel_only_with_their_kinds(void **state)
{
	(void)state;
	for (unsigned kind = MSG_NONE; kind <= MSG_KIND_COUNT; kind++) {
		const struct msg m = {.kind = (uint16_t)kind};
		bool real = kind != MSG_NONE && kind < MSG_KIND_COUNT;
		bool with = kind == MSG_RETIRE || kind == MSG_ADOPT || kind == MSG_REOPEN ||
			    kind == MSG_CONFIG;
		bool without = real && kind != MSG_ADOPT && kind != MSG_CONFIG;
		struct msg got;
		int fd;

		assert_int_equal(msg_send(pair[0], &m, NULL, 0), with ? 0 : -EINVAL);
		if (with) {
			assert_int_equal(msg_recv(pair[1], &got, &fd, NULL), 1);
			assert_true(fd > 2);
			assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
			(void)close(fd);
		}
		assert_int_equal(msg_send(pair[0], &m, NULL, -1), without ? 0 : -EINVAL);
		if (without) {
			assert_int_equal(msg_recv(pair[1], &got, &fd, NULL), 1);
			assert_int_equal(got.kind, kind);
		}
	}
}

static void what_does_not_fit_is_refused_and_leaves_no_descriptor(void **state)
{
	static const struct {
		uint16_t kind, text_n;
		size_t size;
		bool fd;
	} rows[] = {
		{MSG_HELLO, 0, 0 + 1, false},
		{MSG_HELLO, 0, HEAD - 1, false},
		{MSG_NONE, 0, HEAD, false},
		{MSG_KIND_COUNT, 0, HEAD, false},
		{0xffff, 0, HEAD, false},
		{MSG_HELLO, 1, HEAD, false},
		{MSG_HELLO, 0, HEAD + 1, false},
		{MSG_HELLO, 0xffff, HEAD, false},
		{MSG_HELLO, LIMIT_MSG_TEXT, sizeof(struct msg), false},
		{MSG_HELLO, 0, HEAD, true},
		{MSG_ADOPT, 0, HEAD, false},
		{MSG_HELLO, 0, sizeof(struct msg) + 64, true},
	};
	char bytes[sizeof(struct msg) + 64] = {0};
	int before = lowest_free_fd();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct iovec iov = {bytes, rows[i].size};
		struct err err = {0};
		struct msg got = {.kind = 77};
		int zero = 0;
		int fd = -5;

		memcpy(bytes + offsetof(struct msg, kind), &rows[i].kind, 2);
		memcpy(bytes + offsetof(struct msg, text_n), &rows[i].text_n, 2);
		assert_true(fd_send(pair[0], &iov, 1, &zero, rows[i].fd) > 0);
		if (msg_recv(pair[1], &got, &fd, &err) != -EBADMSG)
			fail_msg("row %zu was let in", i);
		assert_true(err.text[0] != '\0');
		assert_int_equal(got.kind, 77);
		assert_int_equal(fd, -5);
	}
	assert_int_equal(lowest_free_fd(), before);
}

static void the_end_of_the_peer_is_the_end_even_with_unread_words(void **state)
{
	const struct msg m = {.kind = MSG_SERVE};
	struct msg got;
	int fd;

	(void)state;
	assert_int_equal(msg_send(pair[1], &m, NULL, -1), 0);
	(void)close(TAKE_FD(pair[0]));
	assert_int_equal(msg_recv(pair[1], &got, &fd, NULL), 0);
	assert_int_equal(msg_send(pair[1], &m, NULL, -1), -EPIPE);
}

static void a_full_pipe_says_try_later(void **state)
{
	const struct msg m = {.kind = MSG_STATE};
	int r = 0;

	(void)state;
	for (int i = 0; i < 100000 && r == 0; i++)
		r = msg_send(pair[0], &m, "text", -1);
	assert_int_equal(r, -EAGAIN);
}

static void every_kind_and_phase_has_its_own_name(void **state)
{
	(void)state;
	for (unsigned i = 0; i < MSG_KIND_COUNT; i++)
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(msg_kind_name((enum msg_kind)i),
						msg_kind_name((enum msg_kind)k));
	for (unsigned i = 0; i < FAIL_PHASE_COUNT; i++)
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(msg_phase_name((enum fail_phase)i),
						msg_phase_name((enum fail_phase)k));
	assert_string_equal(msg_kind_name(MSG_KIND_COUNT), "?");
	assert_string_equal(msg_phase_name(FAIL_PHASE_COUNT), "?");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

/* Fronts outlive emperors: whoever changes one of these numbers must raise MSG_VERSION, and then say so here. */
static void what_this_version_says_is_as_it_was(void **state)
{
	static const char *const names[] = {
		"none",   "hello", "ready",  "failed", "drained", "state",       "idle",
		"asleep", "serve", "retire", "adopt",  "stop",    "reopen",      "unfuse",
		"sleep",  "renew", "config", "scale",  "done",    "want reload",
	};
	static const char *const phases[] = {"none",   "config", "spawn", "engine",
					     "import", "warmup", "start", "runtime"};

	(void)state;
	assert_int_equal(MSG_VERSION, 1);
	assert_int_equal(MSG_KIND_COUNT, ARRAY_SIZE(names));
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		assert_string_equal(msg_kind_name((enum msg_kind)i), names[i]);
	assert_int_equal(FAIL_PHASE_COUNT, ARRAY_SIZE(phases));
	for (unsigned i = 0; i < ARRAY_SIZE(phases); i++)
		assert_string_equal(msg_phase_name((enum fail_phase)i), phases[i]);
	assert_int_equal(offsetof(struct msg, text_n), 2);
	assert_int_equal(offsetof(struct msg, bank), 4);
	assert_int_equal(offsetof(struct msg, generation), 8);
	assert_int_equal(offsetof(struct msg, a), 16);
	assert_int_equal(offsetof(struct msg, b), 24);
	assert_int_equal(offsetof(struct msg, text), 32);
}

/* An emperor and the vassal beside it may be of two builds for a moment, while a package is unpacked. */
static void what_this_version_hands_over_is_as_it_was(void **state)
{
	static const size_t at[] = {
		offsetof(struct handoff, magic),
		offsetof(struct handoff, size),
		offsetof(struct handoff, generation),
		offsetof(struct handoff, name),
		offsetof(struct handoff, bank),
		offsetof(struct handoff, link_fd),
		offsetof(struct handoff, scoreboard_fd),
		offsetof(struct handoff, gate_fd),
		offsetof(struct handoff, routes_epoch_fd),
		offsetof(struct handoff, log_fd),
		offsetof(struct handoff, n_listeners),
		offsetof(struct handoff, listener_fds),
		offsetof(struct handoff, config_n),
		offsetof(struct handoff, reserved),
		sizeof(struct handoff),
	};
	static const size_t was[] = {0, 4, 8, 16, 80, 84, 88, 92, 96, 100, 104, 108, 172, 176, 184};

	(void)state;
	assert_string_equal(HANDOFF_VERSION, "1");
	assert_int_equal(ARRAY_SIZE(at), ARRAY_SIZE(was));
	for (size_t i = 0; i < ARRAY_SIZE(at); i++)
		if (at[i] != was[i])
			fail_msg("member %zu stands at %zu", i, at[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_message_arrives_as_it_was_sent),
		TEST(a_long_text_is_cut_and_terminated),
		TEST(descriptors_travel_only_with_their_kinds),
		TEST(what_does_not_fit_is_refused_and_leaves_no_descriptor),
		TEST(the_end_of_the_peer_is_the_end_even_with_unread_words),
		TEST(a_full_pipe_says_try_later),
		cmocka_unit_test(every_kind_and_phase_has_its_own_name),
		cmocka_unit_test(what_this_version_says_is_as_it_was),
		cmocka_unit_test(what_this_version_hands_over_is_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
