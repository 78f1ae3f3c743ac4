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

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(who_waited_in_the_queue_is_introduced_like_the_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
