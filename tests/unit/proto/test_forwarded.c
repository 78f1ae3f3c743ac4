/*
 * Tests of vassal/proto/forwarded: whom proxies name, read from the right, and what they cannot make us believe.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "vassal/proto/forwarded.h"

#define LIST "10.0.0.0/8 127.0.0.1 2001:db8:ff::/48"

struct said {
	const char *fields; /* each with its CRLF */
	const char *addr, *port;
	enum forwarded_scheme scheme;
	const char *host; /* the authority */
};

static struct http_head head;
static char text[16384];

static void read_fields(const char *fields, enum forwarded_mode mode, struct forwarded *ret)
{
	struct trust trust = {0};
	int n = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);

	assert_true(n > 0 && (size_t)n < sizeof(text));
	assert_int_equal(trust_add(&trust, LIST, NULL), 0);
	assert_int_equal(http_head_parse(text, (size_t)n, sizeof(text), 0, &head), n);
	forwarded_read(&head, mode, &trust, ret);
}

static void expect(const struct said *cases, size_t n, enum forwarded_mode mode)
{
	for (size_t i = 0; i < n; i++) {
		struct forwarded got;

		read_fields(cases[i].fields, mode, &got);
		if (!str_eq(got.addr, cases[i].addr) || !str_eq(got.port, cases[i].port) ||
		    got.scheme != cases[i].scheme ||
		    !span_eq(got.authority, span_str(cases[i].host)))
			fail_msg("%s: \"%s\" \"%s\" %d \"%.*s\"", cases[i].fields, got.addr,
				 got.port, got.scheme, (int)got.authority.n, got.authority.p);
	}
}

static void the_client_is_the_first_from_the_right_that_is_no_trusted_proxy(void **state)
{
	static const struct said cases[] = {
		{"", "", "", 0, ""},
		{"X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1", "", 0, ""},
		{"x-forwarded-for: 8.8.8.8, 192.0.2.1\r\n", "192.0.2.1", "", 0, ""},
		{"X-Forwarded-For: 192.0.2.1, 10.0.0.7,127.0.0.1\r\n", "192.0.2.1", "", 0, ""},
		{"X-Forwarded-For: 10.1.1.1, 10.0.0.7\r\n", "10.1.1.1", "", 0, ""},
		/* of several fields the last is the nearest */
		{"X-Forwarded-For: 8.8.8.8\r\nX-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1", "", 0,
		 ""},
		{"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 10.0.0.1\r\n", "192.0.2.1", "", 0,
		 ""},
		{"X-Forwarded-For: , 192.0.2.1,,\t\r\n", "192.0.2.1", "", 0, ""},
		/* whoever stands behind one that names nobody cannot be told */
		{"X-Forwarded-For: 192.0.2.1, unknown\r\n", "", "", 0, ""},
		{"X-Forwarded-For: 192.0.2.1, _x, 10.0.0.7\r\n", "10.0.0.7", "", 0, ""},
		{"X-Forwarded-For: 192.0.2.1 192.0.2.2\r\n", "", "", 0, ""},
		{"X-Forwarded-For: 192.0.2.01\r\n", "", "", 0, ""},
		/* a quote that the client left open does not hide what was added behind it */
		{"X-Forwarded-For: \", 192.0.2.1\r\n", "192.0.2.1", "", 0, ""},
		/* spellings */
		{"X-Forwarded-For: 192.0.2.1:4711\r\n", "192.0.2.1", "4711", 0, ""},
		{"X-Forwarded-For: 192.0.2.1:x\r\n", "192.0.2.1", "", 0, ""},
		{"X-Forwarded-For: 192.0.2.1:65536\r\n", "192.0.2.1", "", 0, ""},
		{"X-Forwarded-For: 192.0.2.1:\r\n", "192.0.2.1", "", 0, ""},
		{"X-Forwarded-For: 2001:DB8:0::1\r\n", "2001:db8::1", "", 0, ""},
		{"X-Forwarded-For: [2001:db8::1]:1\r\n", "2001:db8::1", "1", 0, ""},
		{"X-Forwarded-For: [2001:db8::1]\r\n", "2001:db8::1", "", 0, ""},
		{"X-Forwarded-For: [2001:db8::1]1\r\n", "", "", 0, ""},
		{"X-Forwarded-For: [2001:db8::1\r\n", "", "", 0, ""},
		{"X-Forwarded-For: [192.0.2.1]\r\n", "192.0.2.1", "", 0, ""},
		{"X-Forwarded-For: ::ffff:192.0.2.1\r\n", "192.0.2.1", "", 0, ""},
		{"X-Forwarded-For: 192.0.2.1, ::ffff:10.0.0.1\r\n", "192.0.2.1", "", 0, ""},
		{"X-Forwarded-For: 192.0.2.1, 2001:db8:ff::7\r\n", "192.0.2.1", "", 0, ""},
		/* the port belongs to the address */
		{"X-Forwarded-For: 192.0.2.1, 10.0.0.1:99\r\n", "192.0.2.1", "", 0, ""},
	};

	(void)state;
	expect(cases, ARRAY_SIZE(cases), FORWARDED_AUTO);
	expect(cases, ARRAY_SIZE(cases), FORWARDED_X);
}

static void scheme_and_host_are_taken_as_many_steps_from_the_right(void **state)
{
	static const struct said cases[] = {
		{"X-Forwarded-Proto: https\r\n", "", "", FORWARDED_HTTPS, ""},
		{"X-Forwarded-Proto: HTTP\r\n", "", "", FORWARDED_HTTP, ""},
		{"X-Forwarded-Proto: wss\r\n", "", "", FORWARDED_HTTPS, ""},
		{"X-Forwarded-Proto: ws\r\n", "", "", FORWARDED_HTTP, ""},
		{"X-Forwarded-Proto: gopher\r\n", "", "", FORWARDED_UNSAID, ""},
		{"X-Forwarded-Proto: https, http\r\n", "", "", FORWARDED_HTTP, ""},
		{"X-Forwarded-For: 192.0.2.1, 10.0.0.1\r\nX-Forwarded-Proto: https, http\r\n",
		 "192.0.2.1", "", FORWARDED_HTTPS, ""},
		{"X-Forwarded-For: 192.0.2.1, 10.0.0.1\r\nX-Forwarded-Proto: x, https, http\r\n",
		 "192.0.2.1", "", FORWARDED_HTTPS, ""},
		{"X-Forwarded-For: 192.0.2.1, 10.0.0.1\r\nX-Forwarded-Proto: https\r\n",
		 "192.0.2.1", "", FORWARDED_HTTPS, ""},
		{"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: evil, b.example:8443\r\n",
		 "192.0.2.1", "", 0, "b.example:8443"},
		{"X-Forwarded-Host: [::1]:80\r\n", "", "", 0, "[::1]:80"},
		{"X-Forwarded-Host: a b\r\n", "", "", 0, ""},
		{"X-Forwarded-Host: a:99999\r\n", "", "", 0, ""},
		{"X-Forwarded-Host: a/b\r\n", "", "", 0, ""},
		{"X-Forwarded-Port: 1\r\nX-Forwarded-Ssl: on\r\n", "", "", 0, ""},
	};
	struct forwarded got;

	(void)state;
	expect(cases, ARRAY_SIZE(cases), FORWARDED_AUTO);
	read_fields("X-Forwarded-Host: b.example.:8443\r\n", FORWARDED_AUTO, &got);
	assert_true(span_eq(got.host, SPAN("b.example")));
	assert_true(span_eq(got.host_port, SPAN("8443")));
}

static void rfc_7239_says_all_in_one_element(void **state)
{
	static const struct said cases[] = {
		{"Forwarded: for=192.0.2.1;proto=https;by=10.0.0.1;host=b.example\r\n", "192.0.2.1",
		 "", FORWARDED_HTTPS, "b.example"},
		{"forwarded: FOR=\"[2001:DB8::1]:4711\" ; Proto=\"http\"\r\n", "2001:db8::1",
		 "4711", FORWARDED_HTTP, ""},
		{"Forwarded: for=8.8.8.8;host=evil, for=192.0.2.1;host=b, for=10.0.0.1;host=c\r\n",
		 "192.0.2.1", "", 0, "b"},
		{"Forwarded: for=192.0.2.1\r\nForwarded: for=10.0.0.1;proto=https\r\n", "192.0.2.1",
		 "", 0, ""},
		{"Forwarded: for=192.0.2.1, for=unknown\r\n", "", "", 0, ""},
		{"Forwarded: for=192.0.2.1, for=_hidden;proto=https, for=10.0.0.1\r\n", "10.0.0.1",
		 "", 0, ""},
		{"Forwarded: for=192.0.2.1, proto=https\r\n", "", "", FORWARDED_HTTPS, ""},
		{"Forwarded: for=\"192.0.2.1:_x\"\r\n", "192.0.2.1", "", 0, ""},
		{"Forwarded: for=\", for=192.0.2.1\r\n", "192.0.2.1", "", 0, ""},
		{"Forwarded: forged=1;for=192.0.2.1;for=8.8.8.8\r\n", "192.0.2.1", "", 0, ""},
		{"Forwarded: for = 192.0.2.1\r\n", "", "", 0, ""},
		{"Forwarded: =;;,\r\n", "", "", 0, ""},
	};

	(void)state;
	expect(cases, ARRAY_SIZE(cases), FORWARDED_AUTO);
	expect(cases, ARRAY_SIZE(cases), FORWARDED_RFC);
}

static void one_kind_counts_and_the_other_is_the_clients_own(void **state)
{
	static const char both[] = "Forwarded: for=8.8.8.8\r\nX-Forwarded-For: 192.0.2.1\r\n";
	static const struct {
		const char *fields;
		enum forwarded_mode mode, used;
		const char *addr;
	} cases[] = {
		{both, FORWARDED_AUTO, FORWARDED_X, "192.0.2.1"},
		{both, FORWARDED_X, FORWARDED_X, "192.0.2.1"},
		{both, FORWARDED_RFC, FORWARDED_RFC, "8.8.8.8"},
		{"X-Forwarded-Proto: http\r\nForwarded: for=8.8.8.8\r\n", FORWARDED_AUTO,
		 FORWARDED_X, ""},
		{"X-Forwarded-Prefix: /x\r\nForwarded: for=8.8.8.8\r\n", FORWARDED_AUTO,
		 FORWARDED_RFC, "8.8.8.8"},
		{"X-Forwarded-Prefix: /x\r\n", FORWARDED_AUTO, FORWARDED_X, ""},
		{"Forwarded: for=8.8.8.8\r\n", FORWARDED_X, FORWARDED_X, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct forwarded got;

		read_fields(cases[i].fields, cases[i].mode, &got);
		assert_int_equal(got.used, cases[i].used);
		assert_string_equal(got.addr, cases[i].addr);
	}
}

/* A list of trusted addresses as long as a head may be: the way ends, with one of them. */
static void a_long_list_is_read_to_a_bound(void **state)
{
	static char fields[12000];
	struct forwarded got;
	size_t n = (size_t)snprintf(fields, sizeof(fields), "X-Forwarded-For: 192.0.2.1");

	(void)state;
	for (unsigned i = 0; i < LIMIT_FORWARDED - 1; i++)
		n += (size_t)snprintf(fields + n, sizeof(fields) - n, ",10.0.0.%u", i);
	(void)snprintf(fields + n, sizeof(fields) - n, "\r\n");
	read_fields(fields, FORWARDED_X, &got);
	assert_string_equal(got.addr, "192.0.2.1");
	for (unsigned i = 0; i < 900; i++)
		n += (size_t)snprintf(fields + n, sizeof(fields) - n, ",10.1.0.1");
	(void)snprintf(fields + n, sizeof(fields) - n, "\r\n");
	read_fields(fields, FORWARDED_X, &got);
	assert_string_equal(got.addr, "10.1.0.1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_client_is_the_first_from_the_right_that_is_no_trusted_proxy),
		cmocka_unit_test(scheme_and_host_are_taken_as_many_steps_from_the_right),
		cmocka_unit_test(rfc_7239_says_all_in_one_element),
		cmocka_unit_test(one_kind_counts_and_the_other_is_the_clients_own),
		cmocka_unit_test(a_long_list_is_read_to_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
