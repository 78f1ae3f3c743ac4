/*
 * test_asked - in which form somebody is refused who comes while the app is down.
 */
#include "emperor/gate/asked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define BYTES(s)                 \
	{                        \
		s, sizeof(s) - 1 \
	}
#define GET    "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
#define BEGIN  "\1\1\1\2\0\10\0\0\0\1\1\0\0\0\0\0"
#define VALUES "\1\11\0\0\0\3\5\0abcppppp"
#define V1     "PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n"

static const struct {
	enum gate_protocol protocol;
	struct span bytes;
	int status; /* 0: more is waited for */
	enum answer_wire wire;
	uint16_t id;
	bool no_body;
} cases[] = {
	{GATE_HTTP, BYTES(GET), 503, ANSWER_HTTP, 0, false},
	{GATE_HTTP, BYTES("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"), 503, ANSWER_HTTP, 0, true},
	{GATE_HTTP, BYTES("GET / HTTP/1.1\r\nHo"), 0, ANSWER_HTTP, 0, false},
	{GATE_HTTP, BYTES("GET / HTTP/1.1\r\nHost : x\r\n\r\n"), 400, ANSWER_HTTP, 0, false},
	{GATE_HTTP, BYTES("\x16\3\1"), 400, ANSWER_HTTP, 0, false},
	{GATE_HTTP, BYTES(V1 GET), 503, ANSWER_HTTP, 0, false},
	{GATE_HTTP, BYTES(V1 "HEAD / HTTP/1.0\r\n\r\n"), 503, ANSWER_HTTP, 0, true},
	{GATE_HTTP, BYTES(V1), 0, ANSWER_HTTP, 0, false},
	{GATE_HTTP, BYTES("PROX"), 0, ANSWER_HTTP, 0, false},
	{GATE_UWSGI, BYTES("\0\5\0"), 0, ANSWER_HTTP, 0, false},
	{GATE_UWSGI, BYTES("\0\5\0\0"), 503, ANSWER_HTTP, 0, false},
	{GATE_SCGI, BYTES("7"), 503, ANSWER_CGI, 0, false},
	{GATE_FASTCGI, BYTES(BEGIN), 503, ANSWER_FASTCGI, 0x102, false},
	{GATE_FASTCGI, BYTES("\1\1\1\2\0\10\0"), 0, ANSWER_FASTCGI, 1, false},
	{GATE_FASTCGI, BYTES(VALUES BEGIN), 503, ANSWER_FASTCGI, 0x102, false},
	{GATE_FASTCGI, BYTES(VALUES), 0, ANSWER_FASTCGI, 1, false},
	{GATE_FASTCGI, BYTES("\1\4\0\1\377\377\377\0x"), 0, ANSWER_FASTCGI, 1, false},
	{GATE_ANY, BYTES(GET), 503, ANSWER_HTTP, 0, false},
	{GATE_ANY, BYTES("\0\5\0\0"), 503, ANSWER_HTTP, 0, false},
	{GATE_ANY, BYTES("\36\5\0\0"), 503, ANSWER_HTTP, 0, false},
	{GATE_ANY, BYTES("24:x"), 503, ANSWER_CGI, 0, false},
	{GATE_ANY, BYTES(V1 BEGIN), 503, ANSWER_FASTCGI, 0x102, false},
};

static void each_protocol_is_answered_when_its_question_is_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct answer a = {.status = 503, .why = "down"};
		enum asked asked = asked_find(cases[i].protocol, cases[i].bytes, false, &a);

		if ((asked == ASKED_WHOLE) != (cases[i].status != 0))
			fail_msg("case %zu: asked for more, or not", i);
		if (asked == ASKED_MORE)
			continue;
		if (a.status != cases[i].status || a.wire != cases[i].wire || a.id != cases[i].id ||
		    a.no_body != cases[i].no_body)
			fail_msg("case %zu: %d, wire %d, id %u", i, a.status, a.wire, a.id);
	}
}

static void at_the_end_whatever_came_is_answered(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t n = 1; n <= cases[i].bytes.n; n++) {
			struct answer a = {.status = 503, .why = "down"};
			struct span some = span_of(cases[i].bytes.p, n);

			assert_int_equal(asked_find(cases[i].protocol, some, true, &a),
					 ASKED_WHOLE);
		}
}

static void a_whole_http_request_may_bring_its_id(void **state)
{
	static const struct {
		struct span request;
		const char *id;
	} heads[] = {
		{SPAN("GET / HTTP/1.1\r\nHost: x\r\nx-request-id: 0af1\r\n\r\n"), "0af1"},
		{SPAN("GET / HTTP/1.1\r\nHost: x\r\nX-Request-ID: 0af1\r\n"), ""},
		{SPAN("GET / HTTP/1.1\r\nX-Request-ID: a\r\nX-Request-ID: b\r\n\r\n"), ""},
		{SPAN("GET / HTTP/1.1\r\nX-Request-ID: a b\r\n\r\n"), ""},
		{SPAN("\0\5\0\0"), ""},
		{SPAN(""), ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		struct span id = asked_request_id(heads[i].request);

		if (!span_eq(id, span_of(heads[i].id, strlen(heads[i].id))))
			fail_msg("case %zu: %.*s", i, (int)id.n, id.p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_protocol_is_answered_when_its_question_is_whole),
		cmocka_unit_test(a_whole_http_request_may_bring_its_id),
		cmocka_unit_test(at_the_end_whatever_came_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
