/*
 * role - the whole role of stats, on a thread, with the test as its emperor: real boards, real sockets, a real database.
 */
#pragma once
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

static inline void *run_role(void *arg)
{
	struct fixture *f = arg;

	f->result = stats_run(f->role_link);
	(void)close(f->role_link);
	return NULL;
}

static inline int start_role(struct fixture *f)
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

static inline void end_role(struct fixture *f)
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
static inline void set_file_limit(long bytes)
{
	struct rlimit l;

	(void)getrlimit(RLIMIT_FSIZE, &l);
	l.rlim_cur = bytes < 0 ? l.rlim_max : (rlim_t)bytes;
	(void)setrlimit(RLIMIT_FSIZE, &l);
}

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/emperor-stats-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	(void)snprintf(f->db, sizeof(f->db), "%s/h.db", f->dir);
	return start_role(f);
}

static inline unsigned files(const struct fixture *f, const char *part, bool remove)
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

static inline int teardown(void **state)
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

static inline void say(struct fixture *f, struct role_msg m, const char *text, int fd)
{
	assert_int_equal(role_send(f->link, &m, text, fd >= 0 ? &fd : NULL, fd >= 0 ? 1 : 0), 0);
}

static inline struct scoreboard *add_app(struct fixture *f, uint32_t id, const char *name)
{
	_cleanup_(fd_closep) int fd = -1;
	struct scoreboard *b = NULL;
	struct err err;

	assert_int_equal(board_create(&fd, &b, name, &err), 0);
	say(f, (struct role_msg){.kind = STATS_APP, .app = id}, name, fd);
	return b;
}

static inline struct sockaddr_un add_listener(struct fixture *f, const char *app)
{
	_cleanup_(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s/s%u", f->dir, f->sockets_n++);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 128), 0);
	say(f, (struct role_msg){.kind = STATS_LISTENER}, app, fd);
	return a;
}

static inline int dial(const struct sockaddr_un *a)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)a, sizeof(*a)), 0);
	return fd;
}

/* Everything until end of file, terminated; NULL when it does not come in time. */
static inline char *read_all(int fd)
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
static inline char *talk(const struct sockaddr_un *a, const char *text)
{
	_cleanup_(fd_closep) int fd = dial(a);
	char *answer;

	if (text)
		assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	answer = read_all(fd);
	assert_non_null(answer);
	return answer;
}

static inline json_t *parse(const char *text)
{
	json_error_t e;
	json_t *root = json_loads(text, 0, &e);

	if (!root)
		fail_msg("line %d: %s in %.2000s", e.line, e.text, text);
	return root;
}

static inline json_t *raw(const struct sockaddr_un *a)
{
	_cleanup_(freep) char *text = talk(a, NULL);

	return parse(text);
}

/* GET path; *ret_status. The body, parsed. */
static inline json_t *http(const struct sockaddr_un *a, const char *path, int *ret_status)
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

static inline json_int_t number(const json_t *o, const char *key)
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
static inline void assert_plain(const json_t *v)
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

static inline void fill_blog(struct fixture *f)
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

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
