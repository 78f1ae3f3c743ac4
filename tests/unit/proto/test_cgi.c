/*
 * Tests of vassal/proto/cgi: what variables mean, as nginx sends them with its stock uwsgi_params, and hostile ones.
 */
#include "tests/unit/proto/uwsgi.h"

static void a_field_that_comes_again_is_joined_and_not_lost(void **state)
{
	struct packet *p = packet_new();
	long r = PARSE(p, &no_facts, "REQUEST_METHOD=GET", "REQUEST_URI=/", "HTTP_ACCEPT=a",
		       "HTTP_COOKIE=a=1", "HTTP_X_SAME=s", "HTTP_X_EMPTY=", "X_Y=1",
		       "HTTP_ACCEPT=b", "HTTP_X_SAME=s", "HTTP_ACCEPT=c", "HTTP_COOKIE=b=2",
		       "HTTP_X_EMPTY=x", "X_Y=2", "HTTP_X_REQUEST_ID=id1", "HTTP_X_REQUEST_ID=id2");

	(void)state;
	assert_int_equal(r, p->n);
	assert_var(p, "HTTP_ACCEPT", "a, b, c");
	assert_var(p, "HTTP_COOKIE", "a=1; b=2");
	assert_var(p, "HTTP_X_SAME", "s");
	assert_var(p, "HTTP_X_EMPTY", ", x");
	assert_var(p, "X_Y", "2"); /* no field: the last */
	assert_span(p->rq.request_id, "id2");
	free(p);
}

static void nginx_stock_params_make_a_whole_environment(void **state)
{
	struct packet *p = packet_new();
	long r = PARSE(p, &no_facts, "QUERY_STRING=a=b%20c", "REQUEST_METHOD=POST",
		       "CONTENT_TYPE=text/plain", "CONTENT_LENGTH=5", "REQUEST_URI=/x%20y?a=b%20c",
		       "PATH_INFO=/x y", "DOCUMENT_ROOT=/srv", "SERVER_PROTOCOL=HTTP/1.1",
		       "REQUEST_SCHEME=https", "HTTPS=on", "REMOTE_ADDR=192.0.2.7",
		       "REMOTE_PORT=4711", "SERVER_PORT=443", "SERVER_NAME=a.example",
		       "HTTP_HOST=a.example", "HTTP_HOST=a.example:443", "HTTP_CONTENT_LENGTH=5",
		       "HTTP_CONTENT_TYPE=text/plain", "HTTP_X_FOO=bar", "HTTP_X_REQUEST_ID=id7");

	(void)state;
	assert_int_equal(r, p->n);
	assert_var(p, "REQUEST_METHOD", "POST");
	assert_var(p, "REQUEST_URI", "/x%20y?a=b%20c");
	assert_var(p, "RAW_URI", "/x%20y?a=b%20c");
	assert_var(p, "PATH_INFO", "/x y");
	assert_var(p, "SCRIPT_NAME", "");
	assert_var(p, "QUERY_STRING", "a=b%20c");
	assert_var(p, "CONTENT_TYPE", "text/plain");
	assert_var(p, "CONTENT_LENGTH", "5");
	assert_var(p, "SERVER_PROTOCOL", "HTTP/1.1");
	assert_var(p, "REQUEST_SCHEME", "https");
	assert_var(p, "HTTPS", "on");
	assert_var(p, "REMOTE_ADDR", "192.0.2.7");
	assert_var(p, "REMOTE_PORT", "4711");
	assert_var(p, "SERVER_NAME", "a.example");
	assert_var(p, "SERVER_PORT", "443");
	assert_var(p, "DOCUMENT_ROOT", "/srv");
	assert_var(p, "HTTP_HOST", "a.example:443"); /* the last of equal keys */
	assert_var(p, "HTTP_X_FOO", "bar");
	assert_var(p, "HTTP_CONTENT_LENGTH", NULL);
	assert_var(p, "HTTP_CONTENT_TYPE", NULL);
	assert_span(p->rq.method, "POST");
	assert_span(p->rq.target, "/x%20y?a=b%20c");
	assert_span(p->rq.path, "/x%20y");
	assert_span(p->rq.query, "a=b%20c");
	assert_span(p->rq.host, "a.example");
	assert_span(p->rq.request_id, "id7");
	assert_int_equal(p->rq.body, BODY_LENGTH);
	assert_int_equal(p->rq.length, 5);
	assert_true(p->rq.https);
	assert_false(p->rq.keep_alive);
	assert_false(p->rq.is_head);
	free(p);
}

static void empty_values_of_a_get_count_as_absent(void **state)
{
	static const struct request_facts facts = {
		.server_name = {"here", 4},
		.server_port = {"9090", 4},
		.remote_addr = {"", 0},
		.remote_port = {"", 0},
		.script_name = {"", 0},
	};
	struct packet *p = packet_new();
	long r = PARSE(p, &facts, "REQUEST_METHOD=HEAD", "REQUEST_URI=/", "PATH_INFO=/",
		       "CONTENT_LENGTH=", "CONTENT_TYPE=", "SERVER_NAME=", "HTTPS=");

	(void)state;
	assert_int_equal(r, p->n);
	assert_var(p, "CONTENT_LENGTH", NULL);
	assert_var(p, "HTTPS", NULL);
	assert_var(p, "REQUEST_SCHEME", "http");
	assert_var(p, "SERVER_NAME", "here");
	assert_var(p, "SERVER_PORT", "9090");
	assert_var(p, "REMOTE_ADDR", "");
	assert_var(p, "QUERY_STRING", "");
	assert_int_equal(p->rq.body, BODY_NONE);
	assert_int_equal(p->rq.host.n, 0);
	assert_true(p->rq.is_head);
	free(p);
}

static void paths_are_derived_when_params_omit_them(void **state)
{
	static const struct {
		const char *vars[6];
		unsigned modifier;
		const char *route, *script_name, *path_info;
	} cases[] = {
		{{"REQUEST_URI=/a%20b?c"}, 0, "", "", "/a b"},
		{{"REQUEST_URI=/x", "DOCUMENT_URI=/d e"}, 0, "", "", "/d e"},
		{{"REQUEST_URI=/x", "PATH_INFO=/p%20q"},
		 0,
		 "",
		 "",
		 "/p%20q"}, /* decoded by the proxy already */
		/* nginx's fastcgi_params: SCRIPT_NAME is the whole path */
		{{"REQUEST_URI=/x", "DOCUMENT_URI=/x", "SCRIPT_NAME=/x"}, 0, "", "", "/x"},
		/* Apache's mod_proxy_fcgi and mod_proxy_scgi: the same, decoded, and nothing else */
		{{"REQUEST_URI=/a%20b?c", "SCRIPT_NAME=/a b"}, 0, "", "", "/a b"},
		{{"REQUEST_URI=/app/x", "PATH_INFO=/x", "SCRIPT_NAME=/app"}, 0, "", "/app", "/x"},
		{{"REQUEST_URI=/x", "PATH_INFO=/x", "SCRIPT_NAME=/"}, 0, "", "", "/x"},
		{{"REQUEST_URI=/app", "PATH_INFO=", "SCRIPT_NAME=/app"}, 0, "", "/app", ""},
		/* modifier 30: the server splits */
		{{"REQUEST_URI=/app/x", "PATH_INFO=/app/x", "SCRIPT_NAME=/app"},
		 30,
		 "",
		 "/app",
		 "/x"},
		{{"REQUEST_URI=/app", "PATH_INFO=/app", "SCRIPT_NAME=/app"}, 30, "", "/app", ""},
		{{"REQUEST_URI=/apps", "PATH_INFO=/apps", "SCRIPT_NAME=/app"},
		 30,
		 "",
		 "/app",
		 "/apps"},
		/* it does too if the whole path came without that word */
		{{"REQUEST_URI=/app/x?y", "PATH_INFO=/app/x", "SCRIPT_NAME=/app"},
		 0,
		 "",
		 "/app",
		 "/x"},
		{{"REQUEST_URI=/app/x%20y", "PATH_INFO=/app/x y", "SCRIPT_NAME=/app/"},
		 0,
		 "",
		 "/app",
		 "/x y"},
		{{"REQUEST_URI=/app/", "PATH_INFO=/app/", "SCRIPT_NAME=/app"}, 0, "", "/app", "/"},
		{{"REQUEST_URI=/app/x", "DOCUMENT_URI=/app/x", "SCRIPT_NAME=/app"},
		 0,
		 "",
		 "/app",
		 "/x"},
		{{"REQUEST_URI=//app///%78?y", "PATH_INFO=/app/x", "SCRIPT_NAME=/app"},
		 0,
		 "",
		 "/app",
		 "/x"},
		{{"REQUEST_URI=/app/app/x", "PATH_INFO=/app/app/x", "SCRIPT_NAME=/app"},
		 0,
		 "",
		 "/app",
		 "/app/x"},
		/* the app has a path of the same name, or nothing says what the whole is */
		{{"REQUEST_URI=/app/app/x", "PATH_INFO=/app/x", "SCRIPT_NAME=/app"},
		 0,
		 "",
		 "/app",
		 "/app/x"},
		{{"REQUEST_URI=/app/%61pp/x", "PATH_INFO=/app/x", "SCRIPT_NAME=/app"},
		 0,
		 "",
		 "/app",
		 "/app/x"},
		{{"REQUEST_URI=/app//app/x", "PATH_INFO=/app/x", "SCRIPT_NAME=/app"},
		 0,
		 "",
		 "/app",
		 "/app/x"},
		{{"REQUEST_URI=/app/./app/x", "PATH_INFO=/app/x", "SCRIPT_NAME=/app"},
		 0,
		 "",
		 "/app",
		 "/app/x"},
		{{"REQUEST_URI=/app/application", "PATH_INFO=/application", "SCRIPT_NAME=/app"},
		 0,
		 "",
		 "/app",
		 "/application"},
		{{"REQUEST_URI=/other/x", "PATH_INFO=/app/x", "SCRIPT_NAME=/app"},
		 0,
		 "",
		 "/app",
		 "/app/x"},
		{{"PATH_INFO=/app/x", "SCRIPT_NAME=/app"}, 0, "", "/app", "/app/x"},
		/* the route's path */
		{{"REQUEST_URI=/blog/%41", "PATH_INFO=/blog/A"}, 0, "/blog", "/blog", "/A"},
		{{"REQUEST_URI=/blog/%41"}, 0, "/blog", "/blog", "/A"},
		{{"REQUEST_URI=/blogs"}, 0, "/blog", "", "/blogs"},
		{{"REQUEST_URI=*", "PATH_INFO=*"}, 0, "", "", ""},
		/* no REQUEST_URI at all */
		{{"PATH_INFO=/p"}, 0, "", "", "/p"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct packet *p = packet_new();
		struct request_facts facts = no_facts;
		const char *list[8] = {"REQUEST_METHOD=GET"};
		long r;

		facts.script_name = span_str(cases[i].route);
		memcpy(list + 1, cases[i].vars, sizeof(cases[i].vars));
		r = parse_list(p, cases[i].modifier, &facts, list);
		assert_int_equal(r, p->n);
		assert_var(p, "SCRIPT_NAME", cases[i].script_name);
		assert_var(p, "PATH_INFO", cases[i].path_info);
		assert_true(p->rq.path.n > 0 && p->rq.target.n > 0);
		free(p);
	}
}

static void nothing_that_loads_code_or_is_no_cgi_name_passes(void **state)
{
	static const char *const names[] = {
		"UWSGI_FILE",
		"UWSGI_SCRIPT",
		"UWSGI_MODULE",
		"UWSGI_CALLABLE",
		"UWSGI_PYHOME",
		"UWSGI_CHDIR",
		"UWSGI_SETENV",
		"UWSGI_APPID",
		"UWSGI_TOUCH_RELOAD",
		"UWSGI_POSTFILE",
		"UWSGI_HOME",
		"UWSGI_SCHEME",
		"UWSGI_ANYTHING",
		"HTTP_PROXY",
		"wsgi.input",
		"wsgi.version",
		"http_x",
		"HTTP-X",
		"HTTP X",
		"HTTP_x",
		"HTTP_TE",
		"HTTP_TRAILER",
		"",
		"HTTP_TRANSFER_ENCODING",
	};
	struct packet *p = packet_new();

	(void)state;
	p->n = 4;
	add(p, "REQUEST_METHOD", "GET");
	add(p, "REQUEST_URI", "/");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		add(p, names[i], "evil");
	finish(p, 0);
	vars_init(&p->vars, p->room, sizeof(p->room));
	assert_int_equal(uwsgi_parse(p->bytes, p->n, UINT16_MAX, &no_facts, &p->rq, &p->vars),
			 p->n);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_var(p, names[i], NULL);
	free(p);
}

static void the_scheme_comes_from_any_of_its_variables(void **state)
{
	static const struct {
		const char *var;
		bool https;
	} cases[] = {
		{"HTTPS=on", true},
		{"HTTPS=1", true},
		{"HTTPS=ON", true},
		{"HTTPS=off", false},
		{"UWSGI_SCHEME=https", true},
		{"REQUEST_SCHEME=https", true},
		{"REQUEST_SCHEME=http", false},
		{"HTTP_X_FORWARDED_PROTO=https", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct packet *p = packet_new();

		assert_true(PARSE(p, &no_facts, "REQUEST_METHOD=GET", "REQUEST_URI=/",
				  cases[i].var) > 0);
		assert_int_equal(p->rq.https, cases[i].https);
		assert_var(p, "REQUEST_SCHEME", cases[i].https ? "https" : "http");
		assert_var(p, "SERVER_PORT", cases[i].https ? "443" : "80");
		free(p);
	}
}

static void bad_values_are_refused(void **state)
{
	static const struct {
		const char *vars[4];
		int status;
	} cases[] = {
		{{"REQUEST_URI=/"}, 400},
		{{"REQUEST_METHOD=", "REQUEST_URI=/"}, 400},
		{{"REQUEST_METHOD=G T", "REQUEST_URI=/"}, 400},
		{{"REQUEST_METHOD=GET"}, 400},
		{{"REQUEST_METHOD=GET", "REQUEST_URI=/a b"}, 400},
		{{"REQUEST_METHOD=GET", "REQUEST_URI=/a\nb"}, 400},
		{{"REQUEST_METHOD=GET", "REQUEST_URI=/%00"}, 400},
		{{"REQUEST_METHOD=GET", "REQUEST_URI=a"}, 400},
		{{"REQUEST_METHOD=GET", "REQUEST_URI=/", "PATH_INFO=a"}, 400},
		{{"REQUEST_METHOD=GET", "REQUEST_URI=/", "SCRIPT_NAME=a"}, 400},
		{{"REQUEST_METHOD=GET", "REQUEST_URI=/", "CONTENT_LENGTH=-1"}, 400},
		{{"REQUEST_METHOD=GET", "REQUEST_URI=/", "CONTENT_LENGTH=5, 5"}, 400},
		{{"REQUEST_METHOD=GET", "REQUEST_URI=/", "CONTENT_LENGTH=9223372036854775808"},
		 400},
		{{"REQUEST_METHOD=GET", "REQUEST_URI=/", "HTTP_HOST=a b"}, 400},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct packet *p = packet_new();
		const char *list[5] = {NULL};

		memcpy(list, cases[i].vars, sizeof(cases[i].vars));
		assert_int_equal(parse_list(p, 0, &no_facts, list), PROTO_BAD);
		assert_int_equal(p->rq.status, cases[i].status);
		assert_non_null(p->rq.reason);
		free(p);
	}
}

static void what_is_refused_is_known_all_the_same(void **state)
{
	static const char *const refused[] = {"REQUEST_METHOD=HEAD", "REQUEST_URI=/a?b",
					      "CONTENT_LENGTH=x", "HTTP_X_REQUEST_ID=mine", NULL};
	static const char *const nonsense[] = {"REQUEST_METHOD=HE AD", "REQUEST_URI=/a b",
					       "HTTP_X_REQUEST_ID=a b", NULL};
	struct packet *p = packet_new();

	(void)state;
	assert_int_equal(parse_list(p, 0, &no_facts, refused), PROTO_BAD);
	assert_span(p->rq.method, "HEAD");
	assert_span(p->rq.target, "/a?b");
	assert_span(p->rq.request_id, "mine");
	assert_true(p->rq.is_head);
	free(p);
	p = packet_new();
	assert_int_equal(parse_list(p, 0, &no_facts, nonsense), PROTO_BAD);
	assert_int_equal(p->rq.method.n + p->rq.target.n + p->rq.request_id.n, 0);
	free(p);
}

static void a_nul_in_the_path_is_refused(void **state)
{
	struct packet *p = packet_new();

	(void)state;
	p->n = 4;
	add(p, "REQUEST_METHOD", "GET");
	add(p, "REQUEST_URI", "/a");
	add_string(p, "PATH_INFO", 9);
	add_string(p, "/a\0b", 4);
	finish(p, 0);
	assert_int_equal(parse_part(p, p->n, &no_facts), PROTO_BAD);
	assert_int_equal(p->rq.status, 400);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_field_that_comes_again_is_joined_and_not_lost),
		cmocka_unit_test(nginx_stock_params_make_a_whole_environment),
		cmocka_unit_test(empty_values_of_a_get_count_as_absent),
		cmocka_unit_test(paths_are_derived_when_params_omit_them),
		cmocka_unit_test(nothing_that_loads_code_or_is_no_cgi_name_passes),
		cmocka_unit_test(the_scheme_comes_from_any_of_its_variables),
		cmocka_unit_test(bad_values_are_refused),
		cmocka_unit_test(what_is_refused_is_known_all_the_same),
		cmocka_unit_test(a_nul_in_the_path_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
