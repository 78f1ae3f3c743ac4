/*
 * test_logpipe - a front's lines arrive whole and in order, and nothing in them commands a terminal.
 */
#include "emperor/vassals/logpipe.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/log.h"

struct world {
	struct ev_loop *loop;
	struct logpipe pipe;
	int write_fd;
	int saved, out; /* our stderr, and the pipe that stands in its place */
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	int fds[2];

	if (!w || pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	(void)fcntl(fds[1], F_SETPIPE_SZ, 1024 * 1024);
	w->saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	(void)dup2(fds[1], STDERR_FILENO);
	(void)close(fds[1]);
	w->out = fds[0];
	w->loop = ev_loop_new(EVFLAG_AUTO);
	*state = w;
	return logpipe_open(&w->pipe, w->loop, &w->write_fd, NULL);
}

static int tear_down(void **state)
{
	struct world *w = *state;

	logpipe_close(&w->pipe);
	(void)close(w->write_fd);
	(void)dup2(w->saved, STDERR_FILENO);
	(void)close(w->saved);
	(void)close(w->out);
	ev_loop_destroy(w->loop);
	free(w);
	return 0;
}

static void say(const struct world *w, const char *text)
{
	assert_int_equal(write(w->write_fd, text, strlen(text)), strlen(text));
}

static const char *heard(const struct world *w)
{
	static char buf[256 * 1024];
	size_t n = 0;
	ssize_t r;

	log_flush(1000);
	while ((r = read(w->out, buf + n, sizeof(buf) - 1 - n)) > 0)
		n += (size_t)r;
	buf[n] = '\0';
	return buf;
}

static void only_whole_lines_pass(void **state)
{
	struct world *w = *state;

	say(w, "one\ntwo\nthr");
	(void)ev_run(w->loop, EVRUN_NOWAIT);
	assert_string_equal(heard(w), "one\ntwo\n");
	say(w, "ee\n\tfour\n");
	(void)ev_run(w->loop, EVRUN_NOWAIT);
	assert_string_equal(heard(w), "three\n\tfour\n");
}

static void nothing_commands_a_terminal(void **state)
{
	struct world *w = *state;

	say(w, "a\033[2Jb\rc\177\n");
	(void)ev_run(w->loop, EVRUN_NOWAIT);
	assert_string_equal(heard(w), "a?[2Jb?c?\n");
}

static void a_line_without_an_end_is_cut_and_not_kept_for_ever(void **state)
{
	struct world *w = *state;
	char piece[LOG_LINE_MAX + 1];
	const char *text;

	memset(piece, 'x', sizeof(piece));
	piece[LOG_LINE_MAX] = '\0';
	say(w, piece);
	(void)ev_run(w->loop, EVRUN_NOWAIT);
	text = heard(w);
	assert_int_equal(strlen(text), LOG_LINE_MAX + 1);
	assert_int_equal(text[LOG_LINE_MAX], '\n');
	assert_int_equal(w->pipe.rest_n, 0);
}

static void last_words_are_heard_though_their_line_has_no_end(void **state)
{
	struct world *w = *state;

	say(w, "first\nSegmentation fa");
	(void)close(w->write_fd);
	w->write_fd = -1;
	logpipe_close(&w->pipe);
	assert_string_equal(heard(w), "first\nSegmentation fa\n");
	assert_int_equal(w->pipe.fd, -1);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(only_whole_lines_pass),
		CASE(nothing_commands_a_terminal),
		CASE(a_line_without_an_end_is_cut_and_not_kept_for_ever),
		CASE(last_words_are_heard_though_their_line_has_no_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
