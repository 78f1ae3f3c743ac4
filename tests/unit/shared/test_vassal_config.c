/* vassal_config: what inis mean, the ones that tutorials print first of all. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/err.h"
#include "shared/vassal_config.h"

struct built {
	struct config_items items;
	struct inifile_notes notes;
	struct vassal_config c;
	struct err err;
	int r;
};

static struct built build(const char *text)
{
	const struct inifile_facts facts = {
		.path = "/etc/v/blog.ini", .cpus = 4, .allow_files = true};
	struct built b = {0};

	b.r = inifile_parse(text, strlen(text), &facts, &b.items, &b.notes, &b.err);
	if (b.r == 0)
		b.r = vassal_config_build(&b.items, &b.c, &b.notes, &b.err);
	return b;
}

/* An app with these lines more. */
static struct built build_with(const char *lines)
{
	char text[8192];

	(void)snprintf(text, sizeof(text), "[uwsgi]\nmodule = m\n%s\n", lines);
	return build(text);
}

static void done(struct built *b)
{
	vassal_config_done(&b->c);
	config_items_done(&b->items);
	inifile_notes_done(&b->notes);
}

static bool has_note(const struct built *b, unsigned line, const char *says)
{
	for (size_t i = 0; i < b->notes.n; i++)
		if (b->notes.v[i].line == line && strstr(b->notes.v[i].text, says))
			return true;
	return false;
}

static void assert_good(const struct built *b)
{
	if (b->r < 0)
		fail_msg("%s", b->err.text);
}

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
	assert_int_equal(b.c.listeners[0].protocol, LISTENER_UWSGI);
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
			   "http-socket = :4\nhttp11-socket = :5\nprotocol=uwsgi\nsocket=:6");
	static const enum listener_protocol expected[] = {LISTENER_UWSGI, LISTENER_HTTP,
							  LISTENER_UWSGI, LISTENER_HTTP,
							  LISTENER_HTTP,  LISTENER_UWSGI};

	(void)state;
	assert_good(&b);
	assert_int_equal(b.c.listeners_n, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_int_equal(b.c.listeners[i].protocol, expected[i]);
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

static const struct {
	const char *lines, *says;
} refused[] = {
	{"attach-daemon2 = name=x", "there is no command to run"},
	{"attach-daemon2 = celery worker", "is not key=value"},
	{"attach-daemon2 = exe=celery", "exe: unknown key"},
	{"attach-daemon2 = cmd=a,stopsignal=99", "no signal"},
	{"attach-daemon2 = cmd=a,name=a b", "letters, digits"},
	{"attach-daemon2 = cmd=a,freq=x", "not a number"},
	{"smart-attach-daemon = /tmp/pid", "there is no command to run"},
	{"cron = 60 -1 -1 -1 -1 a", "\"60\" is no minute"},
	{"cron = 0 0 a", "\"a\" is no day"},
	{"cron = 0 2 -1 -1 -1", "there is no command to run"},
	{"cron2 = minute=0,legion=x a", "there is no legion"},
	{"cron2 = minute=0,hour=24 a", "\"24\" is no hour"},
	{"harakiri = 5x", "blog.ini:3: harakiri: \"5x\" is not a number of seconds"},
	{"harakiri = soon", "blog.ini:3: harakiri: \"soon\" is not a number of seconds"},
	{"harakiri = -1", "is not a number"},
	{"processes = true", "blog.ini:3: processes: \"true\" is not a number"},
	{"processes = 0", "blog.ini:3: processes: 0 is too small, at least 1"},
	{"processes = 101", "too large, at most 100"},
	{"processes = 99999999999999999999999", "is not a number"},
	{"processes = $(N)", "the environment variable N is not set"},
	{"socket = 127.0.0.1:$(PORT)", "the environment variable PORT is not set"},
	{"threads = 65", "too large"},
	{"processes = 60\nthreads = 16", "are too many"},
	{"limit-as = 18446744073709551615G", "too large"},
	{"http = 127.0.0.1:http",
	 "blog.ini:3: http: \"127.0.0.1:http\": port \"http\" is not a number"},
	{"http = :80\nsocket = :80", "blog.ini:4: socket: :80 is already an address of this app"},
	{"protocol = fastcgi", "is not spoken here"},
	{"chmod-socket = 66", "3 or 4 octal digits"},
	{"chmod-socket = 888", "3 or 4 octal digits"},
	{"chmod-socket = 4666", "no set-id"},
	{"domain = http://x.example", "neither scheme nor port"},
	{"domain = x.example:80", "neither scheme nor port"},
	{"domain = x..example", "not a host name"},
	{"domain = b\xc3\xbc"
	 "cher.example",
	 "xn--"},
	{"domain = a.*.example", "a star stands only at the front"},
	{"domain = *", "default = true"},
	{"domain = x.example/../y", "not a plain path"},
	{"domain = x.example//y", "not a plain path"},
	{"domain = x.example/a?b", "not a plain path"},
	{"domain = /blog", "not a host name"},
	{"static-map = /static", "is not /url=/directory"},
	{"static-map = /static=", "names no directory"},
	{"env = NAME", "is not NAME=value"},
	{"env = =x", "is not NAME=value"},
	{"warmup = login", "is not a path"},
	{"python = three", "is not a version"},
	{"umask = 999", "is not a mask"},
	{"prio = 20", "is not a number from -20 to 19"},
	{"prio = high", "is not a number from -20 to 19"},
	{"max-worker-lifetime-delta = some", "is not a number of seconds"},
	{"cheaper-step = 0", "too small"},
	{"plugin = php", "php: only Python apps"},
	{"stats = nowhere", "is not a number"},
	{"https = :443,a.crt,a.key", "blog.ini:3: https: TLS is not spoken here"},
	{"mount = /x=y.py", "give each its own ini"},
	{"route = ^/x donotlog:", "let the proxy or the app"},
	{"route-if = equal:a;b redirect:x", "let the proxy or the app"},
	{"gevent = 100", "say threads = N"},
	{"del-header = X", "do it in the app"},
	{"add-header = X", "is not Name: value"},
	{"add-header = X Y: z", "is not Name: value"},
	{"add-header = : z", "is not Name: value"},
	{"add-header = X:", "is not Name: value"},
	{"add-header = Content-Length: 5", "is not the configuration's to say"},
	{"add-header = transfer-encoding: chunked", "is not the configuration's to say"},
	{"check-static-docroot = true", "name it with check-static"},
	{"static-map2 = /x", "is not /url=/directory"},
	{"sendfile-root = /x=", "names no directory"},
	{"static-expires = 3600", "is not pattern seconds"},
	{"static-expires = /x soon", "is not pattern seconds"},
	{"static-expires = /x -1", "is not pattern seconds"},
	{"static-expires = /x 999999999999", "of at most 315360000 seconds"},
	{"static-expires-type = text/css 60", "is not type=seconds"},
	{"static-expires = ( 60", "is no regular expression"},
	{"static-expires-uri = (?i)x 60", "(? is not understood here"},
	{"static-expires-path-info = \\d+ 60", "write [0-9]"},
	{"static-gzip = (a)\\1", "\\1 is not understood here"},
	{"static-gzip = a\\", "ends with a backslash"},
	{"fastcgi-socket = :9", "uwsgi_pass"},
	{"strict = true\nharakari = 5",
	 "blog.ini:4: harakari: unknown option, did you mean harakiri?"},
	{"harakari = 5\nstrict = true", "blog.ini:3: harakari: unknown option"},
};

static void every_refusal_says_where_and_why(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct built b = build_with(refused[i].lines);

		if (b.r >= 0 || !strstr(b.err.text, refused[i].says))
			fail_msg("%s\n-> %d %s", refused[i].lines, b.r, b.err.text);
		done(&b);
	}
}

static const struct {
	const char *line, *says;
} noted[] = {
	{"max-requests = 10 workers", "read as 10; what follows"},
	{"threads = true", "\"true\" is no number, read as 1"},
	{"harakiri =", "has no value, it stays at 0"},
	{"buffer-size = 655360", "is read as 65536, the most there is"},
	{"callable = app # the app", "taken for a comment"},
	{"vacuum = false", "cannot be turned off"},
	{"master = false", "cannot be turned off"},
	{"vaccum = true", "means vacuum here; uWSGI ignored this"},
	{"thread = 2", "means threads here; uWSGI ignored this"},
	{"chown = www-data", "means chown-socket here"},
	{"cdir = /x", "unknown option, ignored; did you mean chdir?"},
	{"chmod-sock = 660", "did you mean chmod-socket?"},
	{"harakari = 10", "did you mean harakiri?"},
	{"procesess = 10", "did you mean processes?"},
	{"max_requests = 10", "did you mean max-requests?"},
	{"STATIC_ROOT = /x", "STATIC_ROOT: unknown option, ignored"},
	{"snmp = 1", "known to uWSGI, not supported here, ignored"},
	{"carbon = 1", "known to uWSGI, not supported here, ignored"},
	{"cheaper = 2", "is not less than processes"},
	{"cheaper-algo = spare", "processes come when requests wait"},
	{"refork = 1000\nthreads = 2", "works with one thread"},
	{"idle = 60\nlazy-apps = true", "waits for an import"},
	{"file-serve-mode = nginx", "the front itself sends files"},
	{"sendfile-root = p=/x", "is read as /p"},
	{"attach-daemon2 = cmd=celery,reloadsignal=1", "starts its daemons anew"},
	{"attach-daemon2 = cmd=celery,uid=33", "it runs as the app's user"},
	{"sleep-after = 60\nattach-daemon = celery", "does not sleep"},
	{"hook-pre-app = exec:x", "hooks are not run here"},
	{"plugin = stupid", "stupid is not known here"},
	{"pythonpath = /a:/b", "several directories"},
	{"env = A = B", "blanks around ="},
	{"static-map = s=/x", "is read as /s"},
	{"daemonize = true", "takes a file"},
	{"print = hello", "hello"},
	{"wsgi-file = x.py", "stands beside module"},
	{"env = PATH=$(NONE)", "NONE is not set"},
};

/* clang-format off */
static const struct {
	const char *line, *name, *command;
	enum task_kind kind;
	bool control, detaches, unique;
	unsigned attempts, harakiri_s;
	int stop_signal;
} tasks[] = {
	{"attach-daemon = celery -A x worker", "celery", "celery -A x worker", TASK_DAEMON, .stop_signal = 15},
	{"attach-daemon = cd /srv/x && exec A=b /venv/bin/python -m rq.cli worker", "rq.cli",
	 "cd /srv/x && exec A=b /venv/bin/python -m rq.cli worker", TASK_DAEMON, .stop_signal = 15},
	{"attach-daemon = python3 manage.py qcluster", "qcluster", "python3 manage.py qcluster", TASK_DAEMON, .stop_signal = 15},
	{"attach-daemon = python3", "python3", "python3", TASK_DAEMON, .stop_signal = 15},
	{"attach-daemon = $(cat x); y#1", "__cat", "$(cat x); y#1", TASK_DAEMON, .stop_signal = 15},
	{"attach-daemon2 = cmd=a.sh 1,2 b=c,pidfile=/tmp/p,freq=3,control=1,stopsignal=SIGINT", "a.sh", "a.sh 1,2 b=c",
	 TASK_DAEMON, .control = true, .detaches = true, .attempts = 3, .stop_signal = 2},
	{"attach-daemon2 = name=n_1, stop_signal=3 ,cmd = x", "n_1", "x", TASK_DAEMON, .stop_signal = 3},
	{"smart-attach-daemon = /tmp/p redis-server --daemonize yes", "redis-server", "redis-server --daemonize yes",
	 TASK_DAEMON, .detaches = true, .stop_signal = 15},
	{"cron = 59 3 -1 -1 -1 backup.sh /a", "backup.sh", "backup.sh /a", TASK_CRON, .stop_signal = 15},
	{"cron = */5  * * * *  a", "a", "a", TASK_CRON, .stop_signal = 15},
	{"unique-cron = 59 3 -1 -1 -1 a", "a", "a", TASK_CRON, .unique = true, .stop_signal = 15},
	{"cron2 = minute=-5,hour=3,unique=1,harakiri=60 a b=c,d", "a", "a b=c,d", TASK_CRON, .unique = true,
	 .harakiri_s = 60, .stop_signal = 15},
	{"cron2 = a b", "a", "a b", TASK_CRON, .stop_signal = 15},
	{"cron2 = A=b c", "c", "A=b c", TASK_CRON, .stop_signal = 15},
	{"cron = -1 -1 -1 -1 -1 a\ncron-harakiri = 2m", "a", "a", TASK_CRON, .harakiri_s = 120, .stop_signal = 15},
	{"cron-harakiri = 2m\ncron2 = harakiri=0 a", "a", "a", TASK_CRON, .stop_signal = 15},
};
/* clang-format on */

static void each_program_beside_the_app_is_what_its_line_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tasks); i++) {
		struct built b = build_with(tasks[i].line);
		const struct task_config *t = b.c.tasks;

		if (b.r < 0)
			fail_msg("%s\n-> %s", tasks[i].line, b.err.text);
		assert_int_equal(b.c.tasks_n, 1);
		assert_string_equal(t->name, tasks[i].name);
		assert_string_equal(t->command, tasks[i].command);
		assert_int_equal(t->kind, tasks[i].kind);
		assert_int_equal(t->control, tasks[i].control);
		assert_int_equal(t->detaches, tasks[i].detaches);
		assert_int_equal(t->unique, tasks[i].unique);
		assert_int_equal(t->attempts, tasks[i].attempts);
		assert_int_equal(t->harakiri_s, tasks[i].harakiri_s);
		assert_int_equal(t->stop_signal, tasks[i].stop_signal);
		done(&b);
	}
}

static void no_two_programs_have_one_name_and_files_are_taken_from_chdir(void **state)
{
	struct built b =
		build_with("chdir = /srv/x\nattach-daemon = celery a\nattach-daemon = celery b\n"
			   "attach-daemon2 = cmd=celery c,chdir=sub,touch=t;/u;;v\n"
			   "cron = 0 0 1 1 0 celery");
	static const char *const names[] = {"celery", "celery-2", "celery-3", "celery-4"};

	(void)state;
	assert_good(&b);
	assert_int_equal(b.c.tasks_n, ARRAY_SIZE(names));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_string_equal(b.c.tasks[i].name, names[i]);
	assert_string_equal(b.c.tasks[2].chdir, "/srv/x/sub");
	assert_int_equal(b.c.tasks[2].touch.n, 3);
	assert_string_equal(b.c.tasks[2].touch.v[0], "/srv/x/t");
	assert_string_equal(b.c.tasks[2].touch.v[1], "/u");
	assert_string_equal(b.c.tasks[2].touch.v[2], "/srv/x/v");
	done(&b);
}

static void more_programs_than_rows_are_refused(void **state)
{
	char text[LIMIT_TASKS * 32 + 64] = "";
	struct built b;

	(void)state;
	for (unsigned i = 0; i <= LIMIT_TASKS; i++)
		(void)strcat(text, "attach-daemon = a\n");
	b = build_with(text);
	assert_int_equal(b.r, -E2BIG);
	done(&b);
}

static void every_oddity_is_noted_where_it_stands(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(noted); i++) {
		struct built b = build_with(noted[i].line);

		assert_good(&b);
		if (!has_note(&b, 3, noted[i].says))
			fail_msg("%s\n-> %s", noted[i].line,
				 b.notes.n ? b.notes.v[0].text : "no note");
		done(&b);
	}
}

static void what_the_default_does_is_not_worth_a_word(void **state)
{
	struct built b = build_with(
		"master\nenable-threads = true\nsingle-interpreter = true\nneed-app\nvacuum = 1\n"
		"die-on-term = true\nthunder-lock = true\nplugins = python3,http\n"
		"plugin = /usr/lib/uwsgi/python311_plugin.so\nharakiri-verbose = true\nno-orphans\n"
		"disable-write-exception = true\nignore-sigpipe = true\nmemory-report = false\n"
		"hook-master-start = unix_signal:15 gracefully_kill_them_all\nlazy = true\n"
		"auto-procname = true\nhttp-timeout = 600\npost-buffering = true\nhttp-keepalive = "
		"1\n"
		"base = /srv\nchdir = %(base)/x");

	(void)state;
	assert_good(&b);
	for (size_t i = 0; i < b.notes.n; i++)
		if (!strstr(b.notes.v[i].text, "is no number, read as 64k"))
			fail_msg("%u: %s", b.notes.v[i].line, b.notes.v[i].text);
	assert_int_equal(b.c.keepalive_s, 75);
	assert_int_equal(b.c.post_buffering, 65536);
	assert_true(b.c.lazy_apps);
	assert_string_equal(b.c.chdir, "/srv/x");
	done(&b);
}

static void the_last_of_two_counts_and_is_said(void **state)
{
	struct built b = build_with("processes = 10\nworkers = 8\nthreads = 2\nthreads = 2");

	(void)state;
	assert_good(&b);
	assert_int_equal(b.c.processes, 8);
	assert_int_equal(b.notes.n, 1);
	assert_true(has_note(&b, 4, "was \"10\" in line 3; the last one counts"));
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

static void an_ini_without_an_app_is_refused(void **state)
{
	struct built b = build("[uwsgi]\nhttp = :80\n");

	(void)state;
	assert_int_equal(b.r, -EINVAL);
	assert_string_equal(b.err.text,
			    "blog.ini: neither module nor wsgi-file: there is no app to run");
	done(&b);
}

static void every_table_of_fixed_size_has_an_end(void **state)
{
	char lines[8192];
	size_t n = 0;
	struct built b;

	(void)state;
	for (int i = 0; i <= LIMIT_LISTENERS; i++)
		n += (size_t)snprintf(lines + n, sizeof(lines) - n, "http = :%d\n", 7000 + i);
	b = build_with(lines);
	assert_int_equal(b.r, -E2BIG);
	done(&b);
	n = 0;
	for (int i = 0; i <= LIMIT_DOMAINS; i++)
		n += (size_t)snprintf(lines + n, sizeof(lines) - n, "domain = d%d.example\n", i);
	b = build_with(lines);
	assert_int_equal(b.r, -E2BIG);
	done(&b);
}

/* What vassal_config_check finds in these lines, as "line: text\n" each. */
static char *errors_of(const char *text)
{
	const struct inifile_facts facts = {
		.path = "/etc/v/blog.ini", .cpus = 4, .allow_files = true};
	struct config_items items = {0};
	struct inifile_notes notes = {0}, errors = {0};
	struct vassal_config c;
	char *said = NULL;
	size_t n;
	FILE *f = open_memstream(&said, &n);
	int r;

	assert_non_null(f);
	assert_int_equal(inifile_parse(text, strlen(text), &facts, &items, &notes, NULL), 0);
	r = vassal_config_check(&items, &c, &notes, &errors);
	assert_int_equal(r<0, errors.n> 0);
	for (size_t i = 0; i < errors.n; i++) {
		assert_string_equal(errors.v[i].file, "blog.ini");
		(void)fprintf(f, "%u: %s\n", errors.v[i].line, errors.v[i].text);
	}
	(void)fclose(f);
	vassal_config_done(&c);
	config_items_done(&items);
	inifile_notes_done(&notes);
	inifile_notes_done(&errors);
	return said;
}

static void a_check_finds_every_error_and_each_once(void **state)
{
	static const struct {
		const char *text, *errors;
	} cases[] = {
		{"[vassal]\nmodule = m\n", ""},
		{"[vassal]\nharakiri = 5x\nprocesses = many\nmodule = m\nthreads = two\n",
		 "2: harakiri: \"5x\" is not a number of seconds\n"
		 "3: processes: \"many\" is not a number\n5: threads: \"two\" is not a number\n"},
		{"[vassal]\nharakiri = 5x\n",
		 "2: harakiri: \"5x\" is not a number of seconds\n"
		 "0: neither module nor wsgi-file: there is no app to run\n"},
		/* that line is wrong; it is not missing */
		{"[vassal]\nmodule = $(NOT_SET_ANYWHERE)\n",
		 "2: module: the environment variable NOT_SET_ANYWHERE is not set\n"},
		{"[vassal]\nstrict = true\nmodule = m\nzq-zq-zq = 1\nqz-qz-qz = 2\n",
		 "4: zq-zq-zq: unknown option\n5: qz-qz-qz: unknown option\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *said = errors_of(cases[i].text);

		assert_string_equal(said, cases[i].errors);
		free(said);
	}
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
		cmocka_unit_test(relative_paths_start_at_chdir),
		cmocka_unit_test(every_refusal_says_where_and_why),
		cmocka_unit_test(each_program_beside_the_app_is_what_its_line_says),
		cmocka_unit_test(no_two_programs_have_one_name_and_files_are_taken_from_chdir),
		cmocka_unit_test(more_programs_than_rows_are_refused),
		cmocka_unit_test(every_oddity_is_noted_where_it_stands),
		cmocka_unit_test(what_the_default_does_is_not_worth_a_word),
		cmocka_unit_test(the_last_of_two_counts_and_is_said),
		cmocka_unit_test(numbers_take_units),
		cmocka_unit_test(time_to_finish_is_known_by_both_of_its_names),
		cmocka_unit_test(keepalive_is_a_switch_and_a_number),
		cmocka_unit_test(lists_keep_their_order),
		cmocka_unit_test(an_ini_without_an_app_is_refused),
		cmocka_unit_test(every_table_of_fixed_size_has_an_end),
		cmocka_unit_test(a_check_finds_every_error_and_each_once),
		cmocka_unit_test(an_option_is_found_under_every_name),
		cmocka_unit_test(names_of_uwsgi_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
