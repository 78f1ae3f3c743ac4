/* static_file, static_send: files through a front, with disks that are slow, files that are cut, descriptors that are out. */
#include "rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "shared/clock.h"
#include "vassal/front/static_file.h"
#include "vassal/front/static_inner.h"

#define LARGE 200000

static char top[64];
static int openat2_error;          /* of the next looks; 0: the kernel's own answer */
static unsigned openat2_times;     /* so many of them */
static unsigned cold;              /* so many looks find no page in memory */
static const char *cut_after_send; /* this file is cut once a piece was sent */
static bool socket_full;           /* no piece of a file goes out */
static bool far;                   /* the disk is one that only threads may ask */
static int filled;                 /* nothing goes out here once a piece was sent; -1: none */

long __wrap_syscall(long number, long a, const char *path, void *how, size_t size);
long __real_syscall(long number, long a, const char *path, void *how, size_t size);
ssize_t __wrap_preadv2(int fd, const struct iovec *iov, int n, off_t at, int flags);
ssize_t __real_preadv2(int fd, const struct iovec *iov, int n, off_t at, int flags);
ssize_t __wrap_sendfile(int out, int in, off_t *at, size_t n);
ssize_t __real_sendfile(int out, int in, off_t *at, size_t n);
bool __wrap_fd_is_far(int fd);

long __wrap_syscall(long number, long a, const char *path, void *how, size_t size)
{
	if (number != SYS_openat2 || openat2_times == 0)
		return __real_syscall(number, a, path, how, size);
	openat2_times--;
	errno = openat2_error;
	return -1;
}

ssize_t __wrap_preadv2(int fd, const struct iovec *iov, int n, off_t at, int flags)
{
	if (cold == 0)
		return __real_preadv2(fd, iov, n, at, flags);
	cold--;
	errno = EAGAIN;
	return -1;
}

ssize_t __wrap_sendfile(int out, int in, off_t *at, size_t n)
{
	ssize_t sent;

	assert_false(far);
	sent = socket_full ? -1 : __real_sendfile(out, in, at, n);

	if (socket_full)
		errno = EAGAIN;
	while (filled >= 0 && write(filled, "", 1) > 0)
		;
	if (cut_after_send)
		assert_int_equal(truncate(cut_after_send, 100), 0);
	return sent;
}

bool __wrap_fd_is_far(int fd)
{
	return fd >= 0 && far;
}

static char *at(const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

static void put(const char *name, size_t n)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);
	char *bytes = malloc(n);

	assert_true(fd >= 0 && bytes);
	memset(bytes, 'x', n);
	assert_int_equal(write(fd, bytes, n), (ssize_t)n);
	free(bytes);
	close(fd);
}

static struct front *make(void)
{
	static struct static_map_config maps[2];
	static char mount[] = "/s", second[80];
	struct front *f;

	strcpy(top, "/tmp/test_static_file.XXXXXX");
	assert_non_null(mkdtemp(top));
	assert_int_equal(mkdir(at("second"), 0755), 0);
	put("small", 100);
	put("large", LARGE);
	put("second/only", 50);
	strcpy(second, at("second"));
	maps[0] = (struct static_map_config){.mount = mount, .target = top};
	maps[1] = (struct static_map_config){.mount = mount, .target = second};
	f = rig_make(4, 4);
	the_rig->config.static_maps = maps;
	the_rig->config.static_maps_n = 2;
	assert_int_equal(statics_open(f, &f->statics, NULL), 0);
	openat2_times = 0;
	cold = 0;
	cut_after_send = NULL;
	socket_full = false;
	filled = -1;
	return f;
}

static void end(struct front *f)
{
	char command[128];

	rig_free(f);
	(void)snprintf(command, sizeof(command), "rm -rf %s", top);
	assert_int_equal(system(command), 0);
}

/* The loop turns until the connection waits for no disk; the client reads meanwhile. */
static size_t read_all(struct front *f, struct conn *c, int client, char *buf, size_t size)
{
	size_t n = 0;
	bool closed;

	for (unsigned i = 0; i < 10000 && c->state == CONN_FILE; i++) {
		(void)ev_run(f->loop, static_waits(c) ? EVRUN_ONCE : EVRUN_NOWAIT);
		n += rig_read(client, buf + n, size - n, &closed);
		if (c->state == CONN_FILE && !static_waits(c))
			conn_flush(c);
	}
	return n + rig_read(client, buf + n, size - n, &closed);
}

static size_t body_of(const char *buf, size_t n)
{
	const char *p = strstr(buf, "\r\n\r\n");

	assert_non_null(p);
	return n - (size_t)(p + 4 - buf);
}

static void a_file_comes_whole_from_a_warm_disk_and_a_cold_one(void **state)
{
	static const struct {
		const char *request;
		size_t n;
		int look; /* openat2 says at first */
		unsigned cold;
	} cases[] = {
		{"GET /s/small HTTP/1.1\r\nHost: a\r\n\r\n", 100, 0, 0},
		{"GET /s/large HTTP/1.1\r\nHost: a\r\n\r\n", LARGE, 0, 0},
		{"GET /s/small HTTP/1.1\r\nHost: a\r\n\r\n", 100, 0, 2},
		{"GET /s/large HTTP/1.1\r\nHost: a\r\n\r\n", LARGE, 0, 2},
		{"GET /s/small HTTP/1.1\r\nHost: a\r\n\r\n", 100, EAGAIN, 0},
		{"GET /s/large HTTP/1.1\r\nHost: a\r\n\r\n", LARGE, EAGAIN, 2},
		{"GET /s/large HTTP/1.1\r\nHost: a\r\nRange: bytes=5-104\r\n\r\n", 100, EAGAIN,
		 true},
		{"GET /s/only HTTP/1.1\r\nHost: a\r\n\r\n", 50, EAGAIN, 2},
		{"HEAD /s/large HTTP/1.1\r\nHost: a\r\n\r\n", 0, EAGAIN, 2},
	};
	static char buf[LARGE + 4096];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct front *f = make();
		struct conn *c;
		size_t n;
		int client;

		openat2_error = cases[i].look;
		openat2_times = cases[i].look ? 1 : 0;
		cold = cases[i].cold;
		c = rig_ask(f, cases[i].request, &client);
		if (cases[i].look)
			assert_true(static_waits(c));
		n = read_all(f, c, client, buf, sizeof(buf));
		assert_int_equal(body_of(buf, n), cases[i].n);
		assert_int_equal(c->state, CONN_HEAD);
		assert_null(c->file);
		assert_int_equal(f->jobs_n, 0);
		close(client);
		end(f);
	}
}

static void what_no_disk_has_is_the_apps(void **state)
{
	struct front *f = make();
	int client;
	struct conn *c;

	(void)state;
	openat2_error = EAGAIN;
	openat2_times = 1;
	c = rig_ask(f, "GET /s/nothing HTTP/1.1\r\nHost: a\r\n\r\n", &client);
	assert_true(static_waits(c));
	while (static_waits(c))
		(void)ev_run(f->loop, EVRUN_ONCE);
	assert_int_equal(c->state, CONN_WAIT);
	assert_int_equal(f->jobs_n, 1);
	assert_null(c->file);
	close(client);
	end(f);
}

static unsigned open_files(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void a_client_may_leave_while_a_disk_is_asked(void **state)
{
	struct front *f = make();
	unsigned before = open_files();
	int client;
	struct conn *c;

	(void)state;
	openat2_error = EAGAIN;
	openat2_times = 1;
	c = rig_ask(f, "GET /s/large HTTP/1.1\r\nHost: a\r\n\r\n", &client);
	assert_true(static_waits(c));
	conn_lost(c);
	close(client);
	/* the thread's result comes when nobody wants it: what it opened is closed */
	for (unsigned i = 0; i < 100 && open_files() > before; i++)
		(void)ev_run(f->loop, EVRUN_ONCE);
	assert_int_equal(open_files(), before);
	assert_int_equal(f->conns_n, 0);
	end(f);
}

static void threads_alone_ask_for_a_file_that_is_far(void **state)
{
	static const struct {
		const char *request;
		size_t n;
	} cases[] = {
		{"GET /s/small HTTP/1.1\r\nHost: a\r\n\r\n", 100},
		{"GET /s/large HTTP/1.1\r\nHost: a\r\n\r\n", LARGE},
		{"GET /s/large HTTP/1.1\r\nHost: a\r\nRange: bytes=5-104\r\n\r\n", 100},
		{"HEAD /s/large HTTP/1.1\r\nHost: a\r\n\r\n", 0},
	};
	static char buf[LARGE + 4096];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned before;
		struct front *f;
		struct conn *c;
		int client;

		far = true;
		f = make();
		before = open_files();
		/* what was found a moment ago is asked for anew */
		for (unsigned k = 0; k < 2; k++) {
			c = rig_ask(f, cases[i].request, &client);
			assert_true(static_waits(c));
			assert_int_equal(body_of(buf, read_all(f, c, client, buf, sizeof(buf))),
					 cases[i].n);
			assert_int_equal(c->state, CONN_HEAD);
			close(client);
			conn_lost(c);
		}
		assert_false(statics_hold(f));
		/* threads close it as well */
		for (unsigned k = 0; k < 100 && open_files() > before; k++)
			(void)ev_run(f->loop, EVRUN_ONCE);
		assert_int_equal(open_files(), before);
		end(f);
		far = false;
	}
}

static void a_client_may_leave_while_a_far_disk_is_asked(void **state)
{
	(void)state;
	/* after so many answers of threads */
	for (unsigned answers = 0; answers < 3; answers++) {
		unsigned before;
		struct front *f;
		struct conn *c;
		int client;

		far = true;
		f = make();
		before = open_files();
		c = rig_ask(f, "GET /s/large HTTP/1.1\r\nHost: a\r\nRange: bytes=0-9,100-\r\n\r\n",
			    &client);
		for (unsigned i = 0; i < answers && static_waits(c); i++)
			(void)ev_run(f->loop, EVRUN_ONCE);
		if (c->state != CONN_DEAD)
			conn_lost(c);
		close(client);
		for (unsigned i = 0; i < 100 && open_files() > before; i++)
			(void)ev_run(f->loop, EVRUN_ONCE);
		assert_int_equal(open_files(), before);
		assert_int_equal(f->conns_n, 0);
		end(f);
		far = false;
	}
}

static void a_far_file_that_is_cut_is_no_answer(void **state)
{
	static char buf[LARGE + 4096];
	struct front *f;
	struct conn *c;
	int client;

	(void)state;
	far = true;
	f = make();
	/* the first part may have been read by then */
	c = rig_ask(f, "GET /s/large HTTP/1.1\r\nHost: a\r\nRange: bytes=0-9,1000-1009\r\n\r\n",
		    &client);
	while (!c->file || !c->file->entry)
		(void)ev_run(f->loop, EVRUN_ONCE);
	assert_int_equal(truncate(at("large"), 100), 0);
	(void)read_all(f, c, client, buf, sizeof(buf));
	assert_int_equal(c->state, CONN_DEAD);
	close(client);
	end(f);
	far = false;
}

static void a_file_that_is_cut_is_never_an_answer(void **state)
{
	static const char *const requests[] = {
		"GET /s/large HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /s/large HTTP/1.1\r\nHost: a\r\nRange: bytes=1-150000\r\n\r\n",
		"GET /s/large HTTP/1.1\r\nHost: a\r\nRange: bytes=0-70000,100000-170000\r\n\r\n",
	};
	static char buf[LARGE + 4096];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		struct front *f = make();
		int client;
		struct conn *c;
		char path[128];

		/* the last piece has been given to the socket, and is not the file's any more */
		strcpy(path, at("large"));
		cut_after_send = path;
		c = rig_ask(f, requests[i], &client);
		(void)read_all(f, c, client, buf, sizeof(buf));
		assert_int_equal(c->state, CONN_DEAD);
		close(client);
		end(f);
	}
}

/* The head's time is over when it has come; then it is the client's turn to read. */
static void who_does_not_read_a_file_is_waited_for_as_a_reader(void **state)
{
	static const uint64_t later_ns = 3600 * NS_PER_S;
	static const char *const requests[] = {"GET /s/large HTTP/1.1\r\nHost: a\r\n\r\n",
					       "GET /s/small HTTP/1.1\r\nHost: a\r\n\r\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		static char rest[LARGE];
		struct front *f = make();
		struct conn *c;
		int client;

		socket_full = true;
		c = rig_ask(f, "", &client);
		/* what came before has filled the socket; the large file's head just fits */
		while (i > 0 && write(c->fd, rest, sizeof(rest)) > 0)
			;
		assert_int_equal(write(client, requests[i], strlen(requests[i])),
				 strlen(requests[i]));
		c->readable = true;
		intake_run(c);
		assert_int_equal(c->state, i > 0 ? CONN_FLUSH : CONN_FILE);
		assert_null(timer_due(&f->timers[TIMER_HEAD], f->now_ns + later_ns));
		assert_ptr_equal(timer_due(&f->timers[TIMER_WRITE], f->now_ns + later_ns),
				 &c->timer);
		(void)close(client);
		end(f);
	}
}

/* The socket is full, and the kernel has no room to tell when it no longer is: nobody would go on with the file. */
static void a_connection_that_cannot_be_watched_ends_with_its_file(void **state)
{
	static const char parts[] = "GET /s/large HTTP/1.1\r\nHost: a\r\n"
				    "Range: bytes=0-70000,100000-170000\r\n\r\n";
	static char buf[LARGE];
	struct front *f = make();
	int epoll_fd = f->epoll_fd;
	struct conn *c;
	bool closed;
	int client;

	(void)state;
	c = rig_ask(f, "", &client);
	conn_unwatch(c);
	f->epoll_fd = -1;
	assert_int_equal(write(client, parts, strlen(parts)), strlen(parts));
	c->readable = true;
	filled = c->fd;
	intake_run(c);
	f->epoll_fd = epoll_fd;
	assert_int_equal(c->state, CONN_DEAD);
	(void)rig_read(client, buf, sizeof(buf), &closed);
	close(client);
	end(f);
}

static void without_descriptors_ours_are_given_back_first(void **state)
{
	static const struct {
		unsigned times;
		const char *status;
	} cases[] = {{1, "HTTP/1.1 200 "}, {2, "HTTP/1.1 503 "}};
	char buf[4096];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct front *f = make();
		int client;
		struct conn *c = rig_ask(f, "GET /s/small HTTP/1.1\r\nHost: a\r\n\r\n", &client);

		(void)read_all(f, c, client, buf, sizeof(buf));
		assert_true(statics_hold(f));
		openat2_error = EMFILE;
		openat2_times = cases[i].times;
		c = rig_ask(f, "GET /s/large HTTP/1.1\r\nHost: a\r\nRange: bytes=0-9\r\n\r\n",
			    &client);
		(void)read_all(f, c, client, buf, sizeof(buf));
		assert_int_equal(statics_hold(f), cases[i].times == 1);
		assert_memory_equal(buf, cases[i].times == 1 ? "HTTP/1.1 206 " : cases[i].status,
				    13);
		close(client);
		end(f);
	}
}

static void what_nobody_asks_for_is_closed_in_time(void **state)
{
	struct front *f = make();
	int client;
	char buf[4096];
	struct conn *c = rig_ask(f, "GET /s/small HTTP/1.1\r\nHost: a\r\n\r\n", &client);

	(void)state;
	(void)read_all(f, c, client, buf, sizeof(buf));
	statics_tend(f);
	assert_true(statics_hold(f));
	f->now_ns += LIMIT_STATIC_IDLE_S * 1000000000ULL;
	statics_tend(f);
	assert_false(statics_hold(f));
	close(client);
	end(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_comes_whole_from_a_warm_disk_and_a_cold_one),
		cmocka_unit_test(what_no_disk_has_is_the_apps),
		cmocka_unit_test(a_client_may_leave_while_a_disk_is_asked),
		cmocka_unit_test(threads_alone_ask_for_a_file_that_is_far),
		cmocka_unit_test(a_client_may_leave_while_a_far_disk_is_asked),
		cmocka_unit_test(a_far_file_that_is_cut_is_no_answer),
		cmocka_unit_test(a_file_that_is_cut_is_never_an_answer),
		cmocka_unit_test(who_does_not_read_a_file_is_waited_for_as_a_reader),
		cmocka_unit_test(a_connection_that_cannot_be_watched_ends_with_its_file),
		cmocka_unit_test(without_descriptors_ours_are_given_back_first),
		cmocka_unit_test(what_nobody_asks_for_is_closed_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
