/*
 * gate: a client's first bytes find their app whole, or the client gets an answer; nobody holds up anybody else.
 */
#include "tests/unit/gate/world.h"

/* -- tests ---------------------------------------------------------------------------------------------- */

static void a_request_reaches_its_app_with_every_byte(void **state)
{
	static const char request[] = "POST /x HTTP/1.1\r\nHost: Blog.Example:8000\r\n"
				      "Content-Length: 4\r\n\r\nbody";
	struct world *w = *state;
	int fd = dial(w);
	struct pass p;

	say(fd, request);
	p = take_pass(w, BLOG);
	assert_int_equal(p.head.epoch, 5);
	assert_int_equal(p.head.flags, 0);
	assert_int_equal(p.head.listener, 0);
	assert_int_equal(p.script.n, 0);
	assert_true(span_eq(p.carve, SPAN("/shop\0")));
	assert_true(span_eq(p.bytes, span_str(request)));
	say(p.fd, "from the front");
	(void)close(p.fd);
	assert_string_equal(hear(fd), "from the front");
}

static void the_longest_path_decides(void **state)
{
	struct world *w = *state;
	int fd = dial(w);
	struct pass p;

	say(fd, "GET /shop/1 HTTP/1.1\r\nHost: blog.example\r\n\r\n");
	p = take_pass(w, SHOP);
	assert_true(span_eq(p.script, SPAN("/shop")));
	assert_int_equal(p.carve.n, 0);
	(void)close(p.fd);
	(void)close(fd);
}

static void a_head_that_comes_in_pieces_is_passed_whole(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nX: y\r\nHost: a.shop.example\r\n\r\n";
	struct world *w = *state;
	int fd = dial(w);
	struct pass p;

	for (size_t i = 0; i < sizeof(request) - 1; i++) {
		assert_int_equal(send(fd, request + i, 1, MSG_NOSIGNAL), 1);
		(void)usleep(1000);
	}
	p = take_pass(w, SHOP);
	while (p.bytes.n <
	       sizeof(request) - 1) { /* passed at Host's end; the rest is in the socket */
		static char all[sizeof(request)];
		ssize_t n;

		memcpy(all, p.bytes.p, p.bytes.n);
		n = recv(p.fd, all + p.bytes.n, sizeof(all) - p.bytes.n, 0);
		assert_true(n > 0 || errno == EAGAIN);
		p.bytes = span_of(all, p.bytes.n + (size_t)MAX(n, 0));
	}
	assert_true(span_eq(p.bytes, span_str(request)));
	(void)close(p.fd);
	(void)close(fd);
}

static void bad_requests_get_their_answer(void **state)
{
	static char huge[16 * 1024];
	static const struct {
		const char *request;
		int status;
	} cases[] = {
		{"GET / HTTP/1.1\r\nHost: other.example\r\n\r\n", 404},
		{"GET / HTTP/1.0\r\n\r\n", 404},
		{"GET / HTTP/1.1\r\n\r\n", 400},
		{"\x16\x03\x01\x02", 400},
		{"GET / HTTP/1.1\nHost: blog.example\n\n", 400},
		{"GET / HTTP/1.1\r\nHost : blog.example\r\n\r\n", 400},
		{"GET / HTTP/3.0\r\nHost: blog.example\r\n\r\n", 505},
		{huge, 431},
	};
	struct world *w = *state;

	memset(huge, 'x', sizeof(huge) - 1);
	memcpy(huge, "GET / HTTP/1.1\r\nX: ", 19);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int fd = dial(w);

		say(fd, cases[i].request);
		expect_status(fd, cases[i].status);
	}
}

static void an_answer_survives_a_body_that_nobody_reads(void **state)
{
	static char body[100 * 1024];
	struct world *w = *state;
	int fd = dial(w);

	say(fd, "POST / HTTP/1.1\r\nHost: other.example\r\nContent-Length: 102400\r\n\r\n");
	(void)usleep(20 * 1000);
	assert_int_equal(send(fd, body, sizeof(body), MSG_NOSIGNAL), sizeof(body));
	expect_status(fd, 404); /* hear() fails on a reset */
}

static void the_answer_to_head_has_no_body(void **state)
{
	struct world *w = *state;
	int fd = dial(w);
	int refused = dial(w);
	const char *text;

	say(fd, "HEAD / HTTP/1.1\r\nHost: other.example\r\n\r\n");
	text = hear(fd);
	assert_memory_equal(text, "HTTP/1.1 404 ", 13);
	assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n");
	say(refused, "HEAD / HTTP/1.1\r\nHost: a b\r\n\r\n");
	text = hear(refused);
	assert_memory_equal(text, "HTTP/1.1 400 ", 13);
	assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n");
}

static void who_stops_in_the_middle_of_a_head_is_told(void **state)
{
	struct world *w = *state;
	int fd = dial(w);

	say(fd, "GET / HTTP/1.1\r\nHo");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	expect_status(fd, 400);
}

static void an_app_that_is_down_is_answered_for_also_where_clients_wait_already(void **state)
{
	struct world *w = *state;
	int waiting = dial(w), later;
	const char *text;

	say(waiting, "GET / HTTP/1.1\r\nHost: blog.example\r\n\r\n");
	assert_false(nothing_waits(w, BLOG)); /* it is in the door; nobody takes it */
	tell_state(w, BLOG, GATE_DOWN);
	text = hear(waiting);
	assert_memory_equal(text, "HTTP/1.1 503 ", 13);
	assert_non_null(strstr(text, "\r\nRetry-After: 9\r\n"));
	assert_true(nothing_waits(w, BLOG));
	later = dial(w);
	say(later, "GET / HTTP/1.1\r\nHost: blog.example\r\n\r\n");
	expect_status(later, 503);
	tell_state(w, BLOG, GATE_SERVING);
	settle(w);
	later = dial(w);
	say(later, "GET / HTTP/1.1\r\nHost: blog.example\r\n\r\n");
	(void)close(take_pass(w, BLOG).fd);
	(void)close(later);
}

static void an_app_that_is_gone_leaves_nobody_waiting(void **state)
{
	const struct role_msg gone = {.kind = GATE_APP_GONE, .app = SHOP};
	struct world *w = *state;
	int fd = dial(w);

	say(fd, "GET /shop HTTP/1.1\r\nHost: blog.example\r\n\r\n");
	assert_false(nothing_waits(w, SHOP));
	tell(w, &gone, NULL, NULL, 0);
	expect_status(fd, 503);
	fd = dial(w);
	say(fd, "GET /shop HTTP/1.1\r\nHost: blog.example\r\n\r\n");
	expect_status(fd, 503);
}

/* Nobody takes anything: the door fills, then the queue, then clients are told. Then the front comes back. */
static void a_stuck_app_costs_its_own_clients_only(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: blog.example\r\n\r\n";
	static int clients[1500];
	struct world *w = *state;
	size_t refused = 0, passed = 0;
	struct pass p;
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		clients[i] = dial(w);
		say(clients[i], request);
	}
	fd = dial(w);
	say(fd, "GET /shop HTTP/1.1\r\nHost: blog.example\r\n\r\n");
	(void)close(take_pass(w, SHOP).fd); /* the other app does not notice */
	(void)close(fd);
	settle(w);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		struct pollfd pfd = {.fd = clients[i], .events = POLLIN};

		if (poll(&pfd, 1, 0) == 0)
			continue;
		expect_status(clients[i], 503);
		clients[i] = -1;
		refused++;
	}
	assert_in_range(refused, 1, ARRAY_SIZE(clients) - LIMIT_GATE_QUEUE - 100);
	while (passed + refused < ARRAY_SIZE(clients)) {
		p = take_pass(w, BLOG);
		assert_true(span_eq(p.bytes, span_str(request)));
		(void)close(p.fd);
		passed++;
	}
	assert_true(nothing_waits(w, BLOG));
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		if (clients[i] >= 0)
			(void)close(clients[i]);
}

static void a_client_that_only_connects_holds_up_nobody(void **state)
{
	struct world *w = *state;
	int idle = dial_unix(w), gone = dial_unix(w);

	(void)close(gone);
	settle(w);
	(void)close(idle);
	settle(w);
}

static void the_gate_serves_on_without_its_emperor_until_it_is_told(void **state)
{
	struct world *w = *state;
	int fd;

	(void)kill(w->pid, SIGTERM); /* its emperor is there: not for the gate */
	(void)usleep(50 * 1000);
	settle(w);
	(void)close(w->link);
	assert_int_equal(wait_exit(w), 0);

	assert_int_equal(world_close(state), 0);
	assert_int_equal(world_open(state), 0);
	w = *state;
	(void)close(w->link);
	(void)usleep(50 * 1000);
	fd = dial(w);
	say(fd, "GET / HTTP/1.1\r\nHost: blog.example\r\n\r\n");
	(void)close(take_pass(w, BLOG).fd);
	(void)close(fd);
	(void)kill(w->pid, SIGINT);
	fd = dial(w);
	say(fd, "GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n");
	expect_status(fd, 404);
	(void)kill(w->pid, SIGTERM);
	assert_int_equal(wait_exit(w), 0);
}

static void a_stop_answers_who_is_in_hand(void **state)
{
	const struct role_msg stop = {.kind = GATE_STOP};
	struct world *w = *state;
	int half = dial(w), idle = dial(w);

	say(half, "GET / HTTP/1.1\r\n");
	settle(w);
	tell(w, &stop, NULL, NULL, 0);
	expect_status(half, 503);
	assert_string_equal(hear(idle), "");
	assert_int_equal(wait_exit(w), 0);
}

static void odd_messages_from_the_emperor_change_nothing(void **state)
{
	struct world *w = *state;
	const struct role_msg odd[] = {
		{.kind = STATS_STOP},
		{.kind = GATE_STATE, .app = BLOG, .a = 99},
		{.kind = GATE_STATE, .app = 4711, .a = GATE_DOWN},
		{.kind = GATE_TRUST},
	};
	const struct role_msg routes = {.kind = GATE_ROUTES};
	const struct role_msg port = {.kind = GATE_PORT, .app = LIMIT_PORTS};
	int fd = open("/dev/null", O_RDONLY);

	for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
		tell(w, &odd[i], "nonsense", NULL, 0);
	tell(w, &routes, NULL, &fd, 1);
	tell(w, &port, NULL, &fd, 1);
	(void)close(fd);
	settle(w);
	assert_int_equal(flags_of(w, dial(w)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_request_reaches_its_app_with_every_byte),
		CASE(the_longest_path_decides),
		CASE(a_head_that_comes_in_pieces_is_passed_whole),
		CASE(bad_requests_get_their_answer),
		CASE(an_answer_survives_a_body_that_nobody_reads),
		CASE(the_answer_to_head_has_no_body),
		CASE(who_stops_in_the_middle_of_a_head_is_told),
		CASE(an_app_that_is_down_is_answered_for_also_where_clients_wait_already),
		CASE(an_app_that_is_gone_leaves_nobody_waiting),
		CASE(a_stuck_app_costs_its_own_clients_only),
		CASE(a_client_that_only_connects_holds_up_nobody),
		CASE(the_gate_serves_on_without_its_emperor_until_it_is_told),
		CASE(a_stop_answers_who_is_in_hand),
		CASE(odd_messages_from_the_emperor_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
