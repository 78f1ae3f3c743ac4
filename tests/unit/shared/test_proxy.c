/*
 * Tests of shared/proxy: both versions, and what is not quite one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "shared/proxy.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(s)  s, sizeof(s) - 1

static long parse(const char *p, size_t n, struct proxy *ret)
{
	char *copy = malloc(n ? n : 1);
	long r;

	assert_non_null(copy);
	memcpy(copy, p, n);
	r = proxy_parse(copy, n, ret);
	free(copy);
	return r;
}

static void headers_name_the_client(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *addr, *port, *self_port; /* "": not known */
	} cases[] = {
		{BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n"), "192.0.2.7", "4711",
		 "443"},
		{BYTES("PROXY TCP6 2001:DB8::1 ::1 0 65535\r\n"), "2001:db8::1", "0", "65535"},
		{BYTES("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n"), "192.0.2.7", "1", "2"},
		{BYTES("PROXY UNKNOWN\r\n"), "", "", ""},
		{BYTES("PROXY UNKNOWN ffff::1 whatever 1 2\r\n"), "", "", ""},
		{BYTES(SIGNATURE "\x21\x11\0\14\300\0\2\7\306\x33\x64\1\x12\x67\1\273"),
		 "192.0.2.7", "4711", "443"},
		/* TLVs behind the addresses */
		{BYTES(SIGNATURE "\x21\x11\0\20\300\0\2\7\306\x33\x64\1\x12\x67\1\273\4\0\1x"),
		 "192.0.2.7", "4711", "443"},
		{BYTES(SIGNATURE "\x21\x21\0\44\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
				 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\1\0\2"),
		 "2001:db8::1", "1", "2"},
		{BYTES(SIGNATURE "\x21\x21\0\44\0\0\0\0\0\0\0\0\0\0\xff\xff\300\0\2\7"
				 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\1\0\2"),
		 "192.0.2.7", "1", "2"},
		/* LOCAL: the balancer itself, whatever stands there */
		{BYTES(SIGNATURE "\x20\0\0\0"), "", "", ""},
		{BYTES(SIGNATURE "\x20\x11\0\2ab"), "", "", ""},
		/* no family, datagrams */
		{BYTES(SIGNATURE "\x21\0\0\0"), "", "", ""},
		{BYTES(SIGNATURE "\x21\x12\0\14\300\0\2\7\306\x33\x64\1\x12\x67\1\273"), "", "",
		 ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char more[400];
		struct proxy x;

		assert_int_equal(parse(cases[i].bytes, cases[i].n, &x), cases[i].n);
		assert_int_equal(x.known, cases[i].addr[0] != '\0');
		assert_string_equal(x.addr, cases[i].addr);
		assert_string_equal(x.port, cases[i].port);
		assert_string_equal(x.self_port, cases[i].self_port);
		/* every prefix asks for more, and what follows is not looked at */
		for (size_t n = 0; n < cases[i].n; n++)
			assert_int_equal(parse(cases[i].bytes, n, &x), PROXY_MORE);
		memcpy(more, cases[i].bytes, cases[i].n);
		memset(more + cases[i].n, 'G', sizeof(more) - cases[i].n);
		assert_int_equal(parse(more, sizeof(more), &x), cases[i].n);
	}
}

static void a_unix_client_is_the_peer(void **state)
{
	char bytes[16 + 216] = SIGNATURE "\x21\x31\0\330/run/client";
	struct proxy x;

	(void)state;
	assert_int_equal(parse(bytes, sizeof(bytes), &x), sizeof(bytes));
	assert_false(x.known);
}

static void what_is_malformed_is_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *reason;
	} cases[] = {
		{BYTES("GET / HTTP/1.1\r\n"), "no PROXY header"},
		{BYTES("PROXY\r\n"), "no PROXY header"},
		{BYTES("\r\n\r\n\0\r\nQUIP"), "no PROXY header"},
		{BYTES("PROXY \r\n"), "malformed PROXY line"},
		{BYTES("PROXY /x HTTP/1.1\r\n"), "malformed PROXY line"},
		{BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\n"), "malformed PROXY line"},
		{BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 4711\r\n"), "malformed PROXY line"},
		{BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 4711 443 \r\n"), "malformed PROXY line"},
		{BYTES("PROXY TCP4  192.0.2.7 198.51.100.1 4711 443\r\n"), "malformed PROXY line"},
		{BYTES("PROXY TCP4 2001:db8::1 198.51.100.1 4711 443\r\n"), "malformed PROXY line"},
		{BYTES("PROXY TCP6 192.0.2.7 198.51.100.1 4711 443\r\n"), "malformed PROXY line"},
		{BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n"), "malformed PROXY line"},
		{BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 -1 443\r\n"), "malformed PROXY line"},
		{BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 01 443\r\n"), "malformed PROXY line"},
		{BYTES("PROXY UDP4 192.0.2.7 198.51.100.1 1 443\r\n"), "malformed PROXY line"},
		{BYTES("PROXY UNKNOWNS\r\n"), "malformed PROXY line"},
		{BYTES(SIGNATURE "\x11\x11\0\14"), "PROXY header of another version"},
		{BYTES(SIGNATURE "\x22\x11\0\14"), "PROXY header of another version"},
		{BYTES(SIGNATURE "\x21\x11\0\13"), "malformed PROXY header"},
		{BYTES(SIGNATURE "\x21\x21\0\43"), "malformed PROXY header"},
		{BYTES(SIGNATURE "\x21\x31\0\327"), "malformed PROXY header"},
		{BYTES(SIGNATURE "\x21\x41\0\14"), "malformed PROXY header"},
		{BYTES(SIGNATURE "\x20\0\377\377"), "PROXY header too large"},
	};
	char line[PROXY_V1_MAX + 1];
	struct proxy x;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(parse(cases[i].bytes, cases[i].n, &x), PROXY_BAD);
		assert_string_equal(x.reason, cases[i].reason);
		assert_false(x.known);
	}
	memset(line, ' ', sizeof(line));
	memcpy(line, "PROXY UNKNOWN", 13);
	assert_int_equal(parse(line, PROXY_V1_MAX - 1, &x), PROXY_MORE);
	assert_int_equal(parse(line, PROXY_V1_MAX, &x), PROXY_BAD);
	memcpy(line + PROXY_V1_MAX - 1, "\r\n", 2);
	assert_int_equal(parse(line, sizeof(line), &x), PROXY_BAD);
	memcpy(line + PROXY_V1_MAX - 2, "\r\n", 2);
	assert_int_equal(parse(line, sizeof(line), &x), PROXY_V1_MAX);
}

static void the_longest_header_still_fits(void **state)
{
	static char bytes[LIMIT_PROXY_BYTES + 1] = SIGNATURE "\x20\0";
	struct proxy x;

	(void)state;
	bytes[14] = (char)((LIMIT_PROXY_BYTES - 16) >> 8);
	bytes[15] = (char)((LIMIT_PROXY_BYTES - 16) & 0xff);
	assert_int_equal(parse(bytes, sizeof(bytes), &x), LIMIT_PROXY_BYTES);
	bytes[15]++;
	assert_int_equal(parse(bytes, sizeof(bytes), &x), PROXY_BAD);
}

static void one_is_told_by_its_first_bytes(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		int look;
	} cases[] = {
		{BYTES(""), PROXY_MORE},       {BYTES("P"), PROXY_MORE},
		{BYTES("PROXY"), PROXY_MORE},  {BYTES("PROXY "), 1},
		{BYTES("PROXY x"), 1},         {BYTES("PUT"), PROXY_BAD},
		{BYTES("PROXYX"), PROXY_BAD},  {BYTES("\r\n\r\n"), PROXY_MORE},
		{BYTES("\r\nGET"), PROXY_BAD}, {BYTES(SIGNATURE), 1},
		{BYTES("proxy "), PROXY_BAD},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (proxy_look(cases[i].bytes, cases[i].n) != cases[i].look)
			fail_msg("\"%s\"", cases[i].bytes);
}

static void what_is_written_is_read_again(void **state)
{
	static const struct proxy cases[] = {
		{.known = true, .addr = "192.0.2.7", .port = "4711", .self_port = "443"},
		{.known = true,
		 .addr = "2001:db8:1111:2222:3333:4444:5555:6666",
		 .port = "65535",
		 .self_port = "65535"},
		{.known = true, .addr = "::1", .port = "0", .self_port = "0"},
		{.known = false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char buf[PROXY_V1_MAX + 1];
		struct proxy got;
		size_t n =
			proxy_write(buf, cases[i].addr, cases[i].port, cases[i].self_port, false);

		assert_true(n <= PROXY_V1_MAX);
		assert_int_equal(parse(buf, n, &got), n);
		assert_int_equal(got.known, cases[i].known);
		assert_string_equal(got.addr, cases[i].addr);
		assert_string_equal(got.port, cases[i].port);
		assert_string_equal(got.self_port, cases[i].self_port);
	}
	{
		char buf[PROXY_V1_MAX + 1];

		assert_string_equal((proxy_write(buf, "::1", "", "", false), buf),
				    "PROXY TCP6 ::1 :: 0 0\r\n");
	}
}

static void tls_of_the_client_is_read_and_written(void **state)
{
	static const struct {
		const char *tlvs;
		size_t n;
		bool https;
	} cases[] = {
		{"\x20\0\5\1\0\0\0\0", 8, true},
		{"\x20\0\5\7\0\0\0\0", 8, true},
		{"\x20\0\5\2\0\0\0\0", 8, false},
		{"\4\0\1x\x20\0\7\1\0\0\0\0!!\3\0\0", 17, true},
		{"\x21\0\5\1\0\0\0\0", 8, false},
		/* cut short, or within another */
		{"\x20\0\6\1\0\0\0\0", 8, false},
		{"\x20\0\1\1", 4, false},
		{"\x20\0", 2, false},
		{"\4\0\x8\x20\0\5\1\0\0\0\0", 11, false},
		{"", 0, false},
	};
	static const char *const clients[] = {"192.0.2.7", "2001:db8::7"};
	char buf[PROXY_V1_MAX + 1];
	struct proxy x;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char head[64] = "\r\n\r\n\0\r\nQUIT\n\x21\x11";

		head[15] = (char)(12 + cases[i].n);
		memcpy(head + 28, cases[i].tlvs, cases[i].n);
		assert_int_equal(proxy_parse(head, 28 + cases[i].n, &x), 28 + cases[i].n);
		assert_true(x.known);
		assert_int_equal(x.https, cases[i].https);
	}
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		size_t n = proxy_write(buf, clients[i], "4711", "443", true);

		assert_true(n <= sizeof(buf));
		assert_int_equal(proxy_parse(buf, n, &x), n);
		assert_true(x.known && x.https);
		assert_string_equal(x.addr, clients[i]);
		assert_string_equal(x.port, "4711");
		assert_string_equal(x.self_port, "443");
	}
	(void)proxy_write(buf, "", "", "", true);
	assert_string_equal(buf, "PROXY UNKNOWN\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_is_told_by_its_first_bytes),
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(tls_of_the_client_is_read_and_written),
		cmocka_unit_test(headers_name_the_client),
		cmocka_unit_test(a_unix_client_is_the_peer),
		cmocka_unit_test(what_is_malformed_is_refused),
		cmocka_unit_test(the_longest_header_still_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
