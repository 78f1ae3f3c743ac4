/*
 * test_log - what comes out on stderr, when somebody reads it and when nobody does. Each test puts a pipe in the place
 * of descriptor 2 and takes it away again.
 */
#include "shared/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "shared/clock.h"

struct capture {
	int saved, out;
};

static int capture_start(void **state)
{
	static struct capture c;
	int fds[2];

	(void)signal(SIGPIPE, SIG_IGN);
	c.saved = dup(STDERR_FILENO);
	if (c.saved < 0 || pipe(fds) < 0 || dup2(fds[1], STDERR_FILENO) < 0)
		return -1;
	(void)close(fds[1]);
	c.out = fds[0];
	log_set_level(LOG_LEVEL_INFO);
	log_set_subject("gate");
	*state = &c;
	return 0;
}

static int capture_end(void **state)
{
	const struct capture *c = *state;

	if (dup2(c->saved, STDERR_FILENO) < 0)
		return -1;
	(void)close(c->saved);
	(void)close(c->out);
	return 0;
}

/* What has come until nothing comes for a moment; terminated. */
static size_t read_out(int fd, char *buf, size_t size, int quiet_ms)
{
	size_t n = 0;
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	while (n + 1 < size && poll(&pfd, 1, quiet_ms) > 0) {
		ssize_t r = read(fd, buf + n, size - 1 - n);

		if (r <= 0)
			break;
		n += (size_t)r;
	}
	buf[n] = '\0';
	return n;
}

/* UTC, as access lines have it: an app's log holds both. */
static void a_line_has_a_time_a_level_and_a_subject(void **state)
{
	const struct capture *c = *state;
	char buf[512], hour[4];
	time_t now = time(NULL);
	struct tm utc;
	int at = 0;

	assert_int_equal(setenv("TZ", "XYZ-5:30", 1), 0);
	tzset();
	assert_non_null(gmtime_r(&now, &utc));
	log_warning("port %d is taken", 80);
	(void)read_out(c->out, buf, sizeof(buf), 20);
	assert_int_equal(
		sscanf(buf,
		       "%*4d-%*2d-%*2dT%2[0-9]:%*2d:%*2d.%*3dZ warning gate: port 80 is taken%n",
		       hour, &at),
		1);
	assert_true(at > 0);
	/* an hour may end between the two */
	assert_in_range((strtol(hour, NULL, 10) - utc.tm_hour + 24) % 24, 0, 1);
	assert_string_equal(buf + at, "\n");
}

static void lines_above_the_level_are_not_said(void **state)
{
	const struct capture *c = *state;
	char buf[512];

	log_debug("too much");
	assert_int_equal(read_out(c->out, buf, sizeof(buf), 20), 0);
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("enough");
	assert_non_null(
		(read_out(c->out, buf, sizeof(buf), 20), strstr(buf, "debug gate: enough\n")));
}

static void a_peer_cannot_forge_a_line_or_colour_it(void **state)
{
	const struct capture *c = *state;
	char buf[512];

	log_info("%s", "a\n2026-01-01 00:00:00.000 error emperor: lies\r\x1b[31m\n\n");
	(void)read_out(c->out, buf, sizeof(buf), 20);
	assert_non_null(
		strstr(buf, "gate: a\n\t2026-01-01 00:00:00.000 error emperor: lies??[31m\n"));
	assert_null(strstr(buf, "\n\n"));
}

static void a_long_line_is_cut_and_still_ends(void **state)
{
	const struct capture *c = *state;
	static char text[3 * LOG_LINE_MAX], buf[4 * LOG_LINE_MAX];
	size_t n;

	memset(text, 'x', sizeof(text) - 1);
	log_info("%s", text);
	n = read_out(c->out, buf, sizeof(buf), 20);
	assert_in_range(n, LOG_LINE_MAX - 100, LOG_LINE_MAX);
	assert_int_equal(buf[n - 1], '\n');
}

static void errno_survives_a_line(void **state)
{
	(void)state;
	errno = ECONNRESET;
	log_info("x");
	assert_int_equal(errno, ECONNRESET);
}

/* More than pipe and buffer hold: returns at once, counts, and says the count when there is room again. */
static void a_stuck_reader_costs_lines_but_no_time(void **state)
{
	const struct capture *c = *state;
	static char buf[1024 * 1024];
	char line[1000];
	uint64_t before = log_dropped();
	uint64_t start = clock_now_ns();
	size_t n, at = 0;
	unsigned expected = 0;

	memset(line, '.', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (unsigned i = 0; i < 600; i++) {
		(void)snprintf(line, 16, "%08u", i);
		line[8] = ' ';
		log_raw(line, sizeof(line));
	}
	assert_true(clock_now_ns() - start < 2 * NS_PER_S);
	assert_in_range(log_dropped() - before, 600 - 400, 600 - 200);

	n = read_out(c->out, buf, sizeof(buf), 300);
	log_flush(1000);
	for (; at < n; at += sizeof(line), expected++)
		assert_int_equal(strtoul(buf + at, NULL, 10), expected);
	assert_int_equal(at, n); /* in order, none cut */
	assert_int_equal(expected + (unsigned)(log_dropped() - before), 600);

	log_info("after");
	log_flush(1000);
	(void)read_out(c->out, buf, sizeof(buf), 100);
	assert_non_null(strstr(buf, " log lines dropped"));
	assert_non_null(strstr(buf, "gate: after\n"));
}

static void flush_waits_for_the_buffer_and_no_longer_than_it_is_told(void **state)
{
	const struct capture *c = *state;
	static char line[4000], buf[256 * 1024];
	uint64_t start;

	memset(line, 'y', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (int i = 0; i < 30; i++)
		log_raw(line, sizeof(line));
	start = clock_now_ns();
	log_flush(50);
	assert_true(clock_now_ns() - start >= 45 * NS_PER_MS);
	assert_true(clock_now_ns() - start < NS_PER_S);
	assert_int_equal(read_out(c->out, buf, sizeof(buf), 300), 30 * sizeof(line));
	start = clock_now_ns();
	log_flush(5000);
	assert_true(clock_now_ns() - start < 2 * NS_PER_S);
}

/* The child's own stderr, and nothing of what the parent still has to write. */
static void be_child(int fd)
{
	if (dup2(fd, STDERR_FILENO) < 0)
		_exit(1);
	(void)alarm(5); /* a deadlock must not outlive the test */
	log_info("a child speaks");
	log_flush(2000);
	_exit(0);
}

static void a_child_of_a_fork_with_a_writer_is_heard_and_repeats_nothing(void **state)
{
	const struct capture *c = *state;
	char line[LOG_LINE_MAX / 2];
	char buf[512];
	int fds[2], status;
	pid_t pid;

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	/* nobody reads: a writer is started, hangs in write(), and there is more in the buffer */
	for (unsigned i = 0; i < 40; i++)
		log_raw(line, sizeof(line));
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		be_child(fds[1]);
	(void)close(fds[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	(void)read_out(fds[0], buf, sizeof(buf), 20);
	assert_non_null(strstr(buf, "a child speaks"));
	assert_null(strstr(buf, "xxx"));
	(void)close(fds[0]);
	/* the parent's writer must be done before the next test takes its stderr away */
	while (read_out(c->out, line, sizeof(line), 100) > 0)
		;
	log_flush(1000);
}

static void a_closed_stderr_does_not_hurt(void **state)
{
	struct capture *c = *state;
	uint64_t before = log_dropped();

	(void)close(c->out);
	c->out = open("/dev/null", O_RDONLY);
	log_info("nobody hears this");
	assert_int_equal(log_dropped() - before, 1);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, capture_start, capture_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_line_has_a_time_a_level_and_a_subject),
		CASE(lines_above_the_level_are_not_said),
		CASE(a_peer_cannot_forge_a_line_or_colour_it),
		CASE(a_long_line_is_cut_and_still_ends),
		CASE(errno_survives_a_line),
		CASE(a_stuck_reader_costs_lines_but_no_time),
		CASE(flush_waits_for_the_buffer_and_no_longer_than_it_is_told),
		CASE(a_child_of_a_fork_with_a_writer_is_heard_and_repeats_nothing),
		CASE(a_closed_stderr_does_not_hurt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
