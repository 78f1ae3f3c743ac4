/*
 * Tests of vassal/proto/http1: what a head means (RFC 9110, 9112) and the environment that an app gets (PEP 3333).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "vassal/proto/forwarded.h"
#include "vassal/proto/http1.h"

static const struct request_facts facts = {
	.server_name = {"listener", 8},
	.server_port = {"8000", 4},
	.remote_addr = {"192.0.2.7", 9},
	.remote_port = {"4711", 4},
};

/* One request: text stays the caller's, vars lie in room. */
struct seen {
	struct http_head head;
	struct request rq;
	struct vars vars;
	uint8_t room[8192];
};

static int judge(struct seen *s, const char *text)
{
	size_t n = strlen(text);

	assert_int_equal(http_head_parse(text, n, LIMIT_HEAD_BYTES, 0, &s->head), n);
	return http1_request(&s->head, &s->rq);
}

static void environ_with(struct seen *s, const char *text, const struct request_facts *f)
{
	assert_int_equal(judge(s, text), 0);
	vars_init(&s->vars, s->room, sizeof(s->room));
	http1_vars(&s->head, &s->rq, f, &s->vars);
	assert_false(s->vars.overflow);
}

static unsigned count_var(const struct seen *s, const char *name, struct span *ret_value)
{
	struct span key, value;
	unsigned count = 0;
	size_t at = 0;

	while (vars_next(s->vars.p, s->vars.n, &at, &key, &value)) {
		if (!span_eq(key, span_str(name)))
			continue;
		*ret_value = value;
		count++;
	}
	assert_int_equal(at, s->vars.n);
	return count;
}

/* want NULL: the variable must not be there. */
static void assert_var(const struct seen *s, const char *name, const char *want)
{
	struct span value;
	unsigned count = count_var(s, name, &value);

	if (count != (want ? 1 : 0))
		fail_msg("%s comes %u times", name, count);
	if (want && !span_eq(value, span_str(want)))
		fail_msg("%s is \"%.*s\", not \"%s\"", name, (int)value.n, value.p, want);
}

struct judged {
	const char *text;
	int status; /* 0: accepted */
};

#define POST "POST / HTTP/1.1\r\nHost: a\r\n"

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

static void the_environment_is_what_pep_3333_asks_for(void **state)
{
	struct seen s;

	(void)state;
	environ_with(&s,
		     "POST /a%20b?c=%20d HTTP/1.1\r\nHost: Blog.example:81\r\nContent-Type: "
		     "text/plain\r\n"
		     "Content-Length: 007\r\nUser-Agent: x\r\nX-Other-Thing: 1, 2\r\nA:\r\n\r\n",
		     &facts);
	assert_var(&s, "REQUEST_METHOD", "POST");
	assert_var(&s, "REQUEST_URI", "/a%20b?c=%20d");
	assert_var(&s, "RAW_URI", "/a%20b?c=%20d");
	assert_var(&s, "SCRIPT_NAME", "");
	assert_var(&s, "PATH_INFO", "/a b");
	assert_var(&s, "QUERY_STRING", "c=%20d");
	assert_var(&s, "SERVER_PROTOCOL", "HTTP/1.1");
	assert_var(&s, "SERVER_NAME", "Blog.example");
	assert_var(&s, "SERVER_PORT", "81");
	assert_var(&s, "REQUEST_SCHEME", "http");
	assert_var(&s, "HTTPS", NULL);
	assert_var(&s, "REMOTE_ADDR", "192.0.2.7");
	assert_var(&s, "REMOTE_PORT", "4711");
	assert_var(&s, "CONTENT_TYPE", "text/plain");
	assert_var(&s, "CONTENT_LENGTH", "7");
	assert_var(&s, "HTTP_HOST", "Blog.example:81");
	assert_var(&s, "HTTP_USER_AGENT", "x");
	assert_var(&s, "HTTP_X_OTHER_THING", "1, 2");
	assert_var(&s, "HTTP_A", "");
	assert_var(&s, "HTTP_CONTENT_TYPE", NULL);
	assert_var(&s, "HTTP_CONTENT_LENGTH", NULL);
}

static void without_host_the_listener_names_the_server(void **state)
{
	struct seen s;

	(void)state;
	environ_with(&s, "GET / HTTP/1.0\r\n\r\n", &facts);
	assert_var(&s, "SERVER_NAME", "listener");
	assert_var(&s, "SERVER_PORT", "8000");
	assert_var(&s, "HTTP_HOST", NULL);
	assert_var(&s, "SERVER_PROTOCOL", "HTTP/1.0");
	assert_var(&s, "QUERY_STRING", "");
	assert_var(&s, "CONTENT_TYPE", NULL);
	assert_var(&s, "CONTENT_LENGTH", NULL);
}

/* PEP 3333: "SERVER_NAME and SERVER_PORT can never be empty strings" */
static void server_name_and_port_are_never_empty(void **state)
{
	struct request_facts f = {
		.server_name = {"", 0},
		.server_port = {"", 0},
		.remote_addr = {"", 0},
		.remote_port = {"", 0},
		.script_name = {"", 0},
	};
	struct seen s;

	(void)state;
	environ_with(&s, "GET / HTTP/1.0\r\n\r\n", &f);
	assert_var(&s, "SERVER_NAME", "localhost");
	assert_var(&s, "SERVER_PORT", "80");
	assert_var(&s, "REMOTE_ADDR", "");
	f.https = true;
	environ_with(&s, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", &f);
	assert_var(&s, "SERVER_NAME", "a");
	assert_var(&s, "SERVER_PORT", "443");
	assert_var(&s, "REQUEST_SCHEME", "https");
	assert_var(&s, "HTTPS", "on");
}

/* RFC 9112 3.2.2 */
static void the_targets_authority_replaces_host(void **state)
{
	struct seen s;

	(void)state;
	environ_with(&s, "GET http://b:82/p?q HTTP/1.1\r\nHost: evil\r\n\r\n", &facts);
	assert_var(&s, "HTTP_HOST", "b:82");
	assert_var(&s, "SERVER_NAME", "b");
	assert_var(&s, "SERVER_PORT", "82");
	assert_var(&s, "PATH_INFO", "/p");
	assert_var(&s, "QUERY_STRING", "q");
}

static void paths_are_split_before_they_are_decoded(void **state)
{
	static const struct {
		const char *script, *target, *script_name, *path_info;
	} cases[] = {
		{"", "/a/b", "", "/a/b"},
		{"/", "/a", "", "/a"},
		{"/blog", "/blog", "/blog", ""},
		{"/blog", "/blog/", "/blog", "/"},
		{"/blog/", "/blog/a", "/blog", "/a"},
		{"/blog", "/blog/a%2fb", "/blog", "/a/b"},
		{"/blog", "/blogs/a", "", "/blogs/a"},
		{"/blog", "/blo%67/a", "",
		 "/blog/a"}, /* not the prefix as sent: the route did not match it */
		{"/a%20b", "/a%20b/c", "/a b", "/c"},
		{"", "/%zz%4%", "", "/%zz%4%"}, /* no escapes: as they are */
		{"", "/%41%6a%C3%a9", "", "/Aj\xc3\xa9"},
		{"", "/\xe9%e9", "", "/\xe9\xe9"},
		{"", "/a+b", "", "/a+b"},
		{"", "/%2541", "", "/%41"}, /* decoded once */
		{"", "//a/../b", "", "//a/../b"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request_facts f = facts;
		char text[128];
		struct seen s;

		f.script_name = span_str(cases[i].script);
		(void)snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n",
			       cases[i].target);
		environ_with(&s, text, &f);
		assert_var(&s, "SCRIPT_NAME", cases[i].script_name);
		assert_var(&s, "PATH_INFO", cases[i].path_info);
	}
}

static void options_asterisk_has_no_path(void **state)
{
	struct seen s;

	(void)state;
	environ_with(&s, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", &facts);
	assert_var(&s, "PATH_INFO", "");
	assert_var(&s, "REQUEST_URI", "*");
}

static void dangerous_names_never_reach_the_app(void **state)
{
	struct seen s;

	(void)state;
	environ_with(&s,
		     POST
		     "Proxy: evil\r\nX_User: root\r\nX-User: me\r\nContent_Length: 5\r\n"
		     "Content_Type: x\r\nTransfer_Encoding: chunked\r\n_: y\r\nTE: trailers\r\n"
		     "Trailer: X\r\nTransfer-Encoding: chunked\r\n\r\n",
		     &facts);
	assert_var(&s, "HTTP_PROXY", NULL);
	assert_var(&s, "HTTP_X_USER", "me");
	assert_var(&s, "HTTP_CONTENT_LENGTH", NULL);
	assert_var(&s, "CONTENT_LENGTH", NULL);
	assert_var(&s, "CONTENT_TYPE", NULL);
	assert_var(&s, "HTTP_CONTENT_TYPE", NULL);
	assert_var(&s, "HTTP_TRANSFER_ENCODING", NULL);
	assert_var(&s, "HTTP_TE", NULL);
	assert_var(&s, "HTTP_TRAILER", NULL);
	assert_var(&s, "HTTP__", NULL);
}

static void repeated_fields_become_one_variable(void **state)
{
	struct seen s;

	(void)state;
	environ_with(
		&s,
		POST
		"Accept: a\r\nCookie: b=1\r\nX: \r\naccept: c\r\nCOOKIE: d=2\r\nX: y\r\n"
		"Accept: e\r\nX-Long-Enough: 1\r\nx-lONG-eNOUGH: 2\r\nX-Long-Enougj: 3\r\n\r\n",
		&facts);
	assert_var(&s, "HTTP_ACCEPT", "a, c, e");
	assert_var(&s, "HTTP_COOKIE", "b=1; d=2");
	assert_var(&s, "HTTP_X", ", y");
	assert_var(&s, "HTTP_X_LONG_ENOUGH", "1, 2");
	assert_var(&s, "HTTP_X_LONG_ENOUGJ", "3");
}

/* Every length of name, so that the eight-at-a-time way and its rest are both seen. */
static void names_are_turned_into_cgi_names(void **state)
{
	static const char sent[] = "9.X-yZ-qwerty-ASDF-x'~-`z-Z";
	static const char want[] = "9.X_YZ_QWERTY_ASDF_X'~_`Z_Z";

	(void)state;
	for (size_t n = 1; n < sizeof(sent); n++) {
		char text[128];
		char key[64];
		struct seen s;

		(void)snprintf(text, sizeof(text), "GET / HTTP/1.0\r\n%.*s: v\r\n\r\n", (int)n,
			       sent);
		(void)snprintf(key, sizeof(key), "HTTP_%.*s", (int)n, want);
		environ_with(&s, text, &facts);
		assert_var(&s, key, "v");
	}
}

static void as_many_fields_as_may_come_are_all_there(void **state)
{
	char text[8192];
	size_t n = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.0\r\n");
	struct seen s;

	(void)state;
	for (unsigned i = 0; i < LIMIT_HEADERS; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "X-%u: %u\r\n", i / 2, i);
	(void)snprintf(text + n, sizeof(text) - n, "\r\n");
	environ_with(&s, text, &facts);
	for (unsigned i = 0; i < LIMIT_HEADERS / 2; i++) {
		char key[16];
		char value[16];

		(void)snprintf(key, sizeof(key), "HTTP_X_%u", i);
		(void)snprintf(value, sizeof(value), "%u, %u", i * 2, i * 2 + 1);
		assert_var(&s, key, value);
	}
}

static void too_little_room_is_said_and_nothing_is_overrun(void **state)
{
	static const char text[] =
		"GET /%41 HTTP/1.1\r\nHost: a\r\nX-Y: z\r\nCookie: b\r\nCookie: c\r\n\r\n";
	struct seen s;
	size_t full;

	(void)state;
	environ_with(&s, text, &facts);
	full = s.vars.n;
	for (size_t room = 0; room <= full + 2; room++) {
		uint8_t *buf = malloc(room ? room : 1);
		struct vars v;

		assert_non_null(buf);
		vars_init(&v, buf, room);
		http1_vars(&s.head, &s.rq, &facts, &v);
		/* A decoded path is reserved at its raw length first: two bytes more than it takes. */
		if (room < full)
			assert_true(v.overflow);
		if (room >= full + 2)
			assert_false(v.overflow);
		assert_true(v.n <= room);
		free(buf);
	}
}

#define SPOOFS                                                                               \
	"X-Forwarded-For: 8.8.8.8\r\nX-Forwarded-Proto: https\r\nX-FORWARDED-HOST: evil\r\n" \
	"X-Forwarded-Prefix: /x\r\nForwarded: for=9.9.9.9\r\nX-Real-Ip: 8.8.8.8\r\n"

static void nobody_speaks_for_another_unless_he_may(void **state)
{
	static const char *const names[] = {
		"HTTP_X_FORWARDED_FOR",    "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST",
		"HTTP_X_FORWARDED_PREFIX", "HTTP_FORWARDED",         "HTTP_X_REAL_IP",
	};
	static struct seen s;

	(void)state;
	environ_with(&s, "GET / HTTP/1.1\r\nHost: a\r\n" SPOOFS "X-Forwardedx: 1\r\n\r\n", &facts);
	assert_true(s.rq.forwarded);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_var(&s, names[i], NULL);
	assert_var(&s, "HTTP_X_FORWARDEDX", "1");
	assert_var(&s, "HTTP_HOST", "a");
	assert_var(&s, "REMOTE_ADDR", "192.0.2.7");
	assert_var(&s, "REMOTE_PORT", "4711");
	assert_var(&s, "REQUEST_SCHEME", "http");
	environ_with(&s, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", &facts);
	assert_false(s.rq.forwarded);
}

static void of_a_trusted_proxy_one_kind_of_word_goes_on(void **state)
{
	static const struct trust nobody;
	struct forwarded f;
	struct request_facts with = facts;
	static struct seen s;

	(void)state;
	with.forwarded = &f;
	assert_int_equal(judge(&s, "GET / HTTP/1.1\r\nHost: a\r\n" SPOOFS "\r\n"), 0);
	forwarded_read(&s.head, FORWARDED_AUTO, &nobody, &f);
	environ_with(&s, "GET / HTTP/1.1\r\nHost: a\r\n" SPOOFS "\r\n", &with);
	assert_var(&s, "HTTP_X_FORWARDED_FOR", "8.8.8.8");
	assert_var(&s, "HTTP_X_FORWARDED_PREFIX", "/x");
	assert_var(&s, "HTTP_X_REAL_IP", "8.8.8.8");
	assert_var(&s, "HTTP_FORWARDED", NULL);
	assert_var(&s, "REMOTE_ADDR", "8.8.8.8");
	assert_var(&s, "REMOTE_PORT", ""); /* never the proxy's */
	assert_var(&s, "HTTP_HOST", "evil");
	assert_var(&s, "SERVER_NAME", "evil");
	forwarded_read(&s.head, FORWARDED_RFC, &nobody, &f);
	environ_with(&s, "GET / HTTP/1.1\r\nHost: a\r\n" SPOOFS "\r\n", &with);
	assert_var(&s, "HTTP_X_FORWARDED_FOR", NULL);
	assert_var(&s, "HTTP_X_FORWARDED_PREFIX", NULL);
	assert_var(&s, "HTTP_FORWARDED", "for=9.9.9.9");
	assert_var(&s, "REMOTE_ADDR", "9.9.9.9");
	assert_var(&s, "HTTP_HOST", "a");
	/* who names nobody is the client himself */
	assert_int_equal(judge(&s, "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Host: b:81\r\n\r\n"),
			 0);
	forwarded_read(&s.head, FORWARDED_AUTO, &nobody, &f);
	environ_with(&s, "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Host: b:81\r\n\r\n", &with);
	assert_var(&s, "REMOTE_ADDR", "192.0.2.7");
	assert_var(&s, "REMOTE_PORT", "4711");
	assert_var(&s, "SERVER_NAME", "b");
	assert_var(&s, "SERVER_PORT", "81");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_speaks_for_another_unless_he_may),
		cmocka_unit_test(of_a_trusted_proxy_one_kind_of_word_goes_on),
		cmocka_unit_test(each_head_is_judged_as_the_rfc_says),
		cmocka_unit_test(the_body_is_known_from_the_head),
		cmocka_unit_test(connection_tokens_decide_whether_it_stays_open),
		cmocka_unit_test(continue_is_expected_only_with_a_body_in_1_1),
		cmocka_unit_test(an_upgrade_needs_both_fields),
		cmocka_unit_test(only_a_sane_request_id_is_taken_over),
		cmocka_unit_test(the_environment_is_what_pep_3333_asks_for),
		cmocka_unit_test(without_host_the_listener_names_the_server),
		cmocka_unit_test(server_name_and_port_are_never_empty),
		cmocka_unit_test(the_targets_authority_replaces_host),
		cmocka_unit_test(paths_are_split_before_they_are_decoded),
		cmocka_unit_test(options_asterisk_has_no_path),
		cmocka_unit_test(dangerous_names_never_reach_the_app),
		cmocka_unit_test(repeated_fields_become_one_variable),
		cmocka_unit_test(names_are_turned_into_cgi_names),
		cmocka_unit_test(as_many_fields_as_may_come_are_all_there),
		cmocka_unit_test(too_little_room_is_said_and_nothing_is_overrun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
