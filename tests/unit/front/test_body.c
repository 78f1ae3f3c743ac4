/* body: request bodies in any pieces, in memory, on file, too large, cut short. */
#include "rig.h"

#define LENGTH_HEAD "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n"
#define CHUNK_HEAD  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

static char pattern(size_t i)
{
	return (char)('a' + (i * 7 + i / 1000) % 26);
}

static size_t write_chunked(char *out, size_t n, size_t chunk)
{
	size_t m = (size_t)sprintf(out, CHUNK_HEAD);

	for (size_t at = 0; at < n;) {
		size_t k = MIN(chunk, n - at);

		m += (size_t)sprintf(out + m, "%zx\r\n", k);
		for (size_t i = 0; i < k; i++)
			out[m++] = pattern(at++);
		m += (size_t)sprintf(out + m, "\r\n");
	}
	return m + (size_t)sprintf(out + m, "0\r\n\r\n");
}

static size_t write_length(char *out, size_t n)
{
	size_t m = (size_t)sprintf(out, LENGTH_HEAD, n);

	for (size_t i = 0; i < n; i++)
		out[m++] = pattern(i);
	return m;
}

/* The body of the slot as its worker would find it. */
static void expect_body(struct front *f, unsigned slot, size_t n)
{
	const struct exchange_request *xr = exchange_request(f->exchange, slot);
	char *got = calloc(1, n + 1);

	assert_int_equal(xr->body_n, n);
	assert_int_equal(xr->body, n == 0                  ? EXCHANGE_BODY_NONE
				   : n > EXCHANGE_BODY_MAX ? EXCHANGE_BODY_FILE
							   : EXCHANGE_BODY_MEMORY);
	if (xr->body == EXCHANGE_BODY_MEMORY)
		memcpy(got, exchange_data(f->exchange, slot) + xr->vars_n, n);
	else if (xr->body == EXCHANGE_BODY_FILE)
		assert_int_equal(pread(f->jobs[slot].body.file_fd, got, n, 0), n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(got[i], pattern(i));
	free(got);
}

static void feed(struct front *f, struct conn *c, int end, const char *p, size_t n, size_t piece)
{
	while (n > 0) {
		size_t k = MIN(piece, n);
		ssize_t w = write(end, p, k);

		if (w > 0) {
			p += w;
			n -= (size_t)w;
		}
		c->readable = true;
		intake_run(c);
		(void)ev_run(f->loop, EVRUN_NOWAIT);
	}
	for (unsigned i = 0; i < 2000 && c->state == CONN_BODY; i++) {
		(void)ev_run(f->loop, EVRUN_NOWAIT);
		c->readable = true;
		intake_run(c);
		(void)usleep(500);
	}
}

static void bodies_arrive_however_they_are_framed_and_cut(void **state)
{
	static const size_t sizes[] = {0, 1, 100, 65535, 65536, 65537, 200000};
	static const size_t pieces[] = {1, 97, 4096, 70000};
	static char text[600000];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes) * ARRAY_SIZE(pieces) * 2; i++) {
		size_t n = sizes[i / 2 / ARRAY_SIZE(pieces)];
		size_t piece = pieces[i / 2 % ARRAY_SIZE(pieces)];
		struct front *f;
		struct conn *c;
		size_t m;
		int end;

		if (n > 100 && piece == 1)
			continue;
		f = rig_make(2, 2);
		m = i % 2 ? write_chunked(text, n, 1000) : write_length(text, n);
		c = rig_client(f, text, 1, &end);
		feed(f, c, end, text + 1, m - 1, piece);
		if (c->state != CONN_WAIT)
			fail_msg("%zu bytes in pieces of %zu, chunked %zu: state %d", n, piece,
				 i % 2, c->state);
		expect_body(f, worker_take(f), n);
		(void)close(end);
		rig_free(f);
	}
}

struct refused {
	const char *text;
	const char *status;
};

static void more_than_limit_post_is_413_and_nonsense_400(void **state)
{
	static const struct refused cases[] = {
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n", "HTTP/1.1 413 "},
		{CHUNK_HEAD "6\r\nabcdef\r\n6\r\nabcdef\r\n0\r\n\r\n", "HTTP/1.1 413 "},
		{CHUNK_HEAD "6\r\nabcdefX", "HTTP/1.1 400 "},
		{CHUNK_HEAD "g\r\n", "HTTP/1.1 400 "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct front *f = rig_make(2, 2);
		char got[2048];
		bool closed;
		unsigned slot;
		int end;

		the_rig->config.limit_post = 10;
		(void)rig_ask(f, cases[i].text, &end);
		(void)rig_read(end, got, sizeof(got), &closed);
		assert_memory_equal(got, cases[i].status, strlen(cases[i].status));
		assert_int_equal(exchange_take(f->exchange, 0, &slot), EXCHANGE_NOTHING);
		assert_int_equal(f->jobs_n, 0);
		(void)close(end);
		rig_free(f);
	}
}

static void a_body_that_ends_early_never_reaches_a_worker(void **state)
{
	static const char *const cases[] = {
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nshort",
		CHUNK_HEAD "6\r\nabc",
		CHUNK_HEAD "3\r\nabc\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct front *f = rig_make(2, 2);
		char got[2048];
		bool closed;
		unsigned slot;
		int end;
		struct conn *c = rig_ask(f, cases[i], &end);

		assert_int_equal(shutdown(end, SHUT_WR), 0);
		c->readable = true;
		intake_run(c);
		(void)rig_read(end, got, sizeof(got), &closed);
		assert_memory_equal(got, "HTTP/1.1 400 ", 13);
		assert_int_equal(exchange_take(f->exchange, 0, &slot), EXCHANGE_NOTHING);
		(void)close(end);
		rig_free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_arrive_however_they_are_framed_and_cut),
		cmocka_unit_test(more_than_limit_post_is_413_and_nonsense_400),
		cmocka_unit_test(a_body_that_ends_early_never_reaches_a_worker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
