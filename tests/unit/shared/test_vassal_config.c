/*
 * vassal_config: what inis mean, the ones that tutorials print first of all.
 */
#include "tests/unit/shared/built.h"

static void the_django_tutorial_works(void **state)
{
	struct built b = build("[uwsgi]\n"
			       "http = 0.0.0.0:9005\n"
			       "chdir = /data/mysite/\n"
			       "wsgi-file = mysite/wsgi.py\n"
			       "process = 4\n"
			       "threads = 2\n"
			       "static-map = /static=/data/static\n");

	(void)state;
	assert_good(&b);
	assert_int_equal(b.c.listeners_n, 1);
	assert_int_equal(b.c.listeners[0].protocol, LISTENER_HTTP);
	assert_int_equal(b.c.listeners[0].address.in.sin_port, htons(9005));
	assert_string_equal(b.c.listeners[0].text, "0.0.0.0:9005");
	assert_string_equal(b.c.chdir, "/data/mysite/");
	assert_string_equal(b.c.wsgi_file, "mysite/wsgi.py");
	assert_null(b.c.module);
	assert_null(b.c.callable);
	assert_int_equal(b.c.processes, 4);
	assert_int_equal(b.c.threads, 2);
	assert_int_equal(b.c.static_maps_n, 1);
	assert_string_equal(b.c.static_maps[0].mount, "/static");
	assert_string_equal(b.c.static_maps[0].target, "/data/static");
	assert_int_equal(b.notes.n, 1);
	assert_true(has_note(&b, 5, "process: means processes here; uWSGI ignored this"));
	done(&b);
}

static void the_flask_tutorial_works(void **state)
{
	struct built b = build("[uwsgi]\n"
			       "http = 0.0.0.0:9005\n"
			       "chdir = /data/flaskapp\n"
			       "wsgi-file = app.py\n"
			       "processes = 4\n"
			       "threads = 2\n"
			       "callable = app\n"
			       "static-map = /static=/data/static\n");

	(void)state;
	assert_good(&b);
	assert_string_equal(b.c.callable, "app");
	assert_int_equal(b.c.processes, 4);
	assert_int_equal(b.notes.n, 0);
	done(&b);
}

static void the_nginx_tutorial_works(void **state)
{
	struct built b = build("[uwsgi]\n"
			       "socket = 127.0.0.1:9090\n"
			       "chdir = /home/destiny\n"
			       "module = destiny.wsgi\n"
			       "master = true\n"
			       "processes = 2\n"
			       "threads = 2\n"
			       "max-requests = 2000\n"
			       "chmod-socket = 664\n"
			       "vacuum = true\n"
			       "daemonize = /home/destiny/uwsgi.log\n");

	(void)state;
	assert_good(&b);
	assert_int_equal(b.c.listeners[0].protocol, LISTENER_ANY);
	assert_string_equal(b.c.module, "destiny.wsgi");
	assert_int_equal(b.c.max_requests, 2000);
	assert_int_equal(b.c.chmod_socket, 0664);
	assert_string_equal(b.c.logto, "/home/destiny/uwsgi.log");
	assert_int_equal(b.notes.n, 0);
	done(&b);
}

static void a_bare_app_has_sane_defaults(void **state)
{
	struct built b = build_with("");

	(void)state;
	assert_good(&b);
	assert_int_equal(b.c.processes, 1);
	assert_int_equal(b.c.threads, 1);
	assert_int_equal(b.c.harakiri_s, 0);
	assert_int_equal(b.c.keepalive_s, 75);
	assert_int_equal(b.c.buffer_size, 65536);
	assert_int_equal(b.c.post_buffering, 65536);
	assert_int_equal(b.c.chmod_socket, 0666);
	assert_int_equal(b.c.umask, (mode_t)-1);
	assert_true(b.c.max_requests_delta == UINT64_MAX);
	assert_true(b.c.no_new_privs);
	assert_int_equal(b.c.listeners_n, 0);
	assert_false(b.c.default_site);
	done(&b);
}

static void domains_come_in_every_shape(void **state)
{
	struct built b = build_with("domain = Blog.Example, *.b.example , shop.example/Cart/\n"
				    "domain = x.example. y.example/\ndomain = [::1]\n"
				    "domain = blog.example\ndefault = true");
	static const char *const expected[][2] = {
		{"blog.example", ""}, {"*.b.example", ""}, {"shop.example", "/Cart"},
		{"x.example", ""},    {"y.example", ""},   {"[::1]", ""},
	};

	(void)state;
	assert_good(&b);
	assert_int_equal(b.c.domains_n, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		assert_string_equal(b.c.domains[i].host, expected[i][0]);
		assert_string_equal(b.c.domains[i].path, expected[i][1]);
	}
	assert_true(b.c.default_site);
	assert_true(has_note(&b, 6, "stands here twice"));
	done(&b);
}

static void the_protocol_of_later_sockets_can_change(void **state)
{
	struct built b =
		build_with("socket = :1\nprotocol = http\nsocket = :2\nuwsgi-socket = :3\n"
			   "http-socket = :4\nhttp11-socket = :5\nprotocol=uwsgi\nsocket=:6\n"
			   "fastcgi-socket=:7\nscgi-socket=:8\nprotocol=fastcgi\nsocket=:9\n"
			   "protocol=SCGI\nsocket=:10\nprotocol=auto\nsocket=:11");
	static const enum listener_protocol expected[] = {
		LISTENER_ANY,     LISTENER_HTTP,  LISTENER_UWSGI,   LISTENER_HTTP,
		LISTENER_HTTP,    LISTENER_UWSGI, LISTENER_FASTCGI, LISTENER_SCGI,
		LISTENER_FASTCGI, LISTENER_SCGI,  LISTENER_ANY};

	(void)state;
	assert_good(&b);
	assert_int_equal(b.c.listeners_n, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_int_equal(b.c.listeners[i].protocol, expected[i]);
	done(&b);
}

static void where_anybody_may_claim_to_be_anybody_is_said(void **state)
{
	struct built b = build("[uwsgi]\n"
			       "socket = :1\n"
			       "uwsgi-socket = 0.0.0.0:2\n"
			       "fastcgi-socket = 10.0.0.1:3\n"
			       "scgi-socket = [::]:4\n"
			       "http = :5\n"
			       "socket = 127.0.0.1:6\n"
			       "uwsgi-socket = /run/x.sock\n"
			       "protocol = http\n"
			       "socket = :7\n"
			       "module = app\n");

	(void)state;
	assert_good(&b);
	assert_int_equal(b.notes.n, 4);
	assert_true(has_note(&b, 2, "socket: whoever reaches :1 may claim to be any client"));
	assert_true(has_note(&b, 3, "uwsgi-socket: whoever reaches 0.0.0.0:2 may claim"));
	assert_true(has_note(&b, 4, "fastcgi-socket: whoever reaches 10.0.0.1:3 may claim"));
	assert_true(has_note(&b, 5, "scgi-socket: whoever reaches [::]:4 may claim"));
	done(&b);
}

static void relative_paths_start_at_chdir(void **state)
{
	struct built b = build_with("chdir = /srv/app\nsocket = my.sock\nhttp = ./h.sock\n"
				    "static-map = /s=static\nlogto = log/x.log\npidfile=/run/p");
	char text[ADDRESS_TEXT];

	(void)state;
	assert_good(&b);
	address_format(&b.c.listeners[0].address, text);
	assert_string_equal(text, "/srv/app/my.sock");
	address_format(&b.c.listeners[1].address, text);
	assert_string_equal(text, "/srv/app/h.sock");
	assert_string_equal(b.c.static_maps[0].target, "/srv/app/static");
	assert_string_equal(b.c.logto, "/srv/app/log/x.log");
	assert_string_equal(b.c.pidfile, "/run/p");
	done(&b);
}

static void numbers_take_units(void **state)
{
	struct built b =
		build_with("harakiri = 2m\nlimit-post = 10M\nreload-on-rss = 300 # MB\n"
			   "limit-as = 1G\nmax-requests = 5k\nbuffer-size = 32k\n"
			   "keepalive = 1m\nheader-timeout = 7 s\nmax-requests-delta = 50\n"
			   "max-worker-lifetime = 1h\nmax-worker-lifetime-delta = 5m\nidle = 10m\n"
			   "prio = -5\nevil-reload-on-rss = 1G");

	(void)state;
	assert_good(&b);
	assert_int_equal(b.c.harakiri_s, 120);
	assert_int_equal(b.c.limit_post, 10 << 20);
	assert_int_equal(b.c.reload_on_rss_bytes, 300 << 20);
	assert_int_equal(b.c.limit_as_bytes, 1 << 30);
	assert_int_equal(b.c.max_requests, 5000);
	assert_int_equal(b.c.buffer_size, 32768);
	assert_int_equal(b.c.keepalive_s, 60);
	assert_int_equal(b.c.header_timeout_s, 7);
	assert_int_equal(b.c.max_requests_delta, 50);
	assert_int_equal(b.c.max_lifetime_s, 3600);
	assert_int_equal(b.c.max_lifetime_delta_s, 300);
	assert_int_equal(b.c.idle_s, 600);
	assert_int_equal(b.c.prio, -5);
	assert_int_equal(b.c.evil_reload_on_rss_bytes, 1 << 30);
	done(&b);
	b = build_with("reload-on-rss = 0.5");
	assert_good(&b);
	assert_int_equal(b.c.reload_on_rss_bytes, 512 * 1024);
	done(&b);
}

/* Whose last word counts, whichever name says it. */
static void time_to_finish_is_known_by_both_of_its_names(void **state)
{
	struct built b = build_with("graceful-timeout = 7\nworker-reload-mercy = 9");

	(void)state;
	assert_good(&b);
	assert_int_equal(b.c.graceful_timeout_s, 7);
	assert_int_equal(b.c.worker_mercy_s, 9);
	assert_int_equal(b.notes.n, 0);
	assert_int_equal(vassal_config_item(&b.items, "reload-mercy")->line, 3);
	done(&b);
	b = build_with("graceful-timeout = 7\nreload-mercy = 2m");
	assert_int_equal(b.c.graceful_timeout_s, 120);
	done(&b);
}

static void keepalive_is_a_switch_and_a_number(void **state)
{
	static const struct {
		const char *value;
		unsigned seconds;
	} cases[] = {{"true", 75}, {"1", 75},  {"on", 75}, {"0", 0},
		     {"false", 0}, {"off", 0}, {"30", 30}, {"2", 2}};
	char line[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct built b;

		(void)snprintf(line, sizeof(line), "http-keepalive = %s", cases[i].value);
		b = build_with(line);
		assert_good(&b);
		assert_int_equal(b.c.keepalive_s, cases[i].seconds);
		done(&b);
	}
}

static void lists_keep_their_order(void **state)
{
	struct built b = build_with("env = A=1\nenv = B = 2 3\npythonpath = /a\npp = /b:/c\n"
				    "warmup = /\nwarmup = /x\nadd-gid = adm\ntouch-reload = a\n"
				    "touch-chain-reload = b\ntouch-workers-reload = c");

	(void)state;
	assert_good(&b);
	assert_int_equal(b.c.env.n, 2);
	assert_string_equal(b.c.env.v[0], "A=1");
	assert_string_equal(b.c.env.v[1], "B=2 3");
	assert_int_equal(b.c.pythonpath.n, 3);
	assert_string_equal(b.c.pythonpath.v[2], "/c");
	assert_int_equal(b.c.warmup.n, 2);
	assert_string_equal(b.c.add_gid.v[0], "adm");
	assert_int_equal(b.c.touch_reload.n, 3);
	assert_string_equal(b.c.touch_reload.v[1], "b");
	assert_string_equal(b.c.touch_reload.v[2], "c");
	done(&b);
}

static void mounts_are_paths_and_apps(void **state)
{
	struct built b = build_with("mount = /a/=pkg.mod:obj\nmount = / = /srv/root.py\n"
				    "no-default-app = true\nmanage-script-name = true");

	(void)state;
	assert_good(&b);
	assert_int_equal(b.c.mounts_n, 2);
	assert_string_equal(b.c.mounts[0].path, "/a");
	assert_string_equal(b.c.mounts[0].app, "pkg.mod:obj");
	assert_string_equal(b.c.mounts[1].path, "");
	assert_string_equal(b.c.mounts[1].app, "/srv/root.py");
	assert_true(b.c.no_default_app);
	assert_int_equal(b.notes.n, 0);
	done(&b);
	b = build("[uwsgi]\nmount = /a=b\n");
	assert_good(&b);
	assert_true(has_note(&b, 2, "no-default-app = true answers 404"));
	done(&b);
}

static void an_option_is_found_under_every_name(void **state)
{
	struct built b = build("[vassal]\nwsgi = m\nvenv = /v\nmodule = n\n");

	(void)state;
	assert_int_equal(vassal_config_item(&b.items, "module")->line, 4);
	assert_int_equal(vassal_config_item(&b.items, "home")->line, 3);
	assert_null(vassal_config_item(&b.items, "uid"));
	assert_null(vassal_config_item(&b.items, "no-such-option"));
	done(&b);
}

static void names_of_uwsgi_are_known(void **state)
{
	static const char *const known[] = {"abstract-socket", "http", "snmp", "zeus", "st"};
	static const char *const unknown[] = {"", "a", "vaccum", "zzz", "harakari"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		assert_true(uwsgi_names_has(known[i]));
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		assert_false(uwsgi_names_has(unknown[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_django_tutorial_works),
		cmocka_unit_test(the_flask_tutorial_works),
		cmocka_unit_test(the_nginx_tutorial_works),
		cmocka_unit_test(a_bare_app_has_sane_defaults),
		cmocka_unit_test(domains_come_in_every_shape),
		cmocka_unit_test(the_protocol_of_later_sockets_can_change),
		cmocka_unit_test(where_anybody_may_claim_to_be_anybody_is_said),
		cmocka_unit_test(relative_paths_start_at_chdir),
		cmocka_unit_test(numbers_take_units),
		cmocka_unit_test(time_to_finish_is_known_by_both_of_its_names),
		cmocka_unit_test(keepalive_is_a_switch_and_a_number),
		cmocka_unit_test(lists_keep_their_order),
		cmocka_unit_test(mounts_are_paths_and_apps),
		cmocka_unit_test(an_option_is_found_under_every_name),
		cmocka_unit_test(names_of_uwsgi_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
