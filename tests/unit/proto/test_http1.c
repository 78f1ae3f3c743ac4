/*
 * Tests of vassal/proto/http1: what a head means (RFC 9110, 9112).
 */
#include "tests/unit/proto/http1.h"

struct judged {
	const char *text;
	int status; /* 0: accepted */
};

static const struct judged judgements[] = {
	{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0},
	/* RFC 9112 3.2: exactly one Host in 1.1, never two */
	{"GET / HTTP/1.1\r\nX: y\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
	{"GET / HTTP/1.0\r\nHost: a\r\nhost: a\r\n\r\n", 400},
	{"GET http://a/ HTTP/1.1\r\nX: y\r\n\r\n", 400},
	{"GET / HTTP/1.0\r\n\r\n", 0},
	/* RFC 9112 6.3, RFC 9110 8.6: Content-Length is one run of digits, once */
	{POST "Content-Length: 5\r\n\r\n", 0},
	{POST "Content-Length: 0\r\n\r\n", 0},
	{POST "Content-Length: +5\r\n\r\n", 400},
	{POST "Content-Length: -5\r\n\r\n", 400},
	{POST "Content-Length: 5, 5\r\n\r\n", 400},
	{POST "Content-Length: 5 5\r\n\r\n", 400},
	{POST "Content-Length: 0x5\r\n\r\n", 400},
	{POST "Content-Length:\r\n\r\n", 400},
	{POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400},
	{POST "Content-Length: 5\r\ncontent-length: 6\r\n\r\n", 400},
	{POST "Content-Length: 9223372036854775808\r\n\r\n", 400},
	{POST "Content-Length: 18446744073709551617\r\n\r\n", 400},
	/* RFC 9112 6.1: Transfer-Encoding */
	{POST "Transfer-Encoding: chunked\r\n\r\n", 0},
	{POST "Transfer-Encoding: Chunked\r\n\r\n", 0},
	{POST "Transfer-Encoding: , chunked\r\n\r\n", 400},
	{POST "Transfer-Encoding: chunked,\r\n\r\n", 400},
	{POST "Transfer-Encoding: gzip,\t,chunked\r\n\r\n", 400},
	{POST "Transfer-Encoding: ,\r\n\r\n", 400},
	{POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400},
	{POST "Content-Length: 5\r\nTransfer-Encoding: identity\r\n\r\n", 400},
	{"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
	{POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
	{POST "Transfer-Encoding: chunked, chunked\r\n\r\n", 400},
	{POST "Transfer-Encoding: chunked, gzip\r\n\r\n", 400},
	{POST "Transfer-Encoding:\r\n\r\n", 400},
	{POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
	{POST "Transfer-Encoding: gzip\r\n\r\n", 501},
	{POST "Transfer-Encoding: identity\r\n\r\n", 501},
	{POST "Transfer-Encoding: xchunked\r\n\r\n", 501},
	{POST "Transfer-Encoding: chunked;q=1\r\n\r\n", 501},
	{POST "Transfer-Encoding: \"chunked\"\r\n\r\n", 501},
	/* names with '_' are nobody's lengths */
	{POST "Content_Length: x\r\nTransfer_Encoding: y\r\n\r\n", 0},
	/* RFC 9110 10.1.1 */
	{POST "Content-Length: 5\r\nExpect: 100-Continue\r\n\r\n", 0},
	{POST "Content-Length: 5\r\nExpect: 200-ok\r\n\r\n", 417},
	{POST "Expect: 100-continue\r\nExpect: more\r\n\r\n", 417},
	/* a path that no file system can hold */
	{"GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
	{"GET /a%2500b?%00 HTTP/1.1\r\nHost: a\r\n\r\n", 0},
};

static void each_head_is_judged_as_the_rfc_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(judgements); i++) {
		const struct judged *c = &judgements[i];
		struct seen s;
		int r = judge(&s, c->text);

		if (r != (c->status ? PROTO_BAD : 0) || (r < 0 && s.rq.status != c->status))
			fail_msg("%d, status %d: %s", r, s.rq.status, c->text);
		if (r < 0) {
			assert_non_null(s.rq.reason);
			assert_false(s.rq.keep_alive);
		}
	}
}

static void the_body_is_known_from_the_head(void **state)
{
	static const struct {
		const char *text;
		enum body_kind body;
		uint64_t length;
	} cases[] = {
		{POST "\r\n", BODY_NONE, 0},
		{POST "Content-Length: 0\r\n\r\n", BODY_LENGTH, 0},
		{POST "CONTENT-LENGTH: \t12 \r\n\r\n", BODY_LENGTH, 12},
		{POST "Content-Length: 9223372036854775807\r\n\r\n", BODY_LENGTH, INT64_MAX},
		{POST "transfer-encoding: chunked\r\n\r\n", BODY_CHUNKED, 0},
		{POST "Content_Length: 7\r\n\r\n", BODY_NONE, 0},
		{POST "Transfer_Encoding: chunked\r\n\r\n", BODY_NONE, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct seen s;

		assert_int_equal(judge(&s, cases[i].text), 0);
		assert_int_equal(s.rq.body, cases[i].body);
		assert_int_equal(s.rq.length, cases[i].length);
	}
}

/* RFC 9112 9.3 */
static void connection_tokens_decide_whether_it_stays_open(void **state)
{
	static const struct {
		const char *text;
		bool keep;
	} cases[] = {
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n", false},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, close ,y\r\n\r\n", false},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: close\r\n\r\n", false},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n", false},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n", true},
		{"GET / HTTP/1.0\r\n\r\n", false},
		{"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
		{"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct seen s;

		assert_int_equal(judge(&s, cases[i].text), 0);
		assert_int_equal(s.rq.keep_alive, cases[i].keep);
	}
}

static void continue_is_expected_only_with_a_body_in_1_1(void **state)
{
	static const struct {
		const char *text;
		bool expect;
	} cases[] = {
		{POST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", true},
		{POST "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n", true},
		{POST "Content-Length: 0\r\nExpect: 100-continue\r\n\r\n", false},
		{POST "Expect: 100-continue\r\n\r\n", false},
		{POST "Content-Length: 5\r\n\r\n", false},
		{"POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct seen s;

		assert_int_equal(judge(&s, cases[i].text), 0);
		assert_int_equal(s.rq.expect_continue, cases[i].expect);
	}
}

/* RFC 9110 7.8 */
static void an_upgrade_needs_both_fields(void **state)
{
	struct seen s;

	(void)state;
	assert_int_equal(judge(&s, POST "Upgrade: websocket\r\nConnection: x, Upgrade\r\n\r\n"), 0);
	assert_true(s.rq.upgrade);
	assert_int_equal(judge(&s, POST "Upgrade: websocket\r\n\r\n"), 0);
	assert_false(s.rq.upgrade);
	assert_int_equal(judge(&s, POST "Connection: upgrade\r\n\r\n"), 0);
	assert_false(s.rq.upgrade);
	assert_int_equal(judge(&s, "GET / HTTP/1.0\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
			 0);
	assert_false(s.rq.upgrade);
}

static void only_a_sane_request_id_is_taken_over(void **state)
{
	static const char id63[] =
		"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff123";
	static const struct {
		const char *fields, *id;
	} cases[] = {
		{"X-Request-Id: 0af-1.B_~\r\n", "0af-1.B_~"},
		{"X-Request-ID: "
		 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff123\r\n",
		 id63},
		{"X-Request-ID: "
		 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff1234\r\n",
		 ""},
		{"X-Request-ID: a b\r\n", ""},
		{"X-Request-ID: a\"b\r\n", ""},
		{"X-Request-ID:\r\n", ""},
		{"X-Request-ID: a\r\nX-Request-ID: b\r\n", ""},
		{"X-Request-ID: a\r\nX-Request-ID: b\r\nX-Request-ID: c\r\n", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[512];
		struct seen s;

		(void)snprintf(text, sizeof(text), POST "%s\r\n", cases[i].fields);
		assert_int_equal(judge(&s, text), 0);
		assert_true(span_eq(s.rq.request_id, span_str(cases[i].id)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_head_is_judged_as_the_rfc_says),
		cmocka_unit_test(the_body_is_known_from_the_head),
		cmocka_unit_test(connection_tokens_decide_whether_it_stays_open),
		cmocka_unit_test(continue_is_expected_only_with_a_body_in_1_1),
		cmocka_unit_test(an_upgrade_needs_both_fields),
		cmocka_unit_test(only_a_sane_request_id_is_taken_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
