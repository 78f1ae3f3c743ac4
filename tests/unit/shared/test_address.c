/* address: every notation, every refusal, and back to text. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/address.h"
#include "shared/err.h"

struct notation {
	const char *text;
	int family;
	const char *formatted;
	bool any;
};

static const struct notation good[] = {
	{"127.0.0.1:8000", AF_INET, "127.0.0.1:8000", false},
	{"0.0.0.0:9005", AF_INET, "0.0.0.0:9005", false},
	{"localhost:80", AF_INET, "127.0.0.1:80", false},
	{"LOCALHOST:80", AF_INET, "127.0.0.1:80", false},
	{":8000", AF_INET6, ":8000", true},
	{"*:8000", AF_INET6, ":8000", true},
	{"8000", AF_INET6, ":8000", true},
	{": 9701", AF_INET6, ":9701", true},
	{"127.0.0.1: 9701 ", AF_INET, "127.0.0.1:9701", false},
	{":0", AF_INET6, ":0", true},
	{":65535", AF_INET6, ":65535", true},
	{"[::1]:8000", AF_INET6, "[::1]:8000", false},
	{"[::]:8000", AF_INET6, "[::]:8000", false},
	{"[127.0.0.1]:80", AF_INET, "127.0.0.1:80", false},
	{"/run/x.sock", AF_UNIX, "/run/x.sock", false},
	{"./x.sock", AF_UNIX, "./x.sock", false},
	{"/run/with:colon.sock", AF_UNIX, "/run/with:colon.sock", false},
	{"myproject.sock", AF_UNIX, "myproject.sock", false},
	{"@name", AF_UNIX, "@name", false},
};

static void every_notation_comes_back_as_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct address a;
		struct address again;
		struct err err = {0};
		char text[ADDRESS_TEXT];

		if (address_parse(good[i].text, &a, &err) < 0)
			fail_msg("%s: %s", good[i].text, err.text);
		assert_int_equal(a.sa.sa_family, good[i].family);
		assert_int_equal(a.any, good[i].any);
		address_format(&a, text);
		assert_string_equal(text, good[i].formatted);
		assert_int_equal(address_parse(text, &again, &err), 0);
		assert_true(address_equal(&a, &again));
	}
}

static const struct {
	const char *text, *says;
} bad[] = {
	{"", "empty"},
	{"   ", "empty"},
	{"localhost", "port \"localhost\" is not a number"},
	{"1.2.3.4", "is not a number"},
	{"$(PORT)", "is not a number"},
	{":$(PORT)", "is not a number"},
	{"127.0.0.1:", "there is no port"},
	{":", "there is no port"},
	{":65536", "at most 65535"},
	{":99999999999999999999", "at most 65535"},
	{":80;", "is not a number"},
	{":-1", "is not a number"},
	{"example.org:80", "names are not looked up"},
	{"::1:8000", "brackets"},
	{"[::1]", "no port after ]"},
	{"[::1:80", "neither an address"},
	{"256.1.1.1:80", "neither an address"},
	{"http://127.0.0.1:80", "no scheme"},
	{"@", "needs a name"},
	{"=0", "is not a number"},
};

static void every_refusal_says_why(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct address a = {.len = 77};
		struct err err = {0};

		assert_true(address_parse(bad[i].text, &a, &err) < 0);
		if (!strstr(err.text, bad[i].says))
			fail_msg("\"%s\" says: %s", bad[i].text, err.text);
		assert_int_equal(a.len, 77); /* untouched */
	}
}

static void a_unix_path_fits_exactly_or_is_refused(void **state)
{
	struct sockaddr_un un;
	char path[sizeof(un.sun_path) + 2];
	char text[ADDRESS_TEXT];
	struct address a;

	(void)state;
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(un.sun_path) - 1] = '\0';
	assert_int_equal(address_parse(path, &a, NULL), 0);
	address_format(&a, text);
	assert_string_equal(text, path);
	path[sizeof(un.sun_path) - 1] = 'x';
	path[sizeof(un.sun_path)] = '\0';
	assert_int_equal(address_parse(path, &a, NULL), -ENAMETOOLONG);
}

static void different_addresses_are_not_equal(void **state)
{
	static const char *const texts[] = {":80",     ":81",      "0.0.0.0:80", "127.0.0.1:80",
					    "[::]:80", "[::1]:80", "/a.sock",    "/ab.sock",
					    "@a",      "@ab"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(texts); j++) {
			struct address a, b;

			assert_int_equal(address_parse(texts[i], &a, NULL), 0);
			assert_int_equal(address_parse(texts[j], &b, NULL), 0);
			assert_int_equal(address_equal(&a, &b), i == j);
		}
	}
}

static void wildcards_are_in_the_way_of_what_they_cover(void **state)
{
	static const char *const texts[] = {":80",     "0.0.0.0:80", "127.0.0.1:80",
					    "[::]:80", "[::1]:80",   ":81",
					    ":0",      "/a.sock",    "@a.sock"};
	static const char *const overlaps[ARRAY_SIZE(texts)] = {
		"xxxxx....", "xxx......", "xxx......", "x..xx....", "x..xx....",
		".....x...", ".........", ".......x.", "........x",
	};
	const struct address none = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct address a, b;

		assert_int_equal(address_parse(texts[i], &a, NULL), 0);
		assert_false(address_overlaps(&a, &none));
		assert_false(address_overlaps(&none, &a));
		for (size_t j = 0; j < ARRAY_SIZE(texts); j++) {
			assert_int_equal(address_parse(texts[j], &b, NULL), 0);
			if (address_overlaps(&a, &b) != (overlaps[i][j] == 'x'))
				fail_msg("%s and %s", texts[i], texts[j]);
		}
	}
	assert_false(address_overlaps(&none, &none));
}

static void others_reach_what_is_not_local(void **state)
{
	static const char *const local[] = {
		"/a.sock",      "@a",       "localhost:80",         "127.0.0.1:80",
		"127.9.8.7:80", "[::1]:80", "[::ffff:127.0.0.1]:80"};
	static const char *const open[] = {
		":80",         "*:80",         "0.0.0.0:80",   "[::]:80",
		"10.0.0.1:80", "128.0.0.1:80", "[fe80::1]:80", "[::ffff:10.0.0.1]:80"};
	struct address a = {0};

	(void)state;
	assert_false(address_is_local(&a));
	for (size_t i = 0; i < ARRAY_SIZE(local); i++) {
		assert_int_equal(address_parse(local[i], &a, NULL), 0);
		if (!address_is_local(&a))
			fail_msg("%s is local", local[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(open); i++) {
		assert_int_equal(address_parse(open[i], &a, NULL), 0);
		if (address_is_local(&a))
			fail_msg("%s is not local", open[i]);
	}
}

static void a_connection_tells_both_its_ends(void **state)
{
	int server = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 any = {.sin6_family = AF_INET6};
	struct sockaddr_in to = {.sin_family = AF_INET};
	socklen_t n = sizeof(any);
	char host[INET6_ADDRSTRLEN], port[8], expected[8];
	int off = 0;
	int conn;

	(void)state;
	if (server < 0)
		skip(); /* a machine without IPv6 */
	assert_int_equal(setsockopt(server, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)), 0);
	assert_int_equal(bind(server, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(listen(server, 1), 0);
	assert_int_equal(getsockname(server, (struct sockaddr *)&any, &n), 0);
	to.sin_port = any.sin6_port;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof(to)), 0);
	conn = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	assert_true(conn >= 0);
	/* An IPv4 client of a dual-stack listener is not "::ffff:127.0.0.1". */
	assert_int_equal(address_of_peer(conn, host, port), 0);
	assert_string_equal(host, "127.0.0.1");
	assert_int_equal(address_of_self(conn, host, port), 0);
	assert_string_equal(host, "127.0.0.1");
	(void)snprintf(expected, sizeof(expected), "%u", ntohs(to.sin_port));
	assert_string_equal(port, expected);
	(void)close(conn);
	(void)close(client);
	(void)close(server);
}

static void a_unix_peer_has_no_host(void **state)
{
	char host[INET6_ADDRSTRLEN] = "x", port[8] = "x";
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(address_of_peer(fds[0], host, port), 0);
	assert_string_equal(host, "");
	assert_string_equal(port, "");
	(void)close(fds[0]);
	(void)close(fds[1]);
	assert_int_equal(address_of_peer(fds[0], host, port), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_notation_comes_back_as_text),
		cmocka_unit_test(every_refusal_says_why),
		cmocka_unit_test(a_unix_path_fits_exactly_or_is_refused),
		cmocka_unit_test(different_addresses_are_not_equal),
		cmocka_unit_test(wildcards_are_in_the_way_of_what_they_cover),
		cmocka_unit_test(others_reach_what_is_not_local),
		cmocka_unit_test(a_connection_tells_both_its_ends),
		cmocka_unit_test(a_unix_peer_has_no_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
