/*
 * gate: connections that begin with a PROXY header. Who believes it is the front's question; here it must come along, and
 * nobody may bring one into a connection that is another's.
 */
#include "tests/unit/gate/world.h"

#define V1      "PROXY TCP4 192.0.2.7 192.0.2.8 4711 443\r\n"
#define REQUEST "GET / HTTP/1.1\r\nHost: blog.example\r\n\r\n"

/* A door that is full hands on from its queue: there it must be known as well that a PROXY header comes first. */
static void who_waited_in_the_queue_is_introduced_like_the_others(void **state)
{
	static const struct linger none = {.l_onoff = 1};
	struct world *w = *state;
	const int size = 1;
	int fds[200];

	/* the smallest door that there is */
	assert_int_equal(setsockopt(w->gate_end[BLOG], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)),
			 0);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = dial_unix(w);
		say(fds[i], V1 REQUEST);
	}
	settle(w);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		struct pass p = take_pass(w, BLOG);

		assert_true(span_eq(p.bytes, SPAN(V1 REQUEST)));
		if (!(p.head.flags & PASS_UNOPENED))
			fail_msg("the %zuth comes without", i);
		(void)close(p.fd);
	}
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		(void)setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &none, sizeof(none));
		(void)close(fds[i]);
	}
}

/* As long as both may be: the header takes nothing away from the request. */
static void a_long_header_leaves_room_for_a_long_request(void **state)
{
	static const char head[16] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\x0f";
	struct world *w = *state;
	size_t header = LIMIT_PROXY_BYTES;
	char *bytes = calloc(1, header + LIMIT_GATE_HEAD);
	int fd = dial_unix(w);
	struct pass p;
	size_t n;

	assert_non_null(bytes);
	memcpy(bytes, head, sizeof(head));
	bytes[15] = (char)(header - sizeof(head));
	n = header + (size_t)sprintf(bytes + header, "GET /%*s", LIMIT_GATE_HEAD - 100, "");
	memset(bytes + header + 5, 'x', n - header - 5);
	n += (size_t)sprintf(bytes + n, " HTTP/1.1\r\nHost: blog.example\r\n\r\n");
	/* a header first, as balancers send it, and the rest in two */
	assert_int_equal(send(fd, bytes, header, MSG_NOSIGNAL), header);
	settle(w);
	assert_int_equal(send(fd, bytes + header, 4000, MSG_NOSIGNAL), 4000);
	settle(w);
	assert_int_equal(send(fd, bytes + header + 4000, n - header - 4000, MSG_NOSIGNAL),
			 n - header - 4000);
	p = take_pass(w, BLOG);
	assert_true(span_starts(p.bytes, span_of(bytes, header + 4000)));
	assert_int_equal(p.head.flags, PASS_ONE_REQUEST | PASS_UNOPENED);
	(void)close(p.fd);
	(void)close(fd);
	/* and does not lengthen it */
	fd = dial_unix(w);
	say(fd, V1 "GET / HTTP/1.1\r\nX: ");
	memset(bytes, 'x', LIMIT_GATE_HEAD);
	assert_int_equal(send(fd, bytes, LIMIT_GATE_HEAD, MSG_NOSIGNAL), LIMIT_GATE_HEAD);
	expect_status(fd, 431);
	free(bytes);
}

static void what_is_no_http_behind_a_header_is_told_so_at_once(void **state)
{
	static const char v2[] =
		"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\7\xc0\0\2\x08\x12\x34\1\xbb";
	const struct span headers[] = {SPAN(V1), span_of(v2, sizeof(v2) - 1)};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		int fd = dial_unix(w);

		assert_int_equal(send(fd, headers[i].p, headers[i].n, MSG_NOSIGNAL), headers[i].n);
		settle(w);
		say(fd, "\x16\x03\x01\x02");
		expect_status(fd, 400);
	}
	/* wherever the header was cut */
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		for (size_t cut = 1; cut < headers[i].n; cut++) {
			int fd = dial_unix(w);
			char rest[64];
			size_t n = headers[i].n - cut;

			assert_int_equal(send(fd, headers[i].p, cut, MSG_NOSIGNAL), cut);
			settle(w);
			memcpy(rest, headers[i].p + cut, n);
			memcpy(rest + n, "\x16\x03\x01\x02", 4);
			assert_int_equal(send(fd, rest, n + 4, MSG_NOSIGNAL), n + 4);
			expect_status(fd, 400);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(who_waited_in_the_queue_is_introduced_like_the_others),
		CASE(what_is_no_http_behind_a_header_is_told_so_at_once),
		CASE(a_long_header_leaves_room_for_a_long_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
