/*
 * stats: what the sockets say, to whom, and that neither silent clients nor nonsense keep it from answering.
 */
#include "tests/unit/stats/role.h"

static void assert_keys(const json_t *o, const char *const *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!json_object_get(o, keys[i]))
			fail_msg("key %s is missing", keys[i]);
}

static void a_silent_client_gets_the_app_view_as_uwsgi_prints_it(void **state)
{
	static const char *const top[] = {
		"version",      "listen_queue", "listen_queue_errors",
		"signal_queue", "load",         "pid",
		"uid",          "gid",          "cwd",
		"locks",        "sockets",      "workers",
		"state",        "generation",   "status_2xx",
		"p50_us",       "queue_p99_us", "last_error",
		"requests",     "exceptions",   "rss",
	};
	static const char *const worker[] = {
		"id",
		"pid",
		"accepting",
		"requests",
		"delta_requests",
		"exceptions",
		"harakiri_count",
		"signals",
		"signal_queue",
		"status",
		"rss",
		"vsz",
		"running_time",
		"last_spawn",
		"respawn_count",
		"tx",
		"avg_rt",
		"apps",
		"cores",
	};
	static const char *const core[] = {
		"id",
		"requests",
		"static_requests",
		"routed_requests",
		"offloaded_requests",
		"write_errors",
		"read_errors",
		"in_request",
		"vars",
		"req_info",
	};
	static const char *const app[] = {
		"id", "modifier1", "mountpoint", "startup_time", "requests", "exceptions", "chdir",
	};
	struct fixture *f = *state;
	struct sockaddr_un a;
	const json_t *w;
	const json_t *c;
	json_t *root;

	fill_blog(f);
	a = add_listener(f, "blog");
	root = raw(&a);
	assert_plain(root);
	assert_keys(root, top, ARRAY_SIZE(top));
	assert_int_equal(number(root, "listen_queue"), 3);
	assert_int_equal(number(root, "uid"), 33);
	assert_int_equal(number(root, "restarts"), 2);
	assert_int_equal(number(root, "rss"), 16000000);
	assert_string_equal(text_of(root, "state"), "running");
	assert_string_equal(text_of(root, "reason"), "all is well");
	assert_int_equal(json_array_size(json_object_get(root, "workers")), 2);
	w = json_array_get(json_object_get(root, "workers"), 0);
	assert_keys(w, worker, ARRAY_SIZE(worker));
	assert_int_equal(number(w, "id"), 1);
	assert_int_equal(number(w, "pid"), 100);
	assert_string_equal(text_of(w, "status"), "busy");
	assert_keys(json_array_get(json_object_get(w, "apps"), 0), app, ARRAY_SIZE(app));
	assert_int_equal(json_array_size(json_object_get(w, "cores")), 2);
	c = json_array_get(json_object_get(w, "cores"), 0);
	assert_keys(c, core, ARRAY_SIZE(core));
	assert_int_equal(json_array_size(json_object_get(c, "vars")), 0);
	c = json_array_get(json_object_get(w, "cores"), 1);
	assert_int_equal(number(c, "in_request"), 1);
	c = json_object_get(c, "vars");
	assert_int_equal(json_array_size(c), 3);
	assert_string_equal(json_string_value(json_array_get(c, 0)), "REQUEST_METHOD=GET");
	assert_string_equal(json_string_value(json_array_get(c, 1)),
			    "REQUEST_URI=/slow?x=\xef\xbf\xbd");
	assert_string_equal(json_string_value(json_array_get(c, 2)), "");
	json_decref(root);
}

static void the_emperors_socket_lists_every_app(void **state)
{
	static const char *const vassal[] = {
		"id",
		"pid",
		"born",
		"last_mod",
		"last_heartbeat",
		"loyal",
		"ready",
		"accepting",
		"last_loyal",
		"last_ready",
		"last_accepting",
		"first_run",
		"last_run",
		"cursed",
		"zerg",
		"on_demand",
		"uid",
		"gid",
		"monitor",
		"respawns",
		"state",
		"requests",
		"p95_us",
	};
	struct fixture *f = *state;
	struct sockaddr_un a;
	const json_t *v;
	json_t *root;

	f->shop = add_app(f, 2, "shop");
	fill_blog(f);
	say(f, (struct role_msg){.kind = STATS_STATE, .app = 2, .a = APP_BACKOFF}, "no such module",
	    -1);
	a = add_listener(f, "");
	root = raw(&a);
	assert_plain(root);
	v = json_object_get(root, "vassals");
	assert_int_equal(json_array_size(v), 2);
	assert_string_equal(text_of(json_array_get(v, 0), "id"), "blog");
	assert_keys(json_array_get(v, 0), vassal, ARRAY_SIZE(vassal));
	assert_int_equal(number(json_array_get(v, 0), "respawns"), 2);
	assert_string_equal(text_of(json_array_get(v, 1), "reason"), "no such module");
	assert_int_equal(json_array_size(json_object_get(root, "blacklist")), 1);
	assert_int_equal(number(root, "emperor_tyrant"), 0);
	assert_true(json_is_array(json_object_get(root, "emperor")));
	json_decref(root);

	say(f, (struct role_msg){.kind = STATS_APP_GONE, .app = 2}, NULL, -1);
	root = raw(&a);
	assert_int_equal(json_array_size(json_object_get(root, "vassals")), 1);
	json_decref(root);
}

static void one_socket_speaks_http_too(void **state)
{
	static const struct {
		const char *path;
		int status;
	} rows[] = {
		{"/", 200},        {"/apps/blog", 200},   {"/apps/nobody", 404},
		{"/nothing", 404}, {"/events", 503},      {"/history?app=blog", 503},
		{"/history", 400}, {"/events?n=no", 400},
	};
	struct fixture *f = *state;
	struct sockaddr_un a = add_listener(f, "");
	char *text;

	fill_blog(f);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int status = 0;
		json_t *root = http(&a, rows[i].path, &status);

		assert_int_equal(status, rows[i].status);
		if (status != 200)
			assert_true(text_of(root, "error")[0] != '\0');
		json_decref(root);
	}
	text = talk(&a, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_non_null(strstr(text, "HTTP/1.1 200 OK\r\n"));
	assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n");
	free(text);
	text = talk(&a, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
	assert_non_null(strstr(text, "HTTP/1.1 405 "));
	assert_non_null(strstr(text, "Allow: GET, HEAD\r\n"));
	free(text);
	text = talk(&a, "what is this?\r\n\r\n");
	assert_non_null(strstr(text, "HTTP/1.1 400 "));
	free(text);
}

static void an_apps_socket_tells_of_no_other_app(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un a;
	int status = 0;
	json_t *root;

	fill_blog(f);
	f->shop = add_app(f, 2, "shop");
	a = add_listener(f, "blog");
	json_decref(http(&a, "/apps/shop", &status));
	assert_int_equal(status, 404);
	json_decref(http(&a, "/events?app=shop", &status));
	assert_int_equal(status, 404);
	root = http(&a, "/", &status);
	assert_int_equal(status, 200);
	assert_string_equal(text_of(root, "name"), "blog");
	json_decref(root);
}

static void clients_that_never_read_or_write_keep_nobody_out(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un app_socket;
	struct sockaddr_un own = add_listener(f, "");
	int fds[100];
	json_t *root;

	fill_blog(f);
	app_socket = add_listener(f, "blog");
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = dial(&app_socket);
		assert_int_equal(write(fds[i], "G", 1), 1);
	}
	root = raw(&own);
	assert_string_equal(text_of(json_array_get(json_object_get(root, "vassals"), 0), "id"),
			    "blog");
	json_decref(root);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		(void)close(fds[i]);
	/* Their places are free again. */
	json_decref(raw(&app_socket));
}

static void a_new_listener_of_an_app_replaces_the_old_one(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un first;
	struct sockaddr_un second;
	_cleanup_(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	fill_blog(f);
	first = add_listener(f, "blog");
	json_decref(raw(&first));
	second = add_listener(f, "blog");
	json_decref(raw(&second));
	assert_true(connect(fd, (struct sockaddr *)&first, sizeof(first)) < 0);
	assert_int_equal(errno, ECONNREFUSED);
}

static void messages_that_make_no_sense_are_refused_and_survived(void **state)
{
	static const struct role_msg rows[] = {
		{.kind = STATS_APP_GONE, .app = 77},
		{.kind = STATS_STATE, .app = 77, .a = APP_RUNNING},
		{.kind = STATS_EVENT, .app = 77, .a = EVENT_NOTE},
		{.kind = STATS_STATE, .app = 1, .a = APP_STATE_COUNT},
		{.kind = STATS_EVENT, .app = 1, .a = EVENT_KIND_COUNT},
		{.kind = STATS_EVENT, .app = 1, .a = EVENT_NONE},
		{.kind = GATE_STOP},
	};
	struct fixture *f = *state;
	_cleanup_(fd_closep) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct sockaddr_un a;
	json_t *root;

	fill_blog(f);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		say(f, rows[i], "x", -1);
	say(f, (struct role_msg){.kind = STATS_APP, .app = 9}, "fake", null);
	say(f, (struct role_msg){.kind = STATS_LISTENER}, "blog", null);
	a = add_listener(f, "");
	root = raw(&a);
	assert_int_equal(json_array_size(json_object_get(root, "vassals")), 1);
	assert_string_equal(text_of(json_array_get(json_object_get(root, "vassals"), 0), "state"),
			    "running");
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_silent_client_gets_the_app_view_as_uwsgi_prints_it),
		TEST(the_emperors_socket_lists_every_app),
		TEST(one_socket_speaks_http_too),
		TEST(an_apps_socket_tells_of_no_other_app),
		TEST(clients_that_never_read_or_write_keep_nobody_out),
		TEST(a_new_listener_of_an_app_replaces_the_old_one),
		TEST(messages_that_make_no_sense_are_refused_and_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
