/*
 * Tests of shared/fd with real sockets and memfds: nothing is leaked, nothing is half taken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "shared/err.h"
#include "shared/fd.h"

static int lowest_free_fd(void)
{
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);

	assert_true(fd >= 0);
	(void)close(fd);
	return fd;
}

static void close_both(const int pair[2])
{
	(void)close(pair[0]);
	(void)close(pair[1]);
}

static ssize_t send_fds(int sock, const char *text, int nfds)
{
	int fds[FD_SEND_MAX + 1] = {0};
	struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};

	return fd_send(sock, &iov, 1, fds, nfds);
}

static void a_pair_is_cloexec_and_nonblocking_only_if_asked(void **state)
{
	int pair[2];
	char c;

	(void)state;
	for (int nonblock = 0; nonblock < 2; nonblock++) {
		assert_int_equal(fd_seqpacket_pair(pair, nonblock), 0);
		assert_true(fcntl(pair[0], F_GETFD) & FD_CLOEXEC);
		assert_int_equal(!!(fcntl(pair[1], F_GETFL) & O_NONBLOCK), nonblock);
		close_both(pair);
	}
	assert_int_equal(fd_seqpacket_pair(pair, true), 0);
	assert_int_equal(fd_recv(pair[0], &c, 1, NULL, NULL), -EAGAIN);
	close_both(pair);
}

static void flags_are_set_and_taken_back(void **state)
{
	int pair[2];

	(void)state;
	assert_int_equal(fd_seqpacket_pair(pair, false), 0);
	assert_int_equal(fd_set_nonblock(pair[0], true), 0);
	assert_true(fcntl(pair[0], F_GETFL) & O_NONBLOCK);
	assert_int_equal(fd_set_nonblock(pair[0], false), 0);
	assert_false(fcntl(pair[0], F_GETFL) & O_NONBLOCK);
	assert_int_equal(fd_set_cloexec(pair[0], false), 0);
	assert_false(fcntl(pair[0], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fd_set_cloexec(pair[0], true), 0);
	assert_true(fcntl(pair[0], F_GETFD) & FD_CLOEXEC);
	close_both(pair);
	assert_int_equal(fd_set_nonblock(-1, true), -EBADF);
	assert_int_equal(fd_set_cloexec(-1, true), -EBADF);
}

static void descriptors_arrive_with_their_bytes_and_are_cloexec(void **state)
{
	int before = lowest_free_fd();
	int got[2] = {-1, -1};
	int pair[2];
	int nfds = 2;
	char buf[8];

	(void)state;
	assert_int_equal(fd_seqpacket_pair(pair, true), 0);
	assert_int_equal(send_fds(pair[0], "hello", 2), 5);
	assert_int_equal(fd_recv(pair[1], buf, sizeof(buf), got, &nfds), 5);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(nfds, 2);
	for (int i = 0; i < 2; i++) {
		assert_true(fcntl(got[i], F_GETFD) & FD_CLOEXEC);
		(void)close(got[i]);
	}
	close_both(pair);
	assert_int_equal(lowest_free_fd(), before);
}

static void more_descriptors_than_there_is_room_for_are_all_closed(void **state)
{
	static const int counts[] = {2, 3, FD_SEND_MAX};
	int before = lowest_free_fd();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		int got = -1;
		int pair[2];
		int nfds = 1;
		char buf[8];

		assert_int_equal(fd_seqpacket_pair(pair, true), 0);
		assert_int_equal(send_fds(pair[0], "x", counts[i]), 1);
		assert_int_equal(fd_recv(pair[1], buf, sizeof(buf), &got, &nfds), -EMSGSIZE);
		assert_int_equal(got, -1); /* a caller's cleanup must not close it again */
		close_both(pair);
		assert_int_equal(lowest_free_fd(), before);
	}
}

static void a_message_that_is_too_long_is_refused_with_its_descriptor(void **state)
{
	int before = lowest_free_fd();
	int got = -1;
	int pair[2];
	int nfds = 1;
	char buf[4];

	(void)state;
	assert_int_equal(fd_seqpacket_pair(pair, true), 0);
	assert_int_equal(send_fds(pair[0], "hello", 1), 5);
	assert_int_equal(fd_recv(pair[1], buf, sizeof(buf), &got, &nfds), -EMSGSIZE);
	assert_int_equal(got, -1);
	close_both(pair);
	assert_int_equal(lowest_free_fd(), before);
}

static void the_end_is_zero_and_a_dead_peer_raises_no_signal(void **state)
{
	int pair[2];
	char c;

	(void)state;
	assert_int_equal(fd_seqpacket_pair(pair, false), 0);
	(void)close(pair[0]);
	assert_int_equal(fd_recv(pair[1], &c, 1, NULL, NULL), 0);
	assert_true(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
	assert_int_equal(send_fds(pair[1], "x", 0), -EPIPE);
	(void)close(pair[1]);
	assert_int_equal(send_fds(-1, "x", FD_SEND_MAX + 1), -E2BIG);
}

static void what_a_peer_said_last_arrives_although_it_left_something_unread(void **state)
{
	char buf[8];
	int fds[2];

	(void)state;
	assert_int_equal(fd_seqpacket_pair(fds, true), 0);
	assert_int_equal(send(fds[0], "unread", 6, 0), 6);
	assert_int_equal(send(fds[1], "last", 4, 0), 4);
	(void)close(fds[1]);
	assert_int_equal(fd_recv(fds[0], buf, sizeof(buf), NULL, NULL), 4);
	assert_memory_equal(buf, "last", 4);
	assert_int_equal(fd_recv(fds[0], buf, sizeof(buf), NULL, NULL), 0);
	(void)close(fds[0]);
}

static void a_sealed_memfd_cannot_change_and_maps_whole(void **state)
{
	const void *data;
	struct err err = {0};
	size_t n;
	int fd;

	(void)state;
	assert_int_equal(fd_sealed_memfd(&fd, "test", "hello", 5), 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 1), -1);
	assert_int_equal(ftruncate(fd, 10), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	assert_int_equal(fd_map_sealed(fd, 5, &data, &n, &err), 0);
	assert_int_equal(n, 5);
	assert_memory_equal(data, "hello", 5);
	assert_int_equal(munmap((void *)(uintptr_t)data, n), 0);
	assert_int_equal(fd_map_sealed(fd, 4, &data, &n, &err), -EFBIG);
	(void)close(fd);
}

static void what_could_still_shrink_is_not_mapped(void **state)
{
	const void *data = NULL;
	struct err err = {0};
	size_t n = 0;
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(ftruncate(fd, 5), 0);
	assert_int_equal(fd_map_sealed(fd, 10, &data, &n, &err), -EPERM);
	assert_true(strlen(err.text) > 0);
	assert_int_equal(fd_map_sealed(file, 1 << 30, &data, &n, &err), -EPERM);
	assert_int_equal(fd_map_sealed(-1, 10, &data, &n, &err), -EPERM);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	assert_int_equal(fd_map_sealed(fd, 10, &data, &n, &err), 0);
	assert_int_equal(n, 5);
	(void)munmap((void *)(uintptr_t)data, n);
	(void)close(fd);
	(void)close(file);
}

static void an_empty_memfd_is_nothing_to_map(void **state)
{
	const void *data;
	struct err err = {0};
	size_t n;
	int fd;

	(void)state;
	assert_int_equal(fd_sealed_memfd(&fd, "test", "", 0), 0);
	assert_int_equal(fd_map_sealed(fd, 10, &data, &n, &err), -EFBIG);
	(void)close(fd);
}

static int read_of(const char *path, size_t max, size_t *ret_n)
{
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text = NULL;
	int r = fd_read_file(fd < 0 ? -errno : fd, max, &text, ret_n);

	if (r == 0 && *ret_n > 0)
		assert_memory_equal(text, "12345", *ret_n);
	free(text);
	return r;
}

static void a_file_is_read_whole_or_not_at_all(void **state)
{
	char dir[] = "/tmp/emperor-fd-XXXXXX", file[40], fifo[40], none[40];
	size_t n = 9;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(file, sizeof(file), "%s/file", dir);
	(void)snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	(void)snprintf(none, sizeof(none), "%s/none", dir);
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(fd_write_all(fd, "12345", 5), 0);
	(void)close(fd);
	assert_int_equal(mkfifo(fifo, 0600), 0);

	assert_int_equal(read_of(file, 5, &n), 0);
	assert_int_equal(n, 5);
	assert_int_equal(read_of(file, 4, &n), -EFBIG);
	assert_int_equal(read_of(file, 100, &n), 0);
	assert_int_equal(n, 5);
	assert_int_equal(read_of("/dev/null", 5, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(read_of("/dev/zero", 5, &n), -EFBIG);
	assert_int_equal(read_of(fifo, 5, &n), -EINVAL);
	assert_int_equal(read_of(dir, 5, &n), -EINVAL);
	assert_int_equal(read_of(none, 5, &n), -ENOENT);

	assert_int_equal(unlink(file) | unlink(fifo) | rmdir(dir), 0);
}

static void everything_is_written_or_the_error_named(void **state)
{
	static char data[100000];
	int pipes[2];
	int fd = memfd_create("test", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(fd_write_all(fd, data, sizeof(data)), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), sizeof(data));
	(void)close(fd);
	assert_int_equal(fd_write_all(-1, data, 1), -EBADF);
	assert_int_equal(fd_write_all(-1, data, 0), 0);
	assert_int_equal(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(fd_write_all(pipes[1], data, sizeof(data)), -EAGAIN);
	close_both(pipes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pair_is_cloexec_and_nonblocking_only_if_asked),
		cmocka_unit_test(flags_are_set_and_taken_back),
		cmocka_unit_test(descriptors_arrive_with_their_bytes_and_are_cloexec),
		cmocka_unit_test(more_descriptors_than_there_is_room_for_are_all_closed),
		cmocka_unit_test(a_message_that_is_too_long_is_refused_with_its_descriptor),
		cmocka_unit_test(the_end_is_zero_and_a_dead_peer_raises_no_signal),
		cmocka_unit_test(what_a_peer_said_last_arrives_although_it_left_something_unread),
		cmocka_unit_test(a_sealed_memfd_cannot_change_and_maps_whole),
		cmocka_unit_test(what_could_still_shrink_is_not_mapped),
		cmocka_unit_test(an_empty_memfd_is_nothing_to_map),
		cmocka_unit_test(a_file_is_read_whole_or_not_at_all),
		cmocka_unit_test(everything_is_written_or_the_error_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
