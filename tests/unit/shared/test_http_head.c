/*
 * Tests of shared/http_head: each rule of the request head's grammar is a row with its section of RFC 9112.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <limits.h>

#include "shared/http_head.h"

#define LIMIT 8192

#define SAY(text) (text), sizeof(text) - 1

/* A copy whose end is the allocation's end: what reads beyond it traps under ASan. */
static long parse_copy(const char *p, size_t n, size_t limit, size_t scanned, struct http_head *ret,
		       char **ret_copy)
{
	char *copy = malloc(n ? n : 1);
	long r;

	assert_non_null(copy);
	memcpy(copy, p, n);
	r = http_head_parse(copy, n, limit, scanned, ret);
	*ret_copy = copy;
	return r;
}

static long parse(const char *p, size_t n, struct http_head *ret)
{
	return http_head_parse(p, n, LIMIT, 0, ret);
}

static void assert_span(struct span s, const char *want)
{
	assert_int_equal(s.n, strlen(want));
	if (s.n > 0)
		assert_memory_equal(s.p, want, s.n);
}

struct good {
	const char *text, *method, *host, *port, *path, *query;
	unsigned minor, fields;
};

static const struct good goods[] = {
	{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "a", "", "/", "", 1, 1},
	{"GET / HTTP/1.0\r\n\r\n", "GET", "", "", "/", "", 0, 0},
	/* 2.2: one empty line before the request line */
	{"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "a", "", "/", "", 1, 1},
	/* 2.3 and RFC 9110 2.5: a higher minor version is answered as 1.1 */
	{"GET / HTTP/1.7\r\nHost: a\r\n\r\n", "GET", "a", "", "/", "", 1, 1},
	/* 3.2.1 */
	{"GET /a/b?c=d?e HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "a", "", "/a/b", "c=d?e", 1, 1},
	{"GET /? HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "a", "", "/", "", 1, 1},
	{"GET //a/../b HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "a", "", "//a/../b", "", 1, 1},
	{"GET /\xc3\xa9|\"{} HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "a", "", "/\xc3\xa9|\"{}", "", 1,
	 1},
	/* 3.2.2: the target's authority wins */
	{"GET http://b.example:81/x?y HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "b.example", "81", "/x",
	 "y", 1, 1},
	{"GET HTTPS://b HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "b", "", "/", "", 1, 1},
	{"GET http://b?q HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "b", "", "/", "q", 1, 1},
	/* 3.2.4 */
	{"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS", "a", "", "*", "", 1, 1},
	/* 3.2 and RFC 3986 3.2.2, 3.2.3 */
	{"GET / HTTP/1.1\r\nhOST:\t a.example:8000 \t\r\n\r\n", "GET", "a.example", "8000", "/", "",
	 1, 1},
	{"GET / HTTP/1.1\r\nHost: a.example.\r\n\r\n", "GET", "a.example", "", "/", "", 1, 1},
	{"GET / HTTP/1.1\r\nHost: a:\r\n\r\n", "GET", "a", "", "/", "", 1, 1},
	{"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET", "[::1]", "80", "/", "", 1, 1},
	{"GET / HTTP/1.1\r\nHost: [::ffff:1.2.3.4]\r\n\r\n", "GET", "[::ffff:1.2.3.4]", "", "/", "",
	 1, 1},
	{"GET / HTTP/1.1\r\nHost: x_y-z.a\r\n\r\n", "GET", "x_y-z.a", "", "/", "", 1, 1},
	/* 5.1 and RFC 9110 5.5: values may be empty, hold HTAB and bytes from 0x80 on */
	{"GET / HTTP/1.1\r\nHost: a\r\nX:\r\nY:a\tb\xff\r\nZ: a long value, beyond one word\t of "
	 "eight\r\n\r\n",
	 "GET", "a", "", "/", "", 1, 4},
	/* methods are tokens and case-sensitive (RFC 9110 9.1) */
	{"x!#$%&'*+-.^_`|~9 / HTTP/1.1\r\nHost: a\r\n\r\n", "x!#$%&'*+-.^_`|~9", "a", "", "/", "",
	 1, 1},
};

static void a_good_head_is_taken_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(goods); i++) {
		const struct good *g = &goods[i];
		struct http_head h;

		assert_int_equal(parse(g->text, strlen(g->text), &h), strlen(g->text));
		assert_span(h.method, g->method);
		assert_span(h.host, g->host);
		assert_span(h.port, g->port);
		assert_span(h.path, g->path);
		assert_span(h.query, g->query);
		assert_int_equal(h.minor, g->minor);
		assert_int_equal(h.fields_n, g->fields);
	}
}

struct refused {
	const char *text;
	size_t n;
	int status;
};

static const struct refused refusals[] = {
	/* 2.2: bare CR, bare LF */
	{SAY("GET / HTTP/1.1\nHost: a\n\n"), 400},
	{SAY("GET / HTTP/1.1\r\nHost: a\n\r\n"), 400},
	{SAY("GET / HTTP/1.1\r\nHost: a\r\n\n"), 400},
	{SAY("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n"), 400},
	{SAY("GET / HTTP/1.1\rHost: a\r\n\r\n"), 400},
	{SAY("GET / HTTP/1.1\r\nHost: a\r\n\rX"), 400},
	{SAY("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
	{SAY("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
	{SAY("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
	/* 2.2: whitespace before the first field */
	{SAY("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), 400},
	/* 3: the request line has single spaces and nothing more */
	{SAY("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
	{SAY("GET /  HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
	{SAY("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
	{SAY("GET / HTTP/1.1 \r\nHost: a\r\n\r\n"), 400},
	{SAY(" GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
	{SAY("G(T / HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
	{SAY("GET /\r\n"), 400},
	{SAY("\x16\x03\x01\x02"), 400}, /* a TLS client hello */
	/* 3.1: methods nobody has */
	{SAY("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\nHost: a\r\n\r\n"), 501},
	/* 3.2 */
	{SAY("GET a HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
	{SAY("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
	{SAY("GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
	{SAY("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
	{SAY("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
	{SAY("GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
	{SAY("GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400}, /* RFC 9110 4.2.4 */
	{SAY("GET * HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
	{SAY("OPTIONS ** HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
	/* 3.2.3 */
	{SAY("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"), 501},
	{SAY("GET a:443 HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
	/* 2.3 */
	{SAY("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505},
	{SAY("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505},
	{SAY("GET / HTTP/0.9\r\nHost: a\r\n\r\n"), 505},
	{SAY("GET / HTTP/1.10\r\nHost: a\r\n\r\n"), 400},
	{SAY("GET / HTTP/11.\r\nHost: a\r\n\r\n"), 400},
	{SAY("GET / HTTP/1\r\nHost: a\r\n\r\n"), 400},
	{SAY("GET / http/1.1\r\nHost: a\r\n\r\n"), 400},
	{SAY("GET / HTTPS/1.1\r\nHost: a\r\n\r\n"), 400},
	/* 3.2, RFC 3986 3.2.2 and 3.2.3: Host */
	{SAY("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 400},
	{SAY("GET / HTTP/1.1\r\nHost: .\r\n\r\n"), 400},
	{SAY("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400},
	{SAY("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400},
	{SAY("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"), 400},
	{SAY("GET / HTTP/1.1\r\nHost: \xc3\xa9\r\n\r\n"), 400},
	{SAY("GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n"), 400},
	{SAY("GET / HTTP/1.1\r\nHost: a:http\r\n\r\n"), 400},
	{SAY("GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n"), 400},
	{SAY("GET / HTTP/1.1\r\nHost: a:000080\r\n\r\n"), 400},
	{SAY("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"), 400},
	{SAY("GET / HTTP/1.1\r\nHost: []\r\n\r\n"), 400},
	{SAY("GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n"), 400},
	{SAY("GET / HTTP/1.1\r\nHost: [g]\r\n\r\n"), 400},
	/* 5, 5.1: names are tokens, nothing between name and colon */
	{SAY("GET / HTTP/1.1\r\nHost : a\r\n\r\n"), 400},
	{SAY("GET / HTTP/1.1\r\nHost\t: a\r\n\r\n"), 400},
	{SAY("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n"), 400},
	{SAY("GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n"), 400},
	{SAY("GET / HTTP/1.1\r\nHost: a\r\nX(y): b\r\n\r\n"), 400},
	{SAY("GET / HTTP/1.1\r\nHost: a\r\nX\xc3: b\r\n\r\n"), 400},
	{SAY("GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n"), 400},
	/* 5.2: obs-fold */
	{SAY("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n"), 400},
	{SAY("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\tz\r\n\r\n"), 400},
	/* RFC 9110 5.5: controls in values, at each place in a word of eight */
	{SAY("GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n"), 400},
	{SAY("GET / HTTP/1.1\r\nHost: a\r\nX: 1\x01"
	     "345678\r\n\r\n"),
	 400},
	{SAY("GET / HTTP/1.1\r\nHost: a\r\nX: 12345678\x1f\r\n\r\n"), 400},
	{SAY("GET / HTTP/1.1\r\nHost: a\r\nX: 12345\t\x7f"
	     "8123456789\r\n\r\n"),
	 400},
	{SAY("GET / HTTP/1.1\r\nHost: a\r\nX: 1234567\v9\r\n\r\n"), 400},
};

static void what_the_rfc_lets_us_refuse_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		const struct refused *c = &refusals[i];
		struct http_head h;
		long r = parse(c->text, c->n, &h);

		if (r != HTTP_BAD || h.status != c->status)
			fail_msg("row %zu: %ld, status %d: %s", i, r, h.status, c->text);
		assert_non_null(h.reason);
	}
}

static void a_refusal_does_not_change_when_more_comes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		const struct refused *c = &refusals[i];
		bool was_bad = false;

		for (size_t n = 0; n <= c->n; n++) {
			struct http_head h;
			char *copy;
			long r = parse_copy(c->text, n, LIMIT, 0, &h, &copy);

			assert_true(r == HTTP_BAD || (r == HTTP_MORE && !was_bad));
			was_bad = r == HTTP_BAD;
			if (was_bad)
				assert_int_equal(h.status, c->status);
			free(copy);
		}
		assert_true(was_bad);
	}
}

static void every_prefix_asks_for_more(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(goods); i++)
		for (size_t n = 0; n < strlen(goods[i].text); n++) {
			struct http_head h;
			char *copy;

			assert_int_equal(parse_copy(goods[i].text, n, LIMIT, 0, &h, &copy),
					 HTTP_MORE);
			free(copy);
		}
}

static void bytes_that_were_scanned_change_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(goods); i++) {
		size_t n = strlen(goods[i].text);

		for (size_t scanned = 0; scanned < n; scanned++)
			for (size_t upto = scanned; upto <= n; upto++) {
				struct http_head h;
				char *copy;
				long r = parse_copy(goods[i].text, upto, LIMIT, scanned, &h, &copy);

				assert_int_equal(r, upto == n ? (long)n : HTTP_MORE);
				free(copy);
			}
	}
}

static void a_bare_lf_is_seen_although_the_rest_was_scanned(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\n";
	struct http_head h;

	(void)state;
	assert_int_equal(http_head_parse(text, sizeof(text) - 2, LIMIT, 5, &h), HTTP_MORE);
	assert_int_equal(http_head_parse(text, sizeof(text) - 1, LIMIT, sizeof(text) - 2, &h),
			 HTTP_BAD);
	assert_int_equal(h.status, 400);
}

static void what_follows_the_head_is_left_alone(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n\0\nnext";
	struct http_head h;

	(void)state;
	assert_int_equal(parse(text, sizeof(text) - 1, &h), 27);
}

static void a_head_of_exactly_the_limit_is_taken_and_one_byte_more_is_not(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
	const size_t n = sizeof(text) - 1;
	struct http_head h;

	(void)state;
	assert_int_equal(http_head_parse(text, n, n, 0, &h), n);
	assert_int_equal(http_head_parse(text, n, n - 1, 0, &h), HTTP_BAD);
	assert_int_equal(h.status, 431);
	assert_int_equal(http_head_parse(text, n - 1, n - 1, n - 2, &h), HTTP_BAD);
	assert_int_equal(h.status, 431);
	assert_int_equal(http_head_parse(text, n, 15, 0, &h), HTTP_BAD);
	assert_int_equal(h.status, 414);
	assert_int_equal(http_head_parse(text, n, 16, 0, &h), HTTP_BAD);
	assert_int_equal(h.status, 431);
}

static void a_target_of_exactly_its_limit_is_taken_and_one_byte_more_is_414(void **state)
{
	static const char text[] = "GET /abc?d HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
	const size_t n = sizeof(text) - 1;
	struct http_limits limits = {.head = LIMIT, .target = 6, .fields = 2};
	struct http_head h;

	(void)state;
	assert_int_equal(http_head_parse_within(text, n, &limits, 0, &h), n);
	limits.target = 5;
	assert_int_equal(http_head_parse_within(text, n, &limits, 0, &h), HTTP_BAD);
	assert_int_equal(h.status, 414);
	/* as soon as it is too long, and never before */
	assert_int_equal(http_head_parse_within(text, 9, &limits, 0, &h), HTTP_MORE);
	assert_int_equal(http_head_parse_within(text, 10, &limits, 0, &h), HTTP_BAD);
	assert_int_equal(h.status, 414);
}

static void fields_have_a_limit_that_may_be_lower(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
	const size_t n = sizeof(text) - 1;
	struct http_limits limits = {.head = LIMIT, .target = LIMIT, .fields = 1};
	struct http_head h;

	(void)state;
	assert_int_equal(http_head_parse_within(text, n, &limits, 0, &h), HTTP_BAD);
	assert_int_equal(h.status, 431);
	limits.fields = 2;
	assert_int_equal(http_head_parse_within(text, n, &limits, 0, &h), n);
	/* the array has its own end, whatever the caller wants */
	limits.fields = UINT_MAX;
	assert_int_equal(http_head_parse_within(text, n, &limits, 0, &h), n);
}

static size_t make_fields(char *buf, unsigned count)
{
	size_t n = 0;

	memcpy(buf, "GET / HTTP/1.0\r\n", 16);
	for (n = 16; count > 0; count--, n += 6)
		memcpy(buf + n, "X: y\r\n", 6);
	memcpy(buf + n, "\r\n", 2);
	return n + 2;
}

static void one_field_more_than_the_limit_is_431(void **state)
{
	char buf[16 + 6 * (LIMIT_HEADERS + 1) + 2];
	struct http_head h;
	size_t n = make_fields(buf, LIMIT_HEADERS);

	(void)state;
	assert_int_equal(parse(buf, n, &h), n);
	assert_int_equal(h.fields_n, LIMIT_HEADERS);
	n = make_fields(buf, LIMIT_HEADERS + 1);
	assert_int_equal(parse(buf, n, &h), HTTP_BAD);
	assert_int_equal(h.status, 431);
}

static void values_are_trimmed_and_names_keep_their_case(void **state)
{
	static const char text[] = "GET / HTTP/1.0\r\nX-aB: \t c d \t \r\nE: \r\n\r\n";
	struct http_head h;

	(void)state;
	assert_int_equal(parse(text, sizeof(text) - 1, &h), sizeof(text) - 1);
	assert_span(h.fields[0].name, "X-aB");
	assert_span(h.fields[0].value, "c d");
	assert_span(h.fields[1].value, "");
}

static void the_authority_is_where_the_host_came_from(void **state)
{
	static const char absolute[] =
		"GET http://B.example:81/ HTTP/1.1\r\nHost: a\r\nHost: c\r\n\r\n";
	struct http_head h;

	(void)state;
	assert_int_equal(parse(absolute, sizeof(absolute) - 1, &h), sizeof(absolute) - 1);
	assert_span(h.authority, "B.example:81");
	assert_int_equal(h.hosts_n, 2);
}

static void sizes_are_digits_that_fit(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t size;
	} cases[] = {
		{"0", true, 0},
		{"007", true, 7},
		{"9223372036854775807", true, INT64_MAX},
		{"9223372036854775808", false, 0},
		{"9999999999999999999", false, 0},
		{"00000000000000000001", false, 0}, /* twenty digits */
		{"", false, 0},
		{"+1", false, 0},
		{"-1", false, 0},
		{" 1", false, 0},
		{"1,1", false, 0},
		{"1 1", false, 0},
		{"0x1", false, 0},
		{"1e3", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t size = 42;

		assert_int_equal(http_parse_size(span_str(cases[i].text), &size), cases[i].ok);
		assert_int_equal(size, cases[i].ok ? cases[i].size : 42);
	}
}

static void a_host_longer_than_the_limit_is_none(void **state)
{
	char buf[LIMIT_HOST + 1];
	struct span host, port;

	(void)state;
	memset(buf, 'a', sizeof(buf));
	assert_true(http_host_split(span_of(buf, LIMIT_HOST), &host, &port));
	assert_int_equal(host.n, LIMIT_HOST);
	assert_false(http_host_split(span_of(buf, LIMIT_HOST + 1), &host, &port));
}

/* The table against the grammars as RFC 9110 5.6.2 and 5.5 spell them. */
static void the_character_table_is_the_grammar(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		bool alnum =
			(c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
		bool token = alnum || (c != 0 && strchr("!#$%&'*+-.^_`|~", c));
		bool value = c == '\t' || (c >= 0x20 && c != 0x7f);
		bool target = c > 0x20 && c != 0x7f && c != '#';
		bool host = alnum || (c != 0 && strchr("-._~!$&'()*+,;=", c));
		bool hex = c != 0 && strchr("0123456789abcdefABCDEF", c);

		assert_int_equal(http_char_is((char)c, HTTP_TOKEN), token);
		assert_int_equal(http_char_is((char)c, HTTP_VALUE), value);
		assert_int_equal(http_char_is((char)c, HTTP_TARGET), target);
		assert_int_equal(http_char_is((char)c, HTTP_HOST), host);
		assert_int_equal(http_char_is((char)c, HTTP_HEX), hex);
		assert_int_equal(http_char_is((char)c, HTTP_IPV6), hex || c == ':' || c == '.');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_head_is_taken_apart),
		cmocka_unit_test(what_the_rfc_lets_us_refuse_is_refused),
		cmocka_unit_test(a_refusal_does_not_change_when_more_comes),
		cmocka_unit_test(every_prefix_asks_for_more),
		cmocka_unit_test(bytes_that_were_scanned_change_nothing),
		cmocka_unit_test(a_bare_lf_is_seen_although_the_rest_was_scanned),
		cmocka_unit_test(what_follows_the_head_is_left_alone),
		cmocka_unit_test(a_head_of_exactly_the_limit_is_taken_and_one_byte_more_is_not),
		cmocka_unit_test(a_target_of_exactly_its_limit_is_taken_and_one_byte_more_is_414),
		cmocka_unit_test(fields_have_a_limit_that_may_be_lower),
		cmocka_unit_test(one_field_more_than_the_limit_is_431),
		cmocka_unit_test(values_are_trimmed_and_names_keep_their_case),
		cmocka_unit_test(the_authority_is_where_the_host_came_from),
		cmocka_unit_test(sizes_are_digits_that_fit),
		cmocka_unit_test(a_host_longer_than_the_limit_is_none),
		cmocka_unit_test(the_character_table_is_the_grammar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
