/*
 * vassal_options - the option table of a vassal, the only source of its names, types, ranges, defaults and texts. To add
 * an option: a field in struct vassal_config, a row here; help, manual, example ini and fuzz dictionary follow.
 */
#include "shared/vassal_parse.h"

#define ROW_FIELD(ctype, field) OPTION_FIELD(struct vassal_config, ctype, field)

/* clang-format off */
#define NUMBER(name, aliases, type, ctype, field, def, min, max, unit, text, example, flags) \
	{name, aliases, type, ROW_FIELD(ctype, field), def, min, max, unit, RELOAD_GENERATION, SECTION, \
	 text, example, NULL, flags}
#define LIVE_NUMBER(name, aliases, type, ctype, field, def, min, max, unit, text, example, flags) \
	{name, aliases, type, ROW_FIELD(ctype, field), def, min, max, unit, RELOAD_LIVE, SECTION, \
	 text, example, NULL, flags}
#define STRING(name, aliases, type, ctype, field, def, unit, text, example, flags) \
	{name, aliases, type, ROW_FIELD(ctype, field), def, 0, 0, unit, RELOAD_GENERATION, SECTION, \
	 text, example, NULL, flags}
#define SWITCH(name, aliases, field, def, text, example) \
	{name, aliases, OPTION_BOOL, ROW_FIELD(bool, field), def, 0, 0, NULL, RELOAD_GENERATION, SECTION, \
	 text, example, NULL, 0}
#define LIVE_SWITCH(name, aliases, field, def, text, example) \
	{name, aliases, OPTION_BOOL, ROW_FIELD(bool, field), def, 0, 0, NULL, RELOAD_LIVE, SECTION, \
	 text, example, NULL, 0}
#define CUSTOM(name, aliases, parse, def, min, max, unit, text, example, flags) \
	{name, aliases, OPTION_CUSTOM, 0, def, min, max, unit, RELOAD_GENERATION, SECTION, \
	 text, example, parse, flags}
#define LIVE_CUSTOM(name, aliases, parse, def, min, max, unit, text, example, flags) \
	{name, aliases, OPTION_CUSTOM, 0, def, min, max, unit, RELOAD_LIVE, SECTION, \
	 text, example, parse, flags}

const struct option vassal_options[] = {
#undef SECTION
#define SECTION "Where it answers"
	CUSTOM("domain", NULL, vassal_parse_domain, NULL, 0, 0, "host",
	       "Names on the shared ports, HOST or HOST/PATH, separated by commas; *.b.example "
	       "takes every name below b.example", "all-options.localhost",
	       OPTION_CLEAN | OPTION_MANY | OPTION_ACTIVE),
	SWITCH("default", NULL, default_site, "false", "Takes what no other app claims on the "
	       "shared ports", "false"),
	CUSTOM("http", "http-socket http11-socket", vassal_parse_http, NULL, 0, 0, "address",
	       "An address of its own that speaks HTTP: PORT, HOST:PORT, [IPV6]:PORT, "
	       "/path/of.sock, @abstract", "127.0.0.1:9001", OPTION_CLEAN | OPTION_MANY),
	CUSTOM("socket", NULL, vassal_parse_socket, NULL, 0, 0, "address",
	       "An address of its own that speaks what protocol says; if nothing, the first bytes of "
	       "each connection say it: uwsgi, HTTP, FastCGI or SCGI",
	       "/run/blog.sock", OPTION_CLEAN | OPTION_MANY),
	CUSTOM("uwsgi-socket", NULL, vassal_parse_uwsgi_socket, NULL, 0, 0, "address",
	       "An address of its own that speaks the uwsgi protocol", "127.0.0.1:9091",
	       OPTION_CLEAN | OPTION_MANY),
	CUSTOM("fastcgi-socket", NULL, vassal_parse_fastcgi_socket, NULL, 0, 0, "address",
	       "An address of its own that speaks FastCGI", "127.0.0.1:9092",
	       OPTION_CLEAN | OPTION_MANY),
	CUSTOM("scgi-socket", NULL, vassal_parse_scgi_socket, NULL, 0, 0, "address",
	       "An address of its own that speaks SCGI", "127.0.0.1:9093",
	       OPTION_CLEAN | OPTION_MANY),
	CUSTOM("protocol", "socket-protocol", vassal_parse_protocol, NULL, 0, 0, "name",
	       "What the socket lines after this one speak: uwsgi, http, fastcgi, scgi, or auto for "
	       "what their first bytes say", "uwsgi",
	       OPTION_CLEAN | OPTION_MANY),
	NUMBER("listen", NULL, OPTION_UINT, unsigned, listen, "0", 0, 1048576, "connections",
	       "Connections that may wait on its own addresses; 0 is what the system allows, "
	       "and more than that is cut to it", "1024", 0),
	CUSTOM("chmod-socket", "chmod", vassal_parse_chmod, "666", 0, 0, "mode",
	       "Mode of its UNIX sockets, 3 or 4 octal digits", "660", OPTION_CLEAN),
	STRING("chown-socket", "!chown", OPTION_STRING, char *, chown_socket, NULL, "user:group",
	       "Owner of its UNIX sockets", "www-data:www-data", OPTION_CLEAN),

#undef SECTION
#define SECTION "Files"
	CUSTOM("static-map", NULL, vassal_parse_static_map, NULL, 0, 0, "/url=/directory",
	       "A path that is served from a directory, or one file, without Python; what is not "
	       "there is the app's to answer", "/static=/srv/blog/static",
	       OPTION_CLEAN | OPTION_MANY),
	CUSTOM("static-map2", NULL, vassal_parse_static_map2, NULL, 0, 0, "/url=/directory",
	       "The same, but the whole path of the URL is looked for below the directory",
	       "/media=/srv/blog", OPTION_CLEAN | OPTION_MANY),
	CUSTOM("check-static", "static-check", vassal_parse_check_static, NULL, 0, 0, "directory",
	       "A directory in which every path is looked for before the app is asked",
	       "/srv/blog/public", OPTION_CLEAN | OPTION_MANY),
	STRING("static-index", NULL, OPTION_LIST, struct option_list, static_index, NULL, "name",
	       "The file that stands for a directory; directories are never listed",
	       "index.html", OPTION_CLEAN),
	STRING("static-safe", NULL, OPTION_LIST, struct option_list, static_safe, NULL, "directory",
	       "A directory that links in served directories may lead to; to others they may not",
	       "/srv/shared/media", OPTION_CLEAN),
	CUSTOM("static-skip-ext", NULL, vassal_parse_static_skip_ext, NULL, 0, 0, "ending",
	       "Files that end so are left to the app", ".php", OPTION_CLEAN | OPTION_MANY),
	STRING("mimefile", "mime-file", OPTION_LIST, struct option_list, mimefiles, NULL, "file",
	       "A file of types and their endings, before the built-in ones; without it "
	       "/etc/mime.types comes after those", "/srv/blog/mime.types", OPTION_CLEAN),
	CUSTOM("static-expires", NULL, vassal_parse_expires, NULL, 0, 0, "pattern seconds",
	       "How long files may be kept whose path on disk fits a regular "
	       "expression",
	       "/css/.* 86400", OPTION_MANY),
	CUSTOM("static-expires-mtime", NULL, vassal_parse_expires, NULL, 0, 0, "pattern seconds",
	       "The same, counted from the file's last change",
	       "/css/.* 86400", OPTION_MANY),
	CUSTOM("static-expires-type", NULL, vassal_parse_expires, NULL, 0, 0, "type=seconds",
	       "The same by the file's type",
	       "image/png=604800", OPTION_MANY),
	CUSTOM("static-expires-type-mtime", NULL, vassal_parse_expires, NULL, 0, 0, "type=seconds",
	       "The same by the file's type, from its last change",
	       "image/png=604800", OPTION_MANY),
	CUSTOM("static-expires-uri", NULL, vassal_parse_expires, NULL, 0, 0, "pattern seconds",
	       "The same by the URL as it was asked for, with its query",
	       "[?]v=[0-9]+ 31536000", OPTION_MANY),
	CUSTOM("static-expires-uri-mtime", NULL, vassal_parse_expires, NULL, 0, 0, "pattern seconds",
	       "The same by the URL, from the file's last change",
	       "[?]v=[0-9]+ 31536000", OPTION_MANY),
	CUSTOM("static-expires-path-info", NULL, vassal_parse_expires, NULL, 0, 0, "pattern seconds",
	       "The same by the URL's decoded path",
	       "^/static/ 3600", OPTION_MANY),
	CUSTOM("static-expires-path-info-mtime", NULL, vassal_parse_expires, NULL, 0, 0, "pattern seconds",
	       "The same by the URL's decoded path, from the file's last change",
	       "^/static/ 3600", OPTION_MANY),
	SWITCH("static-gzip-all", NULL, static_gzip_all, "false",
	       "Where FILE.br, FILE.zst or FILE.gz stands beside a file and is not older, who "
	       "accepts that coding gets it", "true"),
	CUSTOM("static-gzip", NULL, vassal_parse_static_gzip, NULL, 0, 0, "pattern",
	       "The same for files whose path on disk fits a regular expression",
	       "[.](css|js)$", OPTION_MANY),
	STRING("static-gzip-dir", "static-gzip-prefix", OPTION_LIST, struct option_list,
	       static_gzip_dir, NULL, "prefix", "The same for files whose path on disk begins so",
	       "/srv/blog/static/dist", OPTION_CLEAN),
	STRING("static-gzip-ext", "static-gzip-suffix", OPTION_LIST, struct option_list,
	       static_gzip_ext, NULL, "ending", "The same for files that end so", ".js",
	       OPTION_CLEAN),
	CUSTOM("sendfile-root", NULL, vassal_parse_sendfile_root, NULL, 0, 0,
	       "directory or /url=/directory",
	       "Where files lie that the app hands over by X-Sendfile (a path) or "
	       "X-Accel-Redirect (a path, or a URL below /url)", "/protected=/srv/blog/private",
	       OPTION_CLEAN | OPTION_MANY),
	CUSTOM("add-header", NULL, vassal_parse_add_header, NULL, 0, 0, "Name: value",
	       "A field that is added to every answer", "X-Frame-Options: DENY", OPTION_MANY),
	CUSTOM("error-page-403", NULL, vassal_parse_error_page, NULL, 0, 0, "file",
	       "The page for answers with status 403 that are not the app's own; of several the first "
	       "that can be read at the start", "/srv/blog/403.html",
	       OPTION_CLEAN | OPTION_MANY),
	CUSTOM("error-page-404", NULL, vassal_parse_error_page, NULL, 0, 0, "file",
	       "The same for 404", "/srv/blog/404.html",
	       OPTION_CLEAN | OPTION_MANY),
	CUSTOM("error-page-500", NULL, vassal_parse_error_page, NULL, 0, 0, "file",
	       "The same for 500", "/srv/blog/500.html",
	       OPTION_CLEAN | OPTION_MANY),
	CUSTOM("error-page-502", NULL, vassal_parse_error_page, NULL, 0, 0, "file",
	       "The same for 502", "/srv/blog/502.html",
	       OPTION_CLEAN | OPTION_MANY),
	CUSTOM("error-page-503", NULL, vassal_parse_error_page, NULL, 0, 0, "file",
	       "The same for 503, of its front's alone: while the app is down the gate answers",
	       "/srv/blog/503.html",
	       OPTION_CLEAN | OPTION_MANY),
	CUSTOM("error-page-504", NULL, vassal_parse_error_page, NULL, 0, 0, "file",
	       "The same for 504", "/srv/blog/504.html",
	       OPTION_CLEAN | OPTION_MANY),

#undef SECTION
#define SECTION "Routes"
#define ROUTE(name, text, example) \
	CUSTOM(name, NULL, vassal_parse_route, NULL, 0, 0, "rule", text, example, OPTION_MANY)
	ROUTE("route", "A rule for paths, REGEX ACTION, tried in order before anything else answers: "
	      "redirect:, redirect-permanent:, break:, last:, donotlog:, addheader:, setscheme:, "
	      "basicauth:, static:", "^/old/(.*) redirect-permanent:/new/$1"),
	ROUTE("route-uri", "The same for the path and query as they were sent", "^/health donotlog:"),
	ROUTE("route-host", "The same for the host", "^www\\.(.*) redirect:https://$1${REQUEST_URI}"),
	ROUTE("route-qs", "The same for the query", "debug=1 break:403"),
	ROUTE("route-remote-addr", "The same for the client's address", "^10\\. last:"),
	ROUTE("route-user-agent", "The same for the field User-Agent", "(?i)badbot break:403"),
	ROUTE("route-referer", "The same for the field Referer", "spam\\.example break:403"),
	ROUTE("route-run", "A rule for every request", "addheader:X-Frame-Options: DENY"),
	ROUTE("route-if", "A rule for requests of which a test is true: equal, startswith, endswith, "
	      "contains, regexp, empty", "equal:${HTTP_X_FORWARDED_PROTO};http "
	      "redirect-permanent:https://${HTTP_HOST}${REQUEST_URI}"),
	ROUTE("route-if-not", "The same for those of which it is not", "startswith:${PATH_INFO};/admin last:"),
#undef ROUTE

#undef SECTION
#define SECTION "The app"
	STRING("module", "wsgi", OPTION_STRING, char *, module, NULL, "name",
	       "The module to import, as pkg.mod, pkg.mod:object or pkg.mod:factory()",
	       "wsgiref.simple_server:demo_app", OPTION_CLEAN | OPTION_ACTIVE),
	STRING("wsgi-file", "file", OPTION_STRING, char *, wsgi_file, NULL, "file",
	       "The file to run instead of a module", "app.py", OPTION_CLEAN),
	STRING("callable", NULL, OPTION_STRING, char *, callable, NULL, "name",
	       "Name of the object to call: application, else app, if nothing is said",
	       "application", OPTION_CLEAN),
	CUSTOM("mount", NULL, vassal_parse_mount, NULL, 0, 0, "/path=app",
	       "Another app in the same processes, for what is below a path: a module, as module "
	       "takes it, or a file that ends in .py", "/demo=wsgiref.simple_server:demo_app",
	       OPTION_CLEAN | OPTION_MANY),
	SWITCH("no-default-app", NULL, no_default_app, "false",
	       "Where there are mounts alone, what none of them claims is answered 404, and not by "
	       "the first of them", "true"),
	STRING("chdir", NULL, OPTION_STRING, char *, chdir, NULL, "directory",
	       "Directory to change to before the app is imported; other relative paths are "
	       "taken from it", "/srv/blog", OPTION_CLEAN),
	STRING("home", "virtualenv venv pyhome", OPTION_STRING, char *, home, NULL, "directory",
	       "The virtual environment", "/srv/blog/venv", OPTION_CLEAN),
	CUSTOM("python", "python-version", vassal_parse_python, NULL, 0, 0, "version",
	       "The Python to run it with, where there are several and no virtual environment "
	       "says so", "3.11", OPTION_CLEAN),
	CUSTOM("pythonpath", "python-path pp", vassal_parse_pythonpath, NULL, 0, 0, "directory",
	       "A directory to look for modules in, before all others", "/srv/blog/lib",
	       OPTION_CLEAN | OPTION_MANY),
	CUSTOM("env", "ienv", vassal_parse_env, NULL, 0, 0, "NAME=value",
	       "An environment variable of the app", "DJANGO_SETTINGS_MODULE=mysite.settings",
	       OPTION_MANY),
	CUSTOM("warmup", NULL, vassal_parse_warmup, NULL, 0, 0, "/path",
	       "A page that is asked for once before workers are forked, so that they share "
	       "what it loads", "/login", OPTION_CLEAN | OPTION_MANY),
	CUSTOM("plugin", "plugins need-plugin need-plugins", vassal_parse_plugins, NULL, 0, 0,
	       "names",
	       "A plugin of uWSGI: those for Python and HTTP are built in, those for other "
	       "languages are refused", NULL, OPTION_CLEAN | OPTION_MANY),

#undef SECTION
#define SECTION "Processes"
	LIVE_CUSTOM("processes", "workers !process", vassal_parse_processes, "1", 1, 100, "number",
	       "Processes that run the app, at most 100 and, with a quarter more for replacements, "
	       "512 threads in all; auto is one per CPU", "4", OPTION_CLEAN),
	NUMBER("threads", "!thread", OPTION_UINT, unsigned, threads, "1", 1, LIMIT_THREADS, NULL,
	       "Threads of each process, at most 64; with 1 the app runs on the main thread", "2", OPTION_ON),
	SWITCH("lazy-apps", "lazy", lazy_apps, "false", "Imports the app in each process, "
	       "instead of once before they are forked", "false"),
	LIVE_NUMBER("max-requests", NULL, OPTION_U64, uint64_t, max_requests, "0", 0, 0, "requests",
	       "Replaces a process after so many requests, its successor first; 0 is never",
	       "1000", 0),
	LIVE_CUSTOM("max-requests-delta", NULL, vassal_parse_delta, "auto", 0, 0, "requests",
	       "Width of the jitter of max-requests, so that processes are not replaced "
	       "together; auto is a tenth", "100", OPTION_CLEAN),
	LIVE_NUMBER("max-worker-lifetime", NULL, OPTION_SECONDS, unsigned, max_lifetime_s, "0", 0,
	     31536000, NULL,
	     "Replaces a process that is older, its successor first; 0 is never", "1h", 0),
	LIVE_CUSTOM("max-worker-lifetime-delta", NULL, vassal_parse_lifetime_delta, "auto", 0,
	       31536000, "seconds",
	       "Width of the jitter of max-worker-lifetime; auto is a tenth", "60", OPTION_CLEAN),
	LIVE_NUMBER("min-worker-lifetime", NULL, OPTION_SECONDS, unsigned, min_lifetime_s, "0", 0,
	     31536000, NULL,
	     "No process is replaced for its requests or memory before it is so old", "60", 0),
	LIVE_NUMBER("reload-on-rss", NULL, OPTION_MBYTES, uint64_t, reload_on_rss_bytes, "0", 0, 0,
	     NULL,
	     "Replaces a process that holds more memory than this, in three looks one after "
	     "another; 0 is never", "300M", 0),
	LIVE_NUMBER("reload-on-pss", NULL, OPTION_MBYTES, uint64_t, reload_on_pss_bytes, "0", 0, 0,
	     NULL,
	     "The same for memory of which shared pages count in part; looked at in turn, one "
	     "process a second", "200M", 0),
	LIVE_NUMBER("reload-on-uss", NULL, OPTION_MBYTES, uint64_t, reload_on_uss_bytes, "0", 0, 0,
	     NULL,
	     "The same for memory that nobody shares; looked at in turn, one process a second",
	     "150M", 0),
	LIVE_NUMBER("reload-on-as", NULL, OPTION_MBYTES, uint64_t, reload_on_as_bytes, "0", 0, 0, NULL,
	     "The same for address space, which says little of memory", "4G", 0),
	LIVE_NUMBER("evil-reload-on-rss", NULL, OPTION_MBYTES, uint64_t, evil_reload_on_rss_bytes, "0",
	     0, 0, NULL,
	     "As reload-on-rss, but a process that is over it in one request that does not end "
	     "is killed, and the request answered 502; 0 is never", "1G", 0),
	LIVE_NUMBER("evil-reload-on-as", NULL, OPTION_MBYTES, uint64_t, evil_reload_on_as_bytes, "0", 0,
	     0, NULL,
	     "The same for address space", "8G", 0),
	LIVE_NUMBER("cheaper", NULL, OPTION_UINT, unsigned, cheaper, "0", 0, 100, "processes",
	     "So few processes run while little is to do; more come when requests wait, up to "
	     "processes, and go when idle. 0: all run all the time", "1", 0),
	NUMBER("cheaper-initial", NULL, OPTION_UINT, unsigned, cheaper_initial, "0", 0, 100,
	       "processes",
	       "With cheaper, so many at the start; 0 is as cheaper says", "2", 0),
	LIVE_NUMBER("cheaper-step", NULL, OPTION_UINT, unsigned, cheaper_step, "1", 1, 100, "processes",
	     "With cheaper, so many are added at a time", "2", 0),
	LIVE_NUMBER("idle", NULL, OPTION_SECONDS, unsigned, idle_s, "0", 0, 31536000, NULL,
	     "After so long without a request all processes go; the imported app stays, and "
	     "the next request is answered by a fork of it. 0 is never", "10m", 0),
	NUMBER("refork", NULL, OPTION_UINT, unsigned, refork, "0", 0, 0, "requests",
	       "After so many, a process without further threads and open files becomes the "
	       "parent of all others, so that they share what it has loaded; once in the life "
	       "of a generation, 0 is never", "1000", 0),
	SWITCH("idle-refork", NULL, idle_refork, "true",
	       "Before its first nap (idle) an app makes a process that has answered requests the "
	       "parent of all later ones, on the terms of refork", "false"),
	SWITCH("cheap", NULL, cheap, "false", "Starts without processes, as if idle had passed "
	       "already", "false"),
	LIVE_NUMBER("harakiri", NULL, OPTION_SECONDS, unsigned, harakiri_s, "0", 0, 86400, NULL,
	       "Ends a request that takes longer: its client gets 504, its stacks are logged, "
	       "its process is replaced; 0 is never", "60", 0),
	LIVE_NUMBER("interrupt-timeout", NULL, OPTION_SECONDS, unsigned, interrupt_timeout_s, "0", 0,
	       86400, NULL,
	       "Interrupts a request that takes longer, by emperor.RequestTimeout raised in the "
	       "app: its client gets 504, its process lives on; 0 is never", "30", 0),
	NUMBER("deadlock-timeout", NULL, OPTION_SECONDS, unsigned, deadlock_timeout_s, "0", 0,
	       86400, NULL,
	       "Replaces a process in which C code has held the GIL for so long, so that no other "
	       "thread could run: its clients get 504; 0 is never", "60", 0),
	LIVE_NUMBER("slow-request", NULL, OPTION_SECONDS, unsigned, slow_request_s, "30", 0, 86400,
	       NULL,
	       "Logs the stacks of a request that takes longer; 0 is never", "10", 0),
	LIVE_NUMBER("sleep-after", NULL, OPTION_SECONDS, unsigned, sleep_after_s, "0", 0, 31536000, NULL,
	       "An app without a request for so long goes away, all of its processes; the next "
	       "connection waits at its door and wakes it; 0 is never", "1800", 0),
	SWITCH("on-demand", NULL, on_demand, "false", "Starts with the app's first connection "
	       "instead of with its ini", "true"),
	SWITCH("die-on-idle", NULL, die_on_idle, "false", "With idle: the whole app goes to sleep "
	       "after that time, as sleep-after says", "false"),
	CUSTOM("health-check", NULL, vassal_parse_health_check, NULL, 0, 0, "/path",
	       "A page that each process of a new generation must answer as health-check-status "
	       "says before the generation serves; if one does not, the old generation stays",
	       "/health", OPTION_CLEAN),
	NUMBER("health-check-status", NULL, OPTION_UINT, unsigned, health_check_status, "200", 100,
	       599, "status", "What health-check is answered with by a healthy app", "204", 0),
	LIVE_NUMBER("probation", NULL, OPTION_SECONDS, unsigned, probation_s, "30", 0, 86400, NULL,
	       "If so soon after a reload clearly more requests fail than before it, what ran "
	       "before comes back; 0 is never", "60", 0),
	STRING("touch-reload", "touch-chain-reload touch-workers-reload", OPTION_LIST,
	       struct option_list, touch_reload, NULL, "file",
	       "A file whose change or touch asks for a new generation", "reload.txt", OPTION_CLEAN),
	STRING("fs-reload", NULL, OPTION_LIST, struct option_list, fs_reload, NULL, "path",
	       "A file, or a directory with all files below it: when it has changed and is quiet "
	       "for a second, a new generation is asked for", "/srv/blog/current", OPTION_CLEAN),
	NUMBER("py-autoreload", "py-auto-reload python-autoreload python-auto-reload",
	       OPTION_SECONDS, unsigned, py_autoreload_s, "0", 0, 3600, NULL,
	       "Looks so often whether a file that one of the app's modules came from has changed, "
	       "and asks for a new generation; 0 is never, and right for production", "2", 0),
	LIVE_NUMBER("startup-timeout", NULL, OPTION_SECONDS, unsigned, startup_timeout_s, "120", 1,
	       86400, NULL,
	       "Gives a new generation up that is not ready by then", "60", 0),
	LIVE_NUMBER("reload-mercy", "graceful-timeout", OPTION_SECONDS, unsigned, graceful_timeout_s, "60", 1,
	       86400, NULL,
	       "Time that requests in hand have to finish when a generation ends", "30", 0),
	LIVE_NUMBER("worker-reload-mercy", NULL, OPTION_SECONDS, unsigned, worker_mercy_s, "60", 1,
	       86400, NULL,
	       "Time that a process which is replaced has to finish", "30", 0),

#undef SECTION
#define SECTION "Beside the app"
	CUSTOM("attach-daemon", NULL, vassal_parse_daemon, NULL, 0, 0, "command",
	       "A program that runs while the app serves, in the foreground, and is started again "
	       "when it ends", "celery -A mysite worker", OPTION_MANY),
	CUSTOM("attach-daemon2", NULL, vassal_parse_daemon2, NULL, 0, 0, "key=value,...",
	       "The same with keys: cmd, name, chdir, stopsignal, freq (given up after so many early "
	       "ends in a row), touch (files, separated by semicolons, whose change starts it anew), "
	       "control (its end ends the generation), pidfile or daemonize (it detaches itself: what "
	       "it leaves is followed)",
	       "cmd=celery -A mysite beat,name=beat,stopsignal=INT,touch=/srv/blog/beat.touch",
	       OPTION_MANY),
	CUSTOM("smart-attach-daemon", "smart-attach-daemon2", vassal_parse_smart_daemon, NULL, 0, 0,
	       "pidfile command", "The same for a program that detaches itself; its pidfile is not "
	       "needed here", "/run/blog/worker.pid /srv/blog/worker --daemon", OPTION_MANY),
	CUSTOM("cron", NULL, vassal_parse_cron, NULL, 0, 0, "minute hour day month weekday command",
	       "Runs a command at these times; -1 is any and -N every N, crontab's signs are "
	       "understood", "30 2 -1 -1 -1 python3 manage.py clearsessions", OPTION_MANY),
	CUSTOM("cron2", NULL, vassal_parse_cron2, NULL, 0, 0, "key=value,... command",
	       "The same with keys: minute, hour, day, month, week, name, unique (never beside "
	       "itself), harakiri (seconds)",
	       "minute=-5,unique=1,harakiri=240 python3 manage.py send_mail", OPTION_MANY),
	CUSTOM("unique-cron", NULL, vassal_parse_unique_cron, NULL, 0, 0,
	       "minute hour day month weekday command",
	       "As cron, but never beside itself", "-1 -1 -1 -1 -1 /srv/blog/poll", OPTION_MANY),
	NUMBER("cron-harakiri", NULL, OPTION_SECONDS, unsigned, cron_harakiri_s, "0", 0, 604800, NULL,
	       "Kills a timed job that runs longer and says nothing else; 0 is never", "1h", 0),

#undef SECTION
#define SECTION "Identity and limits"
	STRING("uid", "immediate-uid", OPTION_STRING, char *, uid, NULL, "user",
	       "The user to run as, name or number", "www-data", OPTION_CLEAN),
	STRING("gid", "immediate-gid", OPTION_STRING, char *, gid, NULL, "group",
	       "The group to run as, name or number; the group of uid if nothing is said",
	       "www-data", OPTION_CLEAN),
	STRING("add-gid", NULL, OPTION_LIST, struct option_list, add_gid, NULL, "group",
	       "One more group", "adm", OPTION_CLEAN),
	CUSTOM("umask", NULL, vassal_parse_umask, NULL, 0, 0, "mode",
	       "Mask of the modes of new files; unchanged if nothing is said", "022",
	       OPTION_CLEAN),
	NUMBER("max-fd", NULL, OPTION_UINT, unsigned, max_fd, "0", 0, 1048576, "descriptors",
	       "Open files of each process, 0 leaves the limit; half as many connections of a front, "
	       "then idle ones are closed for new ones",
	       "4096", 0),
	NUMBER("limit-as", NULL, OPTION_MBYTES, uint64_t, limit_as_bytes, "0", 0, 0, NULL,
	       "Address space of each process; 0 is no limit", "2G", 0),
	LIVE_NUMBER("limit-memory", NULL, OPTION_MBYTES, uint64_t, limit_memory_bytes, "0", 0, 0, NULL,
	       "Memory of all processes of the app together, where the emperor may write to a "
	       "cgroup v2 with the memory controller; 0 is no limit", "1G", 0),
	NUMBER("limit-nproc", NULL, OPTION_UINT, unsigned, limit_nproc, "0", 0, 0, "processes",
	       "Processes of its user; 0 leaves the limit", "200", 0),
	CUSTOM("prio", NULL, vassal_parse_prio, "0", 0, 0, "niceness",
	       "Niceness of the app's processes, -20 to 19; less than it has needs root",
	       "5", OPTION_CLEAN),
	NUMBER("cpu-affinity", NULL, OPTION_UINT, unsigned, cpu_affinity, "0", 0, 1024, "CPUs",
	       "Ties each process to so many CPUs, one after another; 0 leaves them free", "1", 0),
	SWITCH("no-new-privs", NULL, no_new_privs, "true", "Programs that the app starts gain "
	       "no rights (set-uid programs do not work)", "true"),

#undef SECTION
#define SECTION "Requests"
	LIVE_CUSTOM("buffer-size", NULL, vassal_parse_head_bytes, "64k", 1024, 0, "bytes",
	       "Bytes of a request's head, at most 64k; a longer one is answered 431", "32k",
	       OPTION_CLEAN),
	LIVE_NUMBER("limit-uri", NULL, OPTION_UINT, unsigned, limit_uri, "0", 0, LIMIT_HEAD_BYTES,
	       "bytes",
	       "Bytes of a request's target (path and query), a longer one is answered 414; 0 is as "
	       "many as buffer-size", "8192", 0),
	LIVE_NUMBER("limit-headers", NULL, OPTION_UINT, unsigned, limit_headers, "128", 1,
	       LIMIT_HEADERS, "fields",
	       "Fields of a request's head, more are answered 431", "64", 0),
	LIVE_NUMBER("limit-post", NULL, OPTION_U64, uint64_t, limit_post, "0", 0, 0, "bytes",
	       "Bytes of a request's body, a longer one is answered 413; 0 is no limit", "100M",
	       0),
	LIVE_CUSTOM("post-buffering", NULL, vassal_parse_body_bytes, "64k", 0, 0, "bytes",
	       "Bytes of a body that are kept in memory, at most 64k; a longer one is a "
	       "temporary file", "16k", OPTION_CLEAN | OPTION_ON),
	LIVE_CUSTOM("keepalive", "http-keepalive", vassal_parse_keepalive, "75", 0, 86400, "seconds",
	       "Seconds that a connection may wait for its next request; true is the default, "
	       "false closes after each", "30", OPTION_CLEAN),
	LIVE_NUMBER("keepalive-requests", NULL, OPTION_UINT, unsigned, keepalive_requests, "0", 0, 0,
	       "requests",
	       "Requests that a connection may bring, then it is closed behind an answer that says "
	       "so; 0 is no limit", "1000", 0),
	LIVE_NUMBER("header-timeout", "http-headers-timeout", OPTION_SECONDS, unsigned,
	       header_timeout_s, "20", 1, 86400, NULL,
	       "Time for a whole head, from its first byte", "10", 0),
	LIVE_NUMBER("body-timeout", NULL, OPTION_SECONDS, unsigned, body_timeout_s, "30", 1, 86400,
	       NULL,
	       "Silence in the middle of a body", "20", 0),
	LIVE_NUMBER("socket-timeout", "socket-send-timeout socket-write-timeout so-send-timeout "
	       "so-write-timeout", OPTION_SECONDS, unsigned, socket_timeout_s, "30", 1, 86400,
	       NULL,
	       "Silence of a client that is to read its answer", "20", 0),
	LIVE_NUMBER("min-rate", NULL, OPTION_U64, uint64_t, min_rate, "100", 0, 1000000,
	       "bytes per second",
	       "What a client must send of a body, or read of an answer, on average, after the "
	       "first body-timeout or socket-timeout; 0 is no minimum", "500", 0),
	SWITCH("early-hints", NULL, early_hints, "false",
	       "Sends what the app gives to wsgi.early_hints to HTTP/1.1 clients, as 103; not for "
	       "apps behind a proxy that takes 103 for the answer, as nginx before 1.29 does",
	       "true"),
	LIVE_NUMBER("queue-size", NULL, OPTION_UINT, unsigned, queue_size, "256", 1, 1000, "requests",
	       "Requests that may wait for a process; more are answered 503", "100", 0),
	LIVE_NUMBER("queue-timeout", NULL, OPTION_SECONDS, unsigned, queue_timeout_s, "60", 1, 86400,
	       NULL,
	       "A request that waited longer for a process is answered 503", "10", 0),
	CUSTOM("trusted-proxies", "trusted-proxy", vassal_parse_trusted, NULL, 0, 0, "networks",
	       "Proxies that may speak for their clients, beside those of the emperor and whoever comes by a UNIX "
	       "socket: by a PROXY header, by forwarded-header, and by X-Request-Start as the beginning of "
	       "queue-timeout; what others say of that kind is dropped",
	       "127.0.0.1, 10.0.0.0/8", OPTION_CLEAN | OPTION_MANY),
	CUSTOM("forwarded-header", NULL, vassal_parse_forwarded, "auto", 0, 0, "kind",
	       "Where trusted proxies that speak HTTP name their client, its scheme and the Host: x-forwarded is "
	       "X-Forwarded-For, -Proto and -Host, forwarded is Forwarded (RFC 7239), auto the first kind that came",
	       "forwarded", OPTION_CLEAN),
	LIVE_NUMBER("response-buffer", NULL, OPTION_U64, uint64_t, response_buffer, "256k", 4096,
	       1073741824, "bytes",
	       "Bytes of an answer that are kept in memory for a slow client; the rest is a "
	       "temporary file", "1M", 0),

#undef SECTION
#define SECTION "Logs and statistics"
	CUSTOM("logto", "logto2 daemonize daemonize2", vassal_parse_logto, NULL, 0, 0, "file",
	       "The log file; the emperor's log if nothing is said", "/var/log/emperor/blog.log",
	       OPTION_CLEAN),
	LIVE_SWITCH("disable-logging", NULL, disable_logging, "false", "No line per request", "false"),
	CUSTOM("stats", "stats-server", vassal_parse_stats, NULL, 0, 0, "address",
	       "An address that tells statistics as JSON, plain or over HTTP", "127.0.0.1:9191",
	       OPTION_CLEAN),
	STRING("pidfile", "pidfile2 safe-pidfile safe-pidfile2", OPTION_STRING, char *, pidfile,
	       NULL, "file",
	       "A file that holds the pid of the app's first process; where the app may not write, "
	       "root does in a directory that is root's alone and that no symbolic link leads to",
	       "/run/blog.pid",
	       OPTION_CLEAN),
	STRING("procname", "procname-prefix procname-prefix-spaced", OPTION_STRING, char *,
	       procname, NULL, "name",
	       "What its processes are called; the name of the ini if nothing is said", "blog",
	       OPTION_CLEAN),
	CUSTOM("print", NULL, vassal_parse_print, NULL, 0, 0, "text",
	       "A note that emperorctl check shows", NULL, OPTION_MANY),
	SWITCH("strict", NULL, strict, "false", "Unknown options are errors", "true"),

	/* options of uWSGI that set nothing here */
#include "shared/vassal_verdicts.inc"
};
/* clang-format on */

const size_t vassal_options_n = ARRAY_SIZE(vassal_options);
