/*
 * Tests of vassal/proto/http1: the environment that an app gets (PEP 3333).
 */
#include "tests/unit/proto/http1.h"

#include "vassal/proto/forwarded.h"

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
