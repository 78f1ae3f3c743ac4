/*
 * vassal_config: what is refused or worth a word, where it stands and why, and that a check finds all of it.
 */
#include "tests/unit/shared/built.h"

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
	{"protocol = ajp", "\"ajp\" is not spoken here"},
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
	{"mount = /x", "blog.ini:3: mount: \"/x\" is not /path=app"},
	{"mount = x.test/y=z", "an ini of its own, with domain = x.test/y"},
	{"mount = /x=a\nmount = /x/=b", "two apps at /x/"},
	{"route = ^/x uwsgi:/run/x.sock,0,0", "blog.ini:3: route: \"uwsgi\" is not an action"},
	{"route = ^/x", "has a condition and no action"},
	{"route-label = x", "no jumps"},
	{"response-route = ^/x addheader:A: b", "let the proxy or the app"},
	{"gevent = 100", "say threads = N"},
	{"del-header = X", "do it in the app"},
	{"add-header = X", "is not Name: value"},
	{"add-header = X Y: z", "is not Name: value"},
	{"add-header = : z", "is not Name: value"},
	{"add-header = X:", "is not Name: value"},
	{"add-header = Content-Length: 5", "is not the configuration's to say"},
	{"add-header = connection: close",
	 "Connection is not the configuration's to say: keepalive = 0 ends each connection"},
	{"http = \":18191\"", "port \"18191\"\" is not a number; quotes are part of a value here"},
	{"harakiri = '5'", "is not a number of seconds; quotes are part of a value here"},
	{"add-header = transfer-encoding: chunked", "is not the configuration's to say"},
	{"check-static-docroot = true", "name it with check-static"},
	{"static-map2 = /x", "is not /url=/directory"},
	{"sendfile-root = /x=", "names no directory"},
	{"static-expires = 3600", "is not pattern seconds"},
	{"trusted-proxies = 10.0.0.0/33", "trusted-proxies: \"10.0.0.0/33\" is not a network"},
	{"forwarded-header = via", "forwarded-header: \"via\" is none of auto"},
	{"static-expires = /x soon", "is not pattern seconds"},
	{"static-expires = /x -1", "is not pattern seconds"},
	{"static-expires = /x 999999999999", "of at most 315360000 seconds"},
	{"static-expires-type = text/css 60", "is not type=seconds"},
	{"static-expires = ( 60", "is not a regular expression: missing closing parenthesis"},
	{"static-gzip = a\\", "is not a regular expression"},
	{"route = ^/( break:", "\"^/(\" is not a regular expression"},
	{"route-if = regexp:${PATH_INFO};[ break:", "is not a regular expression"},
	{"scgi-nph-socket = :9", "scgi-socket"},
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
	{"vhost = false", "vhost: ignored: it is off"},
	{"gevent = 0", "gevent: ignored: it is off"},
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
	{"die-on-idle = true\nidle = 60\nattach-daemon = celery", "does not sleep"},
	{"on-demand = true\nattach-daemon = celery", "run from its first request on"},
	{"hook-pre-app = exec:x", "hooks are not run here"},
	{"plugin = stupid", "stupid is not known here"},
	{"pythonpath = /a:/b", "several directories"},
	{"env = A = B", "blanks around ="},
	{"static-map = s=/x", "is read as /s"},
	{"daemonize = true", "takes a file"},
	{"print = hello", "hello"},
	{"route-uri = ^/admin basicauth:Place,joe:one", "%61dmin is admin as well"},
	{"route-uri = ^/admin break:403", "%61dmin is admin as well"},
	{"wsgi-file = x.py", "stands beside module"},
	{"env = PATH=$(NONE)", "NONE is not set"},
};

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_refusal_says_where_and_why),
		cmocka_unit_test(every_oddity_is_noted_where_it_stands),
		cmocka_unit_test(what_the_default_does_is_not_worth_a_word),
		cmocka_unit_test(the_last_of_two_counts_and_is_said),
		cmocka_unit_test(an_ini_without_an_app_is_refused),
		cmocka_unit_test(every_table_of_fixed_size_has_an_end),
		cmocka_unit_test(a_check_finds_every_error_and_each_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
