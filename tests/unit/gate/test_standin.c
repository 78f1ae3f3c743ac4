/*
 * test_standin - a lent listener is answered, one that was taken back is left to its app with all who wait in it.
 */
#include "emperor/gate/standin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "shared/clock.h"
#include "shared/fd.h"
#include "shared/limits.h"

struct world {
	struct ev_loop *loop;
	struct pollset ps;
	struct standin *s;
	struct sockaddr_in at;
	int listener;
	unsigned answers_n, busy_n;
	struct answer last;
	char why[64];
};

static void on_answer(void *arg, const struct client *c, const struct answer *a,
		      _unused_ struct span request)
{
	struct world *w = arg;

	w->answers_n++;
	w->last = *a;
	(void)snprintf(w->why, sizeof(w->why), "%s", a->why);
	client_close(c);
}

static void on_busy(void *arg)
{
	struct world *w = arg;

	w->busy_n++;
}

static int open_listener(struct sockaddr_in *ret_at)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t n = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (const struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(fd, 1024), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &n), 0);
	*ret_at = in;
	return fd;
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	const struct standin_handler handler = {on_answer, on_busy, w};

	if (!w)
		return -1;
	w->loop = ev_loop_new(EVFLAG_AUTO);
	assert_int_equal(pollset_open(&w->ps, w->loop, NULL), 0);
	assert_int_equal(standin_new(&w->s, w->loop, &w->ps, &handler, NULL), 0);
	w->listener = open_listener(&w->at);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	standin_stop(w->s);
	standin_free(w->s);
	pollset_done(&w->ps);
	ev_loop_destroy(w->loop);
	(void)close(w->listener);
	free(w);
	return 0;
}

static void lend(struct world *w, uint32_t app, uint64_t number, enum gate_protocol protocol)
{
	const struct standin_listener l = {
		.app = app, .number = number, .protocol = protocol, .retry_after_s = 7};

	assert_int_equal(standin_lend(w->s, &l, dup(w->listener), NULL), 0);
}

/* Some turns: on loopback what was sent has arrived. */
static void turns(struct world *w)
{
	for (int i = 0; i < 10; i++)
		ev_run(w->loop, EVRUN_NOWAIT);
}

static int dial(const struct world *w, const char *bytes, size_t n)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&w->at, sizeof(w->at)), 0);
	assert_int_equal(send(fd, bytes, n, MSG_NOSIGNAL), n);
	return fd;
}

static void every_request_is_answered_by_what_it_is(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		enum gate_protocol protocol;
		int status; /* 0: more is waited for */
		bool no_body;
	} cases[] = {
#define BYTES(s) s, sizeof(s) - 1
		{BYTES("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), GATE_HTTP, 503, false},
		{BYTES("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"), GATE_HTTP, 503, true},
		{BYTES("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe"), GATE_HTTP, 503,
		 false},
		{BYTES("GET / HTTP/1.0\r\n\r\n"), GATE_HTTP, 503, false},
		{BYTES("GET / HTTP/1.1\r\nHo"), GATE_HTTP, 0, false},
		{BYTES("GET / HTTP/1.1\r\nHost : x\r\n\r\n"), GATE_HTTP, 400, false},
		{BYTES("GET / HTTP/1.1\r\n\r\n"), GATE_HTTP, 400, false},
		{BYTES("\x16\x03\x01\x02"), GATE_HTTP, 400, false},
		{BYTES("\0\x05\0\0"), GATE_UWSGI, 503, false},
		{BYTES("\0\x05\0\0hello, and a body"), GATE_UWSGI, 503, false},
		{BYTES("\0\x05"), GATE_UWSGI, 0, false},
#undef BYTES
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned before = w->answers_n;
		int fd;

		lend(w, 1, 1, cases[i].protocol);
		fd = dial(w, cases[i].bytes, cases[i].n);
		turns(w);
		assert_int_equal(w->answers_n - before, cases[i].status != 0);
		if (cases[i].status) {
			assert_int_equal(w->last.status, cases[i].status);
			assert_int_equal(w->last.no_body, cases[i].no_body);
		}
		if (cases[i].status == 503)
			assert_int_equal(w->last.retry_after_s, 7);
		(void)close(fd);
		turns(w);
		assert_int_equal(standin_count(w->s), 0);
	}
}

static void a_packet_that_comes_byte_by_byte_is_answered(void **state)
{
	struct world *w = *state;
	int fd;

	lend(w, 1, 1, GATE_UWSGI);
	fd = dial(w, "\0", 1);
	for (int i = 0; i < 3; i++) {
		turns(w);
		assert_int_equal(w->answers_n, 0);
		assert_int_equal(send(fd, "\1", 1, MSG_NOSIGNAL), 1);
	}
	turns(w);
	assert_int_equal(w->answers_n, 1);
	(void)close(fd);
}

static void who_says_too_little_is_answered_when_time_is_over(void **state)
{
	struct world *w = *state;
	int http, silent;

	lend(w, 1, 1, GATE_HTTP);
	http = dial(w, "GET / HT", 8);
	silent = dial(w, "", 0);
	turns(w);
	assert_int_equal(standin_count(w->s), 2);
	assert_true(w->busy_n > 0);
	standin_sweep(w->s, clock_now_ns());
	assert_int_equal(w->answers_n, 0);
	standin_sweep(w->s, clock_now_ns() + LIMIT_GATE_HEAD_S * NS_PER_S);
	assert_int_equal(standin_count(w->s), 0);
	assert_int_equal(w->answers_n, 1);
	assert_int_equal(w->last.status, 503);
	(void)close(http);
	(void)close(silent);
}

static void what_is_taken_back_is_left_to_the_app_with_all_who_wait(void **state)
{
	struct world *w = *state;
	int taken, waiting, fd;
	char buf[8];

	lend(w, 1, 1, GATE_HTTP);
	taken = dial(w, "GET / HT", 8);
	turns(w);
	assert_int_equal(standin_count(w->s), 1);
	waiting = dial(w, "hello", 5);
	assert_true(standin_take_back(w->s, 1, 1));
	turns(w);
	/* The app accepts what the gate has not. */
	fd = accept(w->listener, NULL, NULL);
	assert_int_equal(recv(fd, buf, sizeof(buf), 0), 5);
	/* And the gate still answers what it has. */
	assert_int_equal(send(taken, "TP/1.0\r\n\r\n", 10, MSG_NOSIGNAL), 10);
	turns(w);
	assert_int_equal(w->answers_n, 1);
	assert_int_equal(w->last.status, 503);
	assert_false(standin_take_back(w->s, 1, 1));
	(void)close(fd);
	(void)close(taken);
	(void)close(waiting);
}

static void apps_and_numbers_are_told_apart(void **state)
{
	struct world *w = *state;

	lend(w, 1, 1, GATE_HTTP);
	lend(w, 1, 2, GATE_HTTP);
	lend(w, 2, 1, GATE_HTTP);
	assert_true(standin_take_back(w->s, 1, 2));
	assert_false(standin_take_back(w->s, 1, 2));
	standin_drop_app(w->s, 2);
	assert_false(standin_take_back(w->s, 2, 1));
	assert_true(standin_take_back(w->s, 1, 1));
}

static void who_comes_later_hears_the_newer_retry_after(void **state)
{
	struct world *w = *state;
	int fd;

	lend(w, 1, 1, GATE_HTTP);
	standin_set_retry(w->s, 2, 99);
	standin_set_retry(w->s, 1, 33);
	fd = dial(w, "GET / HTTP/1.0\r\n\r\n", 18);
	turns(w);
	assert_int_equal(w->last.retry_after_s, 33);
	(void)close(fd);
}

static void a_listener_that_its_owner_shut_down_is_closed(void **state)
{
	struct world *w = *state;
	const struct standin_listener l = {.app = 1, .number = 2};

	lend(w, 1, 1, GATE_HTTP);
	assert_int_equal(shutdown(w->listener, SHUT_RD), 0);
	turns(w);
	assert_false(standin_take_back(w->s, 1, 1));
	/* Sent before, arrived after. */
	assert_int_equal(standin_lend(w->s, &l, dup(w->listener), NULL), 0);
	assert_false(standin_take_back(w->s, 1, 2));
}

/* accept() of such a socket says EAGAIN for ever, and poll that it is readable. */
static void a_unix_listener_that_was_shut_down_is_closed_and_not_spun_on(void **state)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX}; /* a name that the kernel chooses */
	struct world *w = *state;
	const struct standin_listener l = {.app = 1, .number = 1, .protocol = GATE_UWSGI};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (const struct sockaddr *)&un, sizeof(sa_family_t)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(standin_lend(w->s, &l, dup(fd), NULL), 0);
	turns(w);
	assert_int_equal(shutdown(fd, SHUT_RD), 0);
	turns(w);
	assert_false(standin_take_back(w->s, 1, 1));
	(void)close(fd);
}

static void a_crowd_of_silent_clients_waits_in_the_backlog_beyond_the_limit(void **state)
{
	static int fds[LIMIT_GATE_STANDIN + 20];
	struct world *w = *state;
	struct rlimit lim;

	/* Both ends of all of them are ours. */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &lim), 0);
	if (lim.rlim_max < 4 * ARRAY_SIZE(fds))
		skip(); /* a hard limit below what the case must open */
	lim.rlim_cur = lim.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &lim), 0);
	lend(w, 1, 1, GATE_HTTP);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = dial(w, "G", 1);
	for (int i = 0; i < 10; i++)
		turns(w);
	assert_int_equal(standin_count(w->s), LIMIT_GATE_STANDIN);
	/* They are answered when their time is over, and the rest gets its turn. */
	standin_sweep(w->s, clock_now_ns() + LIMIT_GATE_HEAD_S * NS_PER_S);
	assert_int_equal(w->answers_n, LIMIT_GATE_STANDIN);
	turns(w);
	assert_int_equal(standin_count(w->s), 20);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		(void)close(fds[i]);
}

static void the_end_answers_who_is_in_hand(void **state)
{
	struct world *w = *state;
	int fd;

	lend(w, 1, 1, GATE_HTTP);
	fd = dial(w, "GET / HT", 8);
	turns(w);
	standin_stop(w->s);
	assert_int_equal(w->answers_n, 1);
	assert_int_equal(w->last.status, 503);
	assert_false(standin_take_back(w->s, 1, 1));
	(void)close(fd);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(every_request_is_answered_by_what_it_is),
		CASE(a_packet_that_comes_byte_by_byte_is_answered),
		CASE(who_says_too_little_is_answered_when_time_is_over),
		CASE(what_is_taken_back_is_left_to_the_app_with_all_who_wait),
		CASE(apps_and_numbers_are_told_apart),
		CASE(who_comes_later_hears_the_newer_retry_after),
		CASE(a_listener_that_its_owner_shut_down_is_closed),
		CASE(a_unix_listener_that_was_shut_down_is_closed_and_not_spun_on),
		CASE(a_crowd_of_silent_clients_waits_in_the_backlog_beyond_the_limit),
		CASE(the_end_answers_who_is_in_hand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
