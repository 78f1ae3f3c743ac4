/*
 * test_crew - messages between front, mold and workers survive the way, and what is not one is refused without
 * leaking a descriptor.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "shared/base.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "vassal/exchange/crew.h"

static unsigned open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	assert_int_equal(closedir(d), 0);
	return n;
}

static int setup(void **state)
{
	static int pair[2];

	*state = pair;
	return fd_seqpacket_pair(pair, true);
}

static int teardown(void **state)
{
	int *pair = *state;

	fd_closep(&pair[0]);
	fd_closep(&pair[1]);
	return 0;
}

static void every_field_and_the_text_arrive(void **state)
{
	int *pair = *state;
	struct crew_msg m = {.kind = CREW_MOLD_FAILED, .worker = 7, .a = UINT64_MAX, .b = 1};
	struct crew_msg got;
	int fd = 99;

	assert_int_equal(crew_send(pair[0], &m, "no module named shop", -1), 0);
	assert_int_equal(crew_recv(pair[1], &got, &fd, NULL), 1);
	assert_int_equal(got.kind, CREW_MOLD_FAILED);
	assert_int_equal(got.worker, 7);
	assert_true(got.a == UINT64_MAX);
	assert_int_equal(got.b, 1);
	assert_string_equal(got.text, "no module named shop");
	assert_int_equal(got.text_n, strlen(got.text));
	assert_int_equal(fd, -1);
}

static void a_long_text_is_cut_and_terminated(void **state)
{
	int *pair = *state;
	struct crew_msg m = {.kind = CREW_WORKER_FAILED};
	struct crew_msg got;
	char text[4 * CREW_TEXT_MAX];
	int fd;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(crew_send(pair[0], &m, text, -1), 0);
	assert_int_equal(crew_recv(pair[1], &got, &fd, NULL), 1);
	assert_int_equal(strlen(got.text), CREW_TEXT_MAX - 1);
}

static void a_descriptor_travels_and_is_close_on_exec(void **state)
{
	int *pair = *state;
	struct crew_msg m = {.kind = CREW_BODY, .a = 3};
	struct crew_msg got;
	int fd = -1;

	assert_int_equal(crew_send(pair[0], &m, NULL, STDERR_FILENO), 0);
	assert_int_equal(crew_recv(pair[1], &got, &fd, NULL), 1);
	assert_true(fd > STDERR_FILENO);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_string_equal(got.text, "");
	assert_int_equal(close(fd), 0);
}

static void a_kind_with_the_wrong_descriptors_is_not_sent(void **state)
{
	int *pair = *state;
	struct crew_msg without = {.kind = CREW_FORK};
	struct crew_msg with = {.kind = CREW_QUIT};
	struct crew_msg unknown = {.kind = CREW_KIND_COUNT};
	struct crew_msg none = {.kind = CREW_NONE};

	assert_int_equal(crew_send(pair[0], &without, NULL, -1), -EINVAL);
	assert_int_equal(crew_send(pair[0], &with, NULL, STDERR_FILENO), -EINVAL);
	assert_int_equal(crew_send(pair[0], &unknown, NULL, -1), -EINVAL);
	assert_int_equal(crew_send(pair[0], &none, NULL, -1), -EINVAL);
}

static void nonsense_is_refused_and_leaks_nothing(void **state)
{
	static const struct {
		struct crew_msg m;
		size_t n;
		int nfds;
	} cases[] = {
		{{.kind = CREW_QUIT}, offsetof(struct crew_msg, text) - 1, 0},
		{{.kind = CREW_NONE}, offsetof(struct crew_msg, text), 0},
		{{.kind = CREW_KIND_COUNT}, offsetof(struct crew_msg, text), 0},
		{{.kind = UINT16_MAX}, offsetof(struct crew_msg, text), 1},
		{{.kind = CREW_QUIT, .text_n = 4}, offsetof(struct crew_msg, text), 0},
		{{.kind = CREW_QUIT, .text_n = 0}, offsetof(struct crew_msg, text) + 4, 0},
		{{.kind = CREW_QUIT, .text_n = CREW_TEXT_MAX}, sizeof(struct crew_msg), 0},
		{{.kind = CREW_QUIT}, offsetof(struct crew_msg, text), 1},
		{{.kind = CREW_FORK}, offsetof(struct crew_msg, text), 0},
		{{.kind = CREW_BODY}, offsetof(struct crew_msg, text), 2},
	};
	int *pair = *state;
	unsigned before = open_descriptors();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct crew_msg copy = cases[i].m;
		struct iovec iov = {&copy, cases[i].n};
		int fds[2] = {STDERR_FILENO, STDERR_FILENO};
		struct crew_msg got;
		struct err err = {0};
		int fd = -1;

		assert_true(fd_send(pair[0], &iov, 1, fds, cases[i].nfds) > 0);
		assert_int_equal(crew_recv(pair[1], &got, &fd, &err), -EBADMSG);
		assert_true(strlen(err.text) > 0);
		assert_int_equal(fd, -1);
	}
	assert_int_equal(open_descriptors(), before);
}

static void silence_and_the_end_differ(void **state)
{
	int *pair = *state;
	struct crew_msg got;
	int fd;

	assert_int_equal(crew_recv(pair[1], &got, &fd, NULL), -EAGAIN);
	fd_closep(&pair[0]);
	pair[0] = -1;
	assert_int_equal(crew_recv(pair[1], &got, &fd, NULL), 0);
}

static void every_kind_has_a_name(void **state)
{
	(void)state;
	for (unsigned k = CREW_NONE + 1; k < CREW_KIND_COUNT; k++)
		assert_string_not_equal(crew_kind_name(k), "unknown");
	assert_string_equal(crew_kind_name(CREW_KIND_COUNT), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_field_and_the_text_arrive, setup, teardown),
		cmocka_unit_test_setup_teardown(a_long_text_is_cut_and_terminated, setup, teardown),
		cmocka_unit_test_setup_teardown(a_descriptor_travels_and_is_close_on_exec, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_kind_with_the_wrong_descriptors_is_not_sent,
						setup, teardown),
		cmocka_unit_test_setup_teardown(nonsense_is_refused_and_leaks_nothing, setup,
						teardown),
		cmocka_unit_test_setup_teardown(silence_and_the_end_differ, setup, teardown),
		cmocka_unit_test(every_kind_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
