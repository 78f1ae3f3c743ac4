/*
 * stats: the whole role, on a thread, with this test as its emperor: real boards, real sockets, a real database.
 */
#include "emperor/stats/stats.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "emperor/app_state.h"
#include "emperor/role.h"
#include "emperor/stats/db.h"
#include "shared/clock.h"
#include "shared/err.h"
#include "shared/fd.h"

#define WAIT_MS 5000

struct fixture {
	char dir[64], db[96];
	int link;
	bool running;
	pthread_t thread;
	int role_link, result;
	struct scoreboard *blog, *shop;
	unsigned sockets_n;
	struct record_event events[64];
	struct record_minute minutes[8];
	unsigned events_n, minutes_n;
};

static void *run_role(void *arg)
{
	struct fixture *f = arg;

	f->result = stats_run(f->role_link);
	(void)close(f->role_link);
	return NULL;
}

static int start_role(struct fixture *f)
{
	struct role_msg m;
	struct err err;
	int pair[2];
	int fds[2];
	int nfds;

	if (fd_seqpacket_pair(pair, false) < 0)
		return -1;
	f->link = pair[0];
	f->role_link = pair[1];
	if (pthread_create(&f->thread, NULL, run_role, f) != 0)
		return -1;
	f->running = true;
	if (role_recv(f->link, &m, fds, &nfds, &err) != 1)
		return -1;
	return m.kind == ROLE_READY && m.a == ROLE_VERSION ? 0 : -1;
}

static void end_role(struct fixture *f)
{
	if (!f->running)
		return;
	if (f->link >= 0)
		(void)close(f->link);
	f->link = -1;
	(void)pthread_join(f->thread, NULL);
	f->running = false;
}

/* -1: none. The limit is of the whole process, so each test's end takes it back. */
static void set_file_limit(long bytes)
{
	struct rlimit l;

	(void)getrlimit(RLIMIT_FSIZE, &l);
	l.rlim_cur = bytes < 0 ? l.rlim_max : (rlim_t)bytes;
	(void)setrlimit(RLIMIT_FSIZE, &l);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/emperor-stats-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	(void)snprintf(f->db, sizeof(f->db), "%s/h.db", f->dir);
	return start_role(f);
}

static unsigned files(const struct fixture *f, const char *part, bool remove)
{
	DIR *d = opendir(f->dir);
	const struct dirent *e;
	unsigned n = 0;

	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.' || !strstr(e->d_name, part))
			continue;
		n++;
		if (remove)
			(void)unlinkat(dirfd(d), e->d_name, 0);
	}
	(void)closedir(d);
	return n;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	end_role(f);
	set_file_limit(-1);
	board_unmap(f->blog);
	board_unmap(f->shop);
	(void)files(f, "", true);
	(void)rmdir(f->dir);
	free(f);
	return 0;
}

static void say(struct fixture *f, struct role_msg m, const char *text, int fd)
{
	assert_int_equal(role_send(f->link, &m, text, fd >= 0 ? &fd : NULL, fd >= 0 ? 1 : 0), 0);
}

static struct scoreboard *add_app(struct fixture *f, uint32_t id, const char *name)
{
	_cleanup_(fd_closep) int fd = -1;
	struct scoreboard *b = NULL;
	struct err err;

	assert_int_equal(board_create(&fd, &b, name, &err), 0);
	say(f, (struct role_msg){.kind = STATS_APP, .app = id}, name, fd);
	return b;
}

static struct sockaddr_un add_listener(struct fixture *f, const char *app)
{
	_cleanup_(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s/s%u", f->dir, f->sockets_n++);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 128), 0);
	say(f, (struct role_msg){.kind = STATS_LISTENER}, app, fd);
	return a;
}

static int dial(const struct sockaddr_un *a)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)a, sizeof(*a)), 0);
	return fd;
}

/* Everything until end of file, terminated; NULL when it does not come in time. */
static char *read_all(int fd)
{
	size_t room = 4 * 1024 * 1024;
	char *text = malloc(room);
	size_t n = 0;
	struct pollfd p = {.fd = fd, .events = POLLIN};

	for (;;) {
		ssize_t k;

		if (poll(&p, 1, WAIT_MS) != 1)
			break;
		k = read(fd, text + n, room - n - 1);
		if (k <= 0) {
			text[n] = '\0';
			return text;
		}
		n += (size_t)k;
	}
	free(text);
	return NULL;
}

/* Sends text (NULL: nothing at all) and gives back everything that came. */
static char *talk(const struct sockaddr_un *a, const char *text)
{
	_cleanup_(fd_closep) int fd = dial(a);
	char *answer;

	if (text)
		assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	answer = read_all(fd);
	assert_non_null(answer);
	return answer;
}

static json_t *parse(const char *text)
{
	json_error_t e;
	json_t *root = json_loads(text, 0, &e);

	if (!root)
		fail_msg("line %d: %s in %.2000s", e.line, e.text, text);
	return root;
}

static json_t *raw(const struct sockaddr_un *a)
{
	_cleanup_(freep) char *text = talk(a, NULL);

	return parse(text);
}

/* GET path; *ret_status. The body, parsed. */
static json_t *http(const struct sockaddr_un *a, const char *path, int *ret_status)
{
	_cleanup_(freep) char *text = NULL;
	const char *body;
	const char *length;
	char request[512];

	(void)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
	text = talk(a, request);
	assert_int_equal(sscanf(text, "HTTP/1.1 %d ", ret_status), 1);
	assert_non_null(strstr(text, "Content-Type: application/json\r\n"));
	length = strstr(text, "Content-Length: ");
	body = strstr(text, "\r\n\r\n");
	assert_non_null(length);
	assert_non_null(body);
	body += 4;
	assert_int_equal(strtoul(length + strlen("Content-Length: "), NULL, 10), strlen(body));
	return parse(body);
}

static json_int_t number(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_integer(v))
		fail_msg("%s is no integer", key);
	return json_integer_value(v);
}

static const char *text_of(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_string(v))
		fail_msg("%s is no text", key);
	return json_string_value(v);
}

/* No float, no null: Go clients decode into int and string. */
static void assert_plain(const json_t *v)
{
	const char *key;
	json_t *child;
	size_t i;

	assert_false(json_is_real(v) || json_is_null(v) || json_is_boolean(v));
	json_object_foreach((json_t *)(uintptr_t)v, key, child)
		assert_plain(child);
	json_array_foreach(v, i, child)
		assert_plain(child);
}

static void assert_keys(const json_t *o, const char *const *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!json_object_get(o, keys[i]))
			fail_msg("key %s is missing", keys[i]);
}

static void fill_blog(struct fixture *f)
{
	struct board_bank *bank;

	f->blog = add_app(f, 1, "blog");
	say(f,
	    (struct role_msg){.kind = STATS_STATE,
			      .app = 1,
			      .a = APP_RUNNING,
			      .b = 4,
			      .c = (uint64_t)getpid(),
			      .d = 1700000000 * NS_PER_S,
			      .e = 33ULL << 32 | 2},
	    "all is well", -1);
	bank = &f->blog->bank[2];
	bank->generation = 4;
	bank->state = FRONT_SERVING;
	bank->workers = 2;
	bank->threads = 2;
	bank->queue = 3;
	bank->queue_size = 100;
	bank->busy = 1;
	for (unsigned i = 0; i < 2; i++) {
		bank->worker[i].state = i == 0 ? WORKER_BUSY : WORKER_IDLE;
		bank->worker[i].pid = 100 + i;
		board_set(&bank->worker[i].rss, 8000000);
		board_set(&bank->worker[i].requests, 5);
		board_set(&bank->worker[i].respawns, 1);
		board_set(&bank->worker[i].avg_us, 250);
	}
	bank->lane[1].busy = 1;
	board_set(&bank->lane[1].started_ns, clock_now_ns());
	(void)snprintf(bank->lane[1].line, BOARD_LINE, "GET /slow?x=\xff");
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

/* Asks until the answer holds n events. */
static json_t *wait_events(const struct sockaddr_un *a, const char *path, size_t n)
{
	for (unsigned i = 0; i < WAIT_MS / 50; i++) {
		int status = 0;
		json_t *root = http(a, path, &status);

		if (status == 200 && json_array_size(json_object_get(root, "events")) >= n)
			return root;
		json_decref(root);
		(void)poll(NULL, 0, 50);
	}
	fail_msg("%zu events did not come", n);
	return NULL;
}

static void events_of_both_sources_are_stored_and_shown(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un a = add_listener(f, "");
	uint64_t now_ns = clock_wall_ns();
	const json_t *list;
	json_t *root;
	int status = 0;

	say(f, (struct role_msg){.kind = STATS_DB}, f->db, -1);
	fill_blog(f);
	say(f,
	    (struct role_msg){
		    .kind = STATS_EVENT, .app = 1, .a = EVENT_FAILED, .b = 5, .d = now_ns},
	    "ImportError: no module named x", -1);
	board_event(f->blog, now_ns + 1, 4, EVENT_HARAKIRI, 2, "GET /slow ran for 30 s");
	root = wait_events(&a, "/events?app=blog", 2);
	list = json_object_get(root, "events");
	assert_plain(root);
	assert_string_equal(text_of(json_array_get(list, 0), "kind"), "failed");
	assert_string_equal(text_of(json_array_get(list, 0), "app"), "blog");
	assert_int_equal(number(json_array_get(list, 0), "generation"), 5);
	assert_string_equal(text_of(json_array_get(list, 1), "kind"), "harakiri");
	assert_string_equal(text_of(json_array_get(list, 1), "text"), "GET /slow ran for 30 s");
	assert_int_equal(number(json_array_get(list, 1), "worker"), 2);
	json_decref(root);

	root = http(&a, "/apps/blog", &status);
	assert_string_equal(text_of(root, "last_error"), "ImportError: no module named x");
	json_decref(root);
	say(f,
	    (struct role_msg){
		    .kind = STATS_EVENT, .app = 1, .a = EVENT_RELOADED, .b = 6, .d = now_ns + 9},
	    "", -1);
	json_decref(wait_events(&a, "/events", 3));
	root = http(&a, "/apps/blog", &status);
	assert_string_equal(text_of(root, "last_error"), "");
	json_decref(root);
	root = http(&a, "/", &status);
	assert_int_equal(number(json_object_get(root, "history"), "stored"), 3);
	assert_int_equal(number(json_object_get(root, "history"), "failing"), 0);
	json_decref(root);
}

static void take_minute(void *arg, const struct record_minute *m)
{
	struct fixture *f = arg;

	assert_true(f->minutes_n < ARRAY_SIZE(f->minutes));
	f->minutes[f->minutes_n++] = *m;
}

static void take_event(void *arg, const struct record_event *e)
{
	struct fixture *f = arg;

	assert_true(f->events_n < ARRAY_SIZE(f->events));
	f->events[f->events_n++] = *e;
}

static void read_db(struct fixture *f)
{
	struct db *db = NULL;
	struct err err = {0};

	f->minutes_n = 0;
	f->events_n = 0;
	assert_int_equal(db_open(&db, f->db, 1, &err), 0);
	assert_string_equal(err.text, "");
	assert_int_equal(db_read_minutes(db, "blog", 0, 8, take_minute, f, &err), 0);
	assert_int_equal(db_read_events(db, "blog", -1, 64, take_event, f, &err), 0);
	db_close(db);
}

static void work_a_little(struct fixture *f)
{
	struct sockaddr_un a = add_listener(f, "blog");

	/* An answer means that the messages before have been taken, so that the base of the minute stands. */
	json_decref(raw(&a));
	board_add(&f->blog->bank[2].counters.requests, 10);
	board_add(&f->blog->bank[2].counters.exceptions, 4);
	board_event(f->blog, clock_wall_ns(), 4, EVENT_WORKER_RECYCLED, 1, "max-requests");
}

static void assert_stored(struct fixture *f)
{
	uint64_t requests = 0;

	read_db(f);
	for (unsigned i = 0; i < f->minutes_n; i++)
		requests += f->minutes[i].counters[1];
	assert_string_equal(board_fields[1].name, "requests");
	assert_int_equal(requests, 10);
	assert_int_equal(f->events_n, 1);
	assert_string_equal(f->events[0].text, "max-requests");
	assert_int_equal(f->events[0].kind, EVENT_WORKER_RECYCLED);
}

static void told_to_stop_it_stores_what_is_in_hand(void **state)
{
	struct fixture *f = *state;

	say(f, (struct role_msg){.kind = STATS_DB}, f->db, -1);
	fill_blog(f);
	work_a_little(f);
	say(f, (struct role_msg){.kind = STATS_STOP}, NULL, -1);
	(void)pthread_join(f->thread, NULL);
	f->running = false;
	(void)close(f->link);
	assert_int_equal(f->result, 0);
	assert_stored(f);
}

static void when_the_emperor_dies_it_stores_what_is_in_hand(void **state)
{
	struct fixture *f = *state;

	say(f, (struct role_msg){.kind = STATS_DB}, f->db, -1);
	fill_blog(f);
	work_a_little(f);
	end_role(f);
	assert_int_equal(f->result, 0);
	assert_stored(f);
}

static void history_has_the_minutes_of_an_app_that_is_gone(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un a = add_listener(f, "");
	json_t *root;
	int status = 0;

	say(f, (struct role_msg){.kind = STATS_DB}, f->db, -1);
	fill_blog(f);
	work_a_little(f);
	say(f, (struct role_msg){.kind = STATS_APP_GONE, .app = 1}, NULL, -1);
	json_decref(wait_events(&a, "/events?app=blog", 1));
	root = http(&a, "/history?app=blog&minutes=5", &status);
	assert_int_equal(status, 200);
	assert_plain(root);
	assert_string_equal(text_of(root, "app"), "blog");
	assert_int_equal(json_array_size(json_object_get(root, "minutes")), 1);
	root = (json_decref(root), http(&a, "/apps/blog", &status));
	assert_int_equal(status, 404);
	json_decref(root);
}

static void a_corrupt_database_is_set_aside_and_history_goes_on(void **state)
{
	struct fixture *f = *state;
	FILE *file = fopen(f->db, "wb");

	for (unsigned i = 0; i < 5000; i++)
		assert_true(fputc('?', file) != EOF);
	(void)fclose(file);
	say(f, (struct role_msg){.kind = STATS_DB}, f->db, -1);
	fill_blog(f);
	work_a_little(f);
	end_role(f);
	assert_int_equal(files(f, ".corrupt-", false), 1);
	assert_stored(f);
}

static void a_full_disk_costs_history_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un a = add_listener(f, "");
	json_int_t dropped = 0;
	bool failing = false;

	fill_blog(f);
	set_file_limit(16L * 1024);
	say(f, (struct role_msg){.kind = STATS_DB}, f->db, -1);
	for (unsigned i = 0; i < 500 && !(failing && dropped > 0); i++) {
		int status = 0;
		json_t *root;

		say(f,
		    (struct role_msg){
			    .kind = STATS_EVENT, .app = 1, .a = EVENT_STARTED, .d = i + 1},
		    "the disk is full", -1);
		root = http(&a, "/", &status);
		assert_int_equal(status, 200);
		dropped = number(json_object_get(root, "history"), "dropped");
		/* a record that fits what is left of the disk may come between */
		failing |= number(json_object_get(root, "history"), "failing") == 1;
		if (dropped > 0)
			assert_true(text_of(json_object_get(root, "history"), "last_error")[0] !=
				    '\0');
		json_decref(root);
		(void)poll(NULL, 0, 10);
	}
	assert_true(failing);
	assert_true(dropped > 0);
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

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_silent_client_gets_the_app_view_as_uwsgi_prints_it),
		TEST(the_emperors_socket_lists_every_app),
		TEST(one_socket_speaks_http_too),
		TEST(an_apps_socket_tells_of_no_other_app),
		TEST(events_of_both_sources_are_stored_and_shown),
		TEST(told_to_stop_it_stores_what_is_in_hand),
		TEST(when_the_emperor_dies_it_stores_what_is_in_hand),
		TEST(history_has_the_minutes_of_an_app_that_is_gone),
		TEST(a_corrupt_database_is_set_aside_and_history_goes_on),
		TEST(a_full_disk_costs_history_and_nothing_else),
		TEST(clients_that_never_read_or_write_keep_nobody_out),
		TEST(a_new_listener_of_an_app_replaces_the_old_one),
		TEST(messages_that_make_no_sense_are_refused_and_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
