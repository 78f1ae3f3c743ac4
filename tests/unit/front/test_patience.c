/* patience and the other deadlines: whoever waits for a client is measured, also when a short answer stood in between. */
#include "rig.h"

#include "shared/clock.h"

#define FOR_EVER (3600 * NS_PER_S)

static const char full[1 << 16];

/* The client has not read what came before: nothing more fits its socket. */
static struct conn *full_socket(struct front *f, enum listener_protocol spoken, int *ret_end)
{
	struct conn *c = rig_ask(f, "", ret_end);

	c->spoken = spoken;
	while (write(c->fd, full, sizeof(full)) > 0)
		;
	return c;
}

static void read_all(struct conn *c, int end)
{
	static char buf[sizeof(full)];
	bool closed;

	while (!spool_empty(&c->out)) {
		while (rig_read(end, buf, sizeof(buf), &closed) > 0)
			;
		conn_flush(c);
	}
}

static bool runs(const struct conn *c, enum conn_timer kind)
{
	return timer_due(&c->front->timers[kind], c->front->now_ns + FOR_EVER) == &c->timer;
}

static void ask(struct conn *c, int end, const char *p, size_t n)
{
	assert_int_equal(write(end, p, n), (ssize_t)n);
	c->readable = true;
	intake_run(c);
}

static void a_short_answer_that_waited_leaves_the_deadline_of_what_is_awaited(void **state)
{
	static const char post[] = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
				   "Expect: 100-continue\r\n\r\n";
	static const char question[] = "\1\11\0\0\0\x10\0\0\16\0FCGI_MAX_CONNS";
	struct front *f = rig_make(2, 2);
	struct conn *c;
	int end;

	(void)state;
	c = full_socket(f, LISTENER_HTTP, &end);
	ask(c, end, post, sizeof(post) - 1);
	assert_int_equal(c->state, CONN_BODY);
	assert_true(runs(c, TIMER_WRITE));
	read_all(c, end);
	assert_int_equal(c->state, CONN_BODY);
	assert_true(runs(c, TIMER_BODY));
	(void)close(end);
	conn_lost(c);

	c = full_socket(f, LISTENER_FASTCGI, &end);
	ask(c, end, question, sizeof(question) - 1);
	assert_int_equal(c->state, CONN_HEAD);
	assert_true(runs(c, TIMER_WRITE));
	read_all(c, end);
	assert_int_equal(c->state, CONN_HEAD);
	assert_true(runs(c, TIMER_HEAD));
	(void)close(end);
	rig_free(f);
}

/* The last bytes stand behind others that wait already: nobody else looks after them. */
static void whatever_is_left_at_the_end_is_waited_for_as_an_answer(void **state)
{
	static const char post[] = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
				   "Expect: 100-continue\r\n\r\n";
	struct front *f = rig_make(2, 2);
	struct conn *c;
	int end;

	(void)state;
	c = full_socket(f, LISTENER_HTTP, &end);
	ask(c, end, post, sizeof(post) - 1);
	ask(c, end, "abcde", 5);
	assert_int_equal(c->state, CONN_WAIT);
	/* as the loop does it */
	timer_clear(&c->timer);
	queue_expire(c);
	assert_int_equal(c->state, CONN_FLUSH);
	assert_true(runs(c, TIMER_WRITE));
	(void)close(end);
	rig_free(f);
}

/* Begin (KEEP_CONN), parameters, their end, the end of a body. */
static const char fastcgi_get[] = "\1\1\0\1\0\10\0\0"
				  "\0\1\1\0\0\0\0\0"
				  "\1\4\0\1\0\x22\0\0"
				  "\16\3REQUEST_METHODGET"
				  "\13\2REQUEST_URI/x"
				  "\1\4\0\1\0\0\0\0";
static const char fastcgi_end[] = "\1\5\0\1\0\0\0\0";

static void a_question_while_a_request_waits_leaves_its_deadline(void **state)
{
	static const char question[] = "\1\11\0\0\0\x10\0\0\16\0FCGI_MAX_CONNS";
	struct front *f = rig_make(2, 2);
	struct conn *c;
	int end;

	(void)state;
	c = full_socket(f, LISTENER_FASTCGI, &end);
	ask(c, end, fastcgi_get, sizeof(fastcgi_get) - 1);
	ask(c, end, fastcgi_end, sizeof(fastcgi_end) - 1);
	assert_int_equal(c->state, CONN_WAIT);
	assert_true(runs(c, TIMER_QUEUE));
	ask(c, end, question, sizeof(question) - 1);
	assert_true(runs(c, TIMER_WRITE));
	read_all(c, end);
	assert_int_equal(c->state, CONN_WAIT);
	assert_true(runs(c, TIMER_QUEUE));
	(void)close(end);
	rig_free(f);
}

/* Records that belong to no request are skipped, but they are no reason to wait longer for one. */
static void who_sends_records_of_no_request_gets_no_more_time(void **state)
{
	struct front *f = rig_make(2, 2);
	uint64_t deadline_ns;
	struct conn *c;
	int end;

	(void)state;
	c = rig_ask(f, "", &end);
	c->spoken = LISTENER_FASTCGI;
	ask(c, end, fastcgi_end, sizeof(fastcgi_end) - 1);
	assert_true(runs(c, TIMER_HEAD));
	deadline_ns = c->timer.deadline_ns;
	for (unsigned i = 0; i < 3; i++) {
		f->now_ns += NS_PER_S;
		ask(c, end, fastcgi_end, sizeof(fastcgi_end) - 1);
	}
	assert_int_equal(c->timer.deadline_ns, deadline_ns);
	/* one that comes begins its own time when the one before was answered */
	ask(c, end, fastcgi_get, sizeof(fastcgi_get) - 1);
	ask(c, end, fastcgi_end, sizeof(fastcgi_end) - 1);
	assert_int_equal(c->state, CONN_WAIT);
	(void)close(end);
	rig_free(f);
}

/* No role of ours, and no further request: the answer to that ends the connection, once it has gone. */
static void an_answer_that_ends_the_connection_is_waited_for_as_well(void **state)
{
	static const char authorizer[] = "\1\1\0\1\0\10\0\0"
					 "\0\2\0\0\0\0\0\0";
	struct front *f = rig_make(2, 2);
	char got[sizeof(full)];
	bool closed = false;
	size_t n = 0;
	struct conn *c;
	int end;

	(void)state;
	c = full_socket(f, LISTENER_FASTCGI, &end);
	ask(c, end, authorizer, sizeof(authorizer) - 1);
	assert_true(runs(c, TIMER_WRITE));
	for (unsigned i = 0; i < 100 && !closed; i++) {
		n = rig_read(end, got, sizeof(got), &closed);
		if (n == 0)
			conn_flush(c);
	}
	/* END_REQUEST, UNKNOWN_ROLE */
	assert_int_equal(n, 16);
	assert_memory_equal(got, "\1\3\0\1\0\10\0\0\0\0\0\0\3\0\0\0", 16);
	(void)close(end);
	rig_free(f);
}

/* Who is still sending when its answer has been given may go on for a while, if it does. */
static void who_still_sends_is_listened_to_and_not_for_ever(void **state)
{
	struct front *f = rig_make(2, 2);
	char got[1024];
	bool closed;
	struct conn *c;
	unsigned s;
	int end;

	(void)state;
	c = rig_ask(f, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", &end);
	assert_int_equal(c->state, CONN_LINGER);
	assert_true(rig_read(end, got, sizeof(got), &closed) > 0);
	for (s = 0; s < 2 * LIMIT_LINGER_S && c->state == CONN_LINGER; s++) {
		uint64_t until_ns = f->now_ns + LIMIT_LINGER_SILENCE_S * NS_PER_S;

		assert_ptr_equal(timer_due(&f->timers[TIMER_LINGER], until_ns), &c->timer);
		f->now_ns += NS_PER_S;
		if (timer_due(&f->timers[TIMER_LINGER], f->now_ns))
			break;
		assert_int_equal(write(end, "x", 1), 1);
		conn_linger(c);
	}
	assert_in_range(s, LIMIT_LINGER_S - 1, LIMIT_LINGER_S + LIMIT_LINGER_SILENCE_S);
	(void)close(end);
	conn_linger(c);
	assert_int_equal(c->state, CONN_DEAD);
	rig_free(f);
}

/* The end of its input was seen while its request was in work; nothing can come any more. */
static void who_has_shut_its_side_is_not_kept(void **state)
{
	struct front *f = rig_make(2, 2);
	char got[1024];
	bool closed;
	struct conn *c;
	unsigned slot;
	int end;

	(void)state;
	c = rig_ask(f, "", &end);
	c->spoken = LISTENER_FASTCGI;
	ask(c, end, fastcgi_get, sizeof(fastcgi_get) - 1);
	ask(c, end, fastcgi_end, sizeof(fastcgi_end) - 1);
	assert_int_equal(shutdown(end, SHUT_WR), 0);
	c->readable = true;
	intake_run(c);
	slot = worker_take(f);
	worker_head(f, slot, 204, -1, false);
	worker_end(f, slot, FRAME_END_OK);
	rig_drain(f);
	assert_true(rig_read(end, got, sizeof(got), &closed) > 0);
	assert_true(closed);
	(void)close(end);
	rig_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_short_answer_that_waited_leaves_the_deadline_of_what_is_awaited),
		cmocka_unit_test(whatever_is_left_at_the_end_is_waited_for_as_an_answer),
		cmocka_unit_test(a_question_while_a_request_waits_leaves_its_deadline),
		cmocka_unit_test(who_sends_records_of_no_request_gets_no_more_time),
		cmocka_unit_test(an_answer_that_ends_the_connection_is_waited_for_as_well),
		cmocka_unit_test(who_still_sends_is_listened_to_and_not_for_ever),
		cmocka_unit_test(who_has_shut_its_side_is_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
