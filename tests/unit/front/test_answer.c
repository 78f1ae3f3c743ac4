/* answer: frames of a worker into bytes for a client. */
#include "rig.h"

struct shape {
	const char *request;
	int64_t length;    /* the app's Content-Length */
	const char *first; /* body before the front looks; NULL: none, and no head either */
	const char *then;  /* body after it has looked */
	uint32_t flags;    /* of the end */
	const char *has, *has_not, *tail;
	bool closes;
};

#define GET11  "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define LAST11 "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
#define GET10  "GET / HTTP/1.0\r\n\r\n"
#define KEEP10 "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
#define HEAD11 "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"

/* clang-format off */
static const struct shape shapes[] = {
	{ GET11,  5, "hello", "",   0, "Content-Length: 5\r\n", "chunked", "\r\n\r\nhello", false },
	{ LAST11, 5, "hello", "",   0, "Connection: close\r\n", "chunked", "\r\n\r\nhello", true },
	{ GET11, -1, "one", "two",  0, "Transfer-Encoding: chunked\r\n", "Content-Length", "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n", false },
	{ GET10, -1, "one", "two",  0, "200 OK\r\n", "chunked", "\r\n\r\nonetwo", true },
	{ KEEP10, -1, "one", "two", 0, "200 OK\r\n", "keep-alive", "\r\n\r\nonetwo", true },
	{ KEEP10, 6, "one", "two",  0, "onnection: keep-alive\r\n", "chunked", "\r\n\r\nonetwo", false },
	{ HEAD11, 6, "one", "two",  0, "Content-Length: 6\r\n", "chunked", "\r\n\r\n", false },
	{ GET11,  4, "one", "two",  0, "Content-Length: 4\r\n", "chunked", "\r\n\r\nonet", false },
	{ GET11,  9, "one", "two",  FRAME_END_SHORT, "Content-Length: 9\r\n", "chunked", "\r\n\r\nonetwo", true },
	{ GET11, -1, "one", "",     FRAME_END_EXCEPTION, "chunked\r\n", "\r\n0\r\n", "3\r\none\r\n", true },
	{ GET11, -1, NULL,  "",     FRAME_END_EXCEPTION, "500 Internal", "200 OK", "", false },
	{ GET11, -1, NULL,  "",     0, "500 Internal", "200 OK", "", false },
	{ GET11, -1, NULL,  "",     FRAME_END_NO_APP, "404 Not Found", "200 OK", "", false },
};
/* clang-format on */

static bool ends_with(const char *text, const char *tail)
{
	size_t n = strlen(text);
	size_t t = strlen(tail);

	return n >= t && str_eq(text + n - t, tail);
}

static void every_shape_is_framed_as_its_request_can_read_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		const struct shape *s = &shapes[i];
		struct front *f = rig_make(4, 4);
		char got[4096];
		bool closed;
		unsigned slot;
		int end;

		(void)rig_ask(f, s->request, &end);
		slot = worker_take(f);
		if (s->first) {
			worker_head(f, slot, 200, s->length, false);
			worker_data(f, slot, s->first, strlen(s->first), true);
			rig_drain(f);
		}
		if (s->then[0])
			worker_data(f, slot, s->then, strlen(s->then), true);
		worker_end(f, slot, s->flags);
		rig_drain(f);
		(void)rig_read(end, got, sizeof(got), &closed);
		if (!strstr(got, s->has) || strstr(got, s->has_not) || !ends_with(got, s->tail) ||
		    closed != s->closes)
			fail_msg("shape %zu: closed %d:\n%s", i, closed, got);
		assert_int_equal(f->jobs_n, 0);
		assert_int_equal(the_rig->served, 1);
		assert_int_equal(the_rig->killed, 0);
		(void)close(end);
		rig_free(f);
	}
}

static void a_length_that_nobody_gave_is_known_when_all_is_there(void **state)
{
	struct front *f = rig_make(4, 4);
	char got[4096];
	bool closed;
	unsigned slot;
	int end;

	(void)state;
	(void)rig_ask(f, GET11, &end);
	slot = worker_take(f);
	worker_head(f, slot, 200, -1, false);
	worker_data(f, slot, "hello", 5, false);
	worker_end(f, slot, 0);
	(void)answer_drain(f);
	(void)rig_read(end, got, sizeof(got), &closed);
	assert_non_null(strstr(got, "Content-Length: 5\r\n"));
	assert_true(ends_with(got, "\r\n\r\nhello"));
	(void)close(end);
	rig_free(f);
}

static void early_hints_reach_only_who_understands_them(void **state)
{
	static const struct {
		const char *request, *begins;
	} cases[] = {
		{GET11, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
			"HTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\nHTTP/1.1 200 OK\r\n"},
		{HEAD11, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
			 "HTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\nHTTP/1.1 200 OK\r\n"},
		{GET10, "HTTP/1.1 200 OK\r\n"},
		{KEEP10, "HTTP/1.1 200 OK\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct front *f = rig_make(4, 4);
		char got[4096];
		bool closed;
		unsigned slot;
		int end;

		(void)rig_ask(f, cases[i].request, &end);
		slot = worker_take(f);
		worker_interim(f, slot, 103, "Link: </a>\r\n");
		rig_drain(f);
		/* not until the answer comes: they are early */
		if (cases[i].begins[9] == '1')
			assert_int_equal(recv(end, got, sizeof(got), MSG_PEEK), 40);
		worker_interim(f, slot, 103, "Link: </b>\r\n");
		worker_head(f, slot, 200, 5, false);
		worker_data(f, slot, "hello", 5, false);
		worker_end(f, slot, 0);
		rig_drain(f);
		(void)rig_read(end, got, sizeof(got), &closed);
		if (strncmp(got, cases[i].begins, strlen(cases[i].begins)) != 0)
			fail_msg("case %zu:\n%s", i, got);
		assert_int_equal(the_rig->killed, 0);
		(void)close(end);
		rig_free(f);
	}
}

static void early_hints_out_of_order_or_of_another_status_end_the_worker(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct front *f = rig_make(4, 4);
		unsigned slot;
		int end;

		(void)rig_ask(f, GET11, &end);
		slot = worker_take(f);
		if (i == 0)
			worker_head(f, slot, 200, 5, true);
		worker_interim(f, slot, i == 0 ? 103 : 101, "Link: </a>\r\n");
		rig_drain(f);
		rig_drain(f);
		assert_int_equal(the_rig->killed, 1);
		(void)close(end);
		rig_free(f);
	}
}

static void frames_out_of_order_end_the_worker_and_nothing_else(void **state)
{
	struct front *f = rig_make(4, 4);
	char got[4096];
	bool closed;
	unsigned slot;
	int end;

	(void)state;
	(void)rig_ask(f, GET11, &end);
	slot = worker_take(f);
	worker_data(f, slot, "no head", 7, true);
	rig_drain(f);
	rig_drain(f);
	assert_int_equal(the_rig->killed, 1);
	assert_int_equal(rig_read(end, got, sizeof(got), &closed), 0);
	assert_false(closed); /* its 502 comes with the worker's death */
	assert_false(exchange_front_sleep(f->exchange));
	(void)close(end);
	rig_free(f);
}

static void who_goes_on_after_the_answer_keeps_its_slot_and_not_the_client(void **state)
{
	struct front *f = rig_make(4, 4);
	char got[4096];
	bool closed;
	unsigned slot;
	size_t n;
	int end;

	(void)state;
	(void)rig_ask(f, GET11, &end);
	slot = worker_take(f);
	worker_head(f, slot, 200, -1, false);
	worker_data(f, slot, "all", 3, false);
	worker_ends(f, slot, FRAME_DONE, FRAME_END_OK);
	rig_drain(f);
	n = rig_read(end, got, sizeof(got), &closed);
	assert_non_null(memmem(got, n, "Content-Length: 3\r\n", 19));
	assert_memory_equal(got + n - 7, "\r\n\r\nall", 7);
	assert_true(f->jobs[slot].used);
	assert_null(f->jobs[slot].conn);
	/* what it still says is for nobody, be it nonsense */
	worker_data(f, slot, "lost", 4, true);
	worker_ends(f, slot, FRAME_DONE, FRAME_END_OK);
	rig_drain(f);
	assert_true(f->jobs[slot].used);
	worker_ends(f, slot, FRAME_END, FRAME_END_EXCEPTION);
	rig_drain(f);
	assert_false(f->jobs[slot].used);
	assert_int_equal(rig_read(end, got, sizeof(got), &closed), 0);
	assert_int_equal(the_rig->killed, 0);
	(void)close(end);
	rig_free(f);
}

static void done_before_any_head_is_an_answer_of_ours(void **state)
{
	struct front *f = rig_make(4, 4);
	char got[4096];
	bool closed;
	unsigned slot;
	size_t n;
	int end;

	(void)state;
	(void)rig_ask(f, GET11, &end);
	slot = worker_take(f);
	worker_ends(f, slot, FRAME_DONE, FRAME_END_OK);
	rig_drain(f);
	n = rig_read(end, got, sizeof(got), &closed);
	assert_non_null(memmem(got, n, " 500 ", 5));
	assert_true(f->jobs[slot].used);
	worker_end(f, slot, FRAME_END_OK);
	rig_drain(f);
	assert_false(f->jobs[slot].used);
	(void)close(end);
	rig_free(f);
}

/* A client that reads nothing: first the socket is full, then the spool, then the lane; then it reads. */
static void a_lane_waits_for_a_slow_client_without_keeping_the_front_awake(void **state)
{
	static char piece[32768];
	static char got[4 << 20];
	struct front *f = rig_make(4, 4);
	struct conn *c;
	size_t sent = 0, n = 0;
	bool closed;
	unsigned slot;
	int end;

	(void)state;
	f->out_limits = (struct spool_limits){.memory = 4096, .file = 65536, .tmpdir = "/tmp"};
	c = rig_ask(f, GET10, &end);
	slot = worker_take(f);
	worker_head(f, slot, 200, -1, true);
	rig_drain(f);
	while (exchange_reply_room(f->exchange, 0, sizeof(piece))) {
		memset(piece, 'a' + (int)(sent / sizeof(piece)) % 26, sizeof(piece));
		worker_data(f, slot, piece, sizeof(piece), true);
		sent += sizeof(piece);
		assert_true(sent < sizeof(got) / 2);
		rig_drain(f);
	}
	assert_false(exchange_front_sleep(f->exchange)); /* frames are there, and may stay */
	for (unsigned i = 0; i < 1000 && n < sent; i++) {
		n += rig_read(end, got + n, sizeof(got) - n, &closed);
		(void)ev_run(f->loop, EVRUN_NOWAIT); /* disk jobs that have ended */
		conn_flush(c);
		rig_drain(f);
		(void)usleep(1000);
	}
	assert_false(exchange_front_sleep(f->exchange)); /* and now none is */
	worker_end(f, slot, 0);
	rig_drain(f);
	n += rig_read(end, got + n, sizeof(got) - n, &closed);
	assert_true(closed);
	assert_true(n > sent);
	for (size_t i = 0; i < sent; i++)
		assert_int_equal(got[n - sent + i], 'a' + (int)(i / sizeof(piece)) % 26);
	(void)close(end);
	rig_free(f);
}

static void who_has_all_of_it_is_left_alone_unless_some_of_it_was_lost(void **state)
{
	struct front *f = rig_make(4, 4);
	struct conn *c;
	unsigned slot;
	int end;

	(void)state;
	c = rig_ask(f, GET11, &end);
	slot = worker_take(f);
	worker_head(f, slot, 200, 5, true);
	rig_drain(f);
	conn_flush(c);
	assert_false(answer_is_whole(c));
	worker_data(f, slot, "whole", 5, true);
	rig_drain(f);
	assert_true(answer_is_whole(c));
	conn_lost(c);
	assert_int_equal(c->state, CONN_WAIT);
	assert_int_equal(atomic_load(&f->count->client_gone), 0);
	/* neither on file nor in memory, as when both are full */
	c->out.error = -ENOMEM;
	conn_lost(c);
	assert_int_equal(c->state, CONN_DEAD);
	assert_int_equal(atomic_load(&f->count->client_gone), 1);
	(void)close(end);
	rig_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_shape_is_framed_as_its_request_can_read_it),
		cmocka_unit_test(a_length_that_nobody_gave_is_known_when_all_is_there),
		cmocka_unit_test(early_hints_reach_only_who_understands_them),
		cmocka_unit_test(early_hints_out_of_order_or_of_another_status_end_the_worker),
		cmocka_unit_test(frames_out_of_order_end_the_worker_and_nothing_else),
		cmocka_unit_test(who_goes_on_after_the_answer_keeps_its_slot_and_not_the_client),
		cmocka_unit_test(done_before_any_head_is_an_answer_of_ours),
		cmocka_unit_test(a_lane_waits_for_a_slow_client_without_keeping_the_front_awake),
		cmocka_unit_test(who_has_all_of_it_is_left_alone_unless_some_of_it_was_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
