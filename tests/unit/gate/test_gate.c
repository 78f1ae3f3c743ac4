/*
 * test_gate - the whole role in a process of its own, with this test as its emperor, its fronts and its clients.
 */
#include "emperor/gate/gate.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "emperor/role.h"
#include "shared/clock.h"
#include "shared/fd.h"
#include "shared/pass.h"

#define BLOG    1
#define SHOP    2
#define WAIT_MS 5000

struct world {
	pid_t pid;
	int link;
	in_port_t port;
	char unix_path[64];
	int gate_end[3], front_end[3]; /* by app */
	char pass_buf[PASS_BUF_SIZE];
};

static void tell(struct world *w, const struct role_msg *m, const char *text, const int *fds, int n)
{
	assert_int_equal(role_send(w->link, m, text, fds, n), 0);
}

static void tell_routes(struct world *w, uint32_t epoch)
{
	static const struct route routes[] = {
		{.app = BLOG, .host = "blog.example"},
		{.app = SHOP, .host = "blog.example", .path = "/shop"},
		{.app = SHOP, .host = "*.shop.example"},
	};
	const struct routes_head head = {
		.magic = ROUTES_MAGIC, .epoch = epoch, .routes_n = ARRAY_SIZE(routes)};
	const struct role_msg m = {.kind = GATE_ROUTES};
	char bytes[sizeof(head) + sizeof(routes)];
	int fd = -1;

	memcpy(bytes, &head, sizeof(head));
	memcpy(bytes + sizeof(head), routes, sizeof(routes));
	assert_int_equal(fd_sealed_memfd(&fd, "routes", bytes, sizeof(bytes)), 0);
	tell(w, &m, NULL, &fd, 1);
	(void)close(fd);
}

static void tell_app(struct world *w, uint32_t app, uint64_t uid)
{
	const struct role_msg m = {.kind = GATE_APP, .app = app, .a = uid};
	const int fds[] = {w->gate_end[app], w->front_end[app]};

	tell(w, &m, app == BLOG ? "blog" : "shop", fds, 2);
}

static void tell_port(struct world *w, uint32_t index, int fd)
{
	const struct role_msg m = {.kind = GATE_PORT, .app = index};

	assert_int_equal(listen(fd, 1024), 0);
	tell(w, &m, "test", &fd, 1);
	(void)close(fd);
}

static void tell_state(struct world *w, uint32_t app, enum gate_state state)
{
	const struct role_msg m = {.kind = GATE_STATE, .app = app, .a = state, .b = 9};

	tell(w, &m, "because", NULL, 0);
}

static void open_ports(struct world *w)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	socklen_t n = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (const struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &n), 0);
	w->port = in.sin_port;
	tell_port(w, 0, fd);

	(void)snprintf(w->unix_path, sizeof(w->unix_path), "/tmp/test_gate.%d.sock", (int)getpid());
	(void)unlink(w->unix_path);
	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", w->unix_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&un, sizeof(un)), 0);
	tell_port(w, 1, fd);
}

/* Everything told so far has been read, and taken in once the gate answers a request to nobody. */
static void settle(struct world *w);

static int world_open(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct role_msg m;
	int pair[2], fds[2], nfds;

	(void)signal(SIGPIPE, SIG_IGN);
	if (!w || fd_seqpacket_pair(pair, false) < 0)
		return -1;
	w->pid = fork();
	if (w->pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		(void)dup2(null, STDERR_FILENO);
		(void)close(null);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)close(pair[0]);
		free(w);
		exit(gate_run(pair[1]));
	}
	(void)close(pair[1]);
	w->link = pair[0];
	assert_int_equal(role_recv(w->link, &m, fds, &nfds, NULL), 1);
	assert_int_equal(m.kind, ROLE_READY);
	assert_int_equal(m.a, ROLE_VERSION);
	open_ports(w);
	for (uint32_t app = BLOG; app <= SHOP; app++) {
		assert_int_equal(fd_seqpacket_pair(pair, true), 0);
		w->gate_end[app] = pair[0];
		w->front_end[app] = pair[1];
		tell_app(w, app, 1000 + app);
	}
	tell_routes(w, 5);
	*state = w;
	settle(w);
	return 0;
}

/* The gate's exit code; -1 if it does not end in time. */
static int wait_exit(struct world *w)
{
	for (int i = 0; i < WAIT_MS / 10; i++) {
		int status;

		if (waitpid(w->pid, &status, WNOHANG) == w->pid) {
			w->pid = 0;
			return WIFEXITED(status) ? WEXITSTATUS(status) : -2;
		}
		(void)usleep(10 * 1000);
	}
	return -1;
}

static int world_close(void **state)
{
	struct world *w = *state;
	const struct role_msg stop = {.kind = GATE_STOP};
	int code = 0;

	if (w->pid > 0) {
		(void)role_send(w->link, &stop, NULL, NULL, 0);
		code = wait_exit(w);
	}
	if (w->pid > 0)
		(void)kill(w->pid, SIGKILL);
	(void)close(w->link);
	for (uint32_t app = BLOG; app <= SHOP; app++) {
		(void)close(w->gate_end[app]);
		(void)close(w->front_end[app]);
	}
	(void)unlink(w->unix_path);
	free(w);
	return code;
}

/* -- clients -------------------------------------------------------------------------------------------- */

static int dial(const struct world *w)
{
	const struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_port = w->port, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&in, sizeof(in)), 0);
	return fd;
}

static int dial_unix(const struct world *w)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", w->unix_path);
	assert_int_equal(connect(fd, (const struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* All until the end of the stream; fails on a reset or when nothing comes. Closes. */
static const char *hear(int fd)
{
	static char buf[8192];
	size_t n = 0;

	for (;;) {
		struct pollfd pfd = {.fd = fd, .events = POLLIN};
		ssize_t r;

		assert_int_equal(poll(&pfd, 1, WAIT_MS), 1);
		r = read(fd, buf + n, sizeof(buf) - 1 - n);
		if (r < 0)
			fail_msg("the client sees: %s", strerror(errno));
		if (r == 0)
			break;
		n += (size_t)r;
	}
	buf[n] = '\0';
	(void)close(fd);
	return buf;
}

static void expect_status(int fd, int status)
{
	const char *text = hear(fd);

	if (strncmp(text, "HTTP/1.1 ", 9) != 0 || strtol(text + 9, NULL, 10) != status)
		fail_msg("wanted %d, got: %s", status, text);
	assert_non_null(strstr(text, "\r\nDate: "));
	assert_non_null(strstr(text, "\r\nContent-Length: "));
	assert_non_null(strstr(text, "\r\nConnection: close\r\n"));
}

static void settle(struct world *w)
{
	int unread = 1, fd;

	for (int i = 0; i < WAIT_MS && unread > 0; i++) {
		assert_int_equal(ioctl(w->link, SIOCOUTQ, &unread), 0);
		(void)usleep(1000);
	}
	assert_int_equal(unread, 0);
	fd = dial(w);

	say(fd, "GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n");
	expect_status(fd, 404);
}

/* -- fronts --------------------------------------------------------------------------------------------- */

static struct pass take_pass(struct world *w, uint32_t app)
{
	struct pollfd pfd = {.fd = w->front_end[app], .events = POLLIN};
	struct pass p = {.fd = -1};

	assert_int_equal(poll(&pfd, 1, WAIT_MS), 1);
	assert_int_equal(pass_recv(w->front_end[app], w->pass_buf, sizeof(w->pass_buf), &p, NULL),
			 1);
	return p;
}

static bool nothing_waits(const struct world *w, uint32_t app)
{
	struct pollfd pfd = {.fd = w->front_end[app], .events = POLLIN};

	return poll(&pfd, 1, 50) == 0;
}

static int give_back(const struct world *w, uint32_t app, int fd, const char *bytes)
{
	const struct pass p = {.bytes = span_str(bytes), .fd = fd};

	return pass_send(w->front_end[app], &p);
}

static unsigned descriptors(pid_t pid)
{
	char path[64];
	unsigned n = 0;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	assert_non_null(dir);
	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n;
}

/* -- tests ---------------------------------------------------------------------------------------------- */

static void a_request_reaches_its_app_with_every_byte(void **state)
{
	static const char request[] = "POST /x HTTP/1.1\r\nHost: Blog.Example:8000\r\n"
				      "Content-Length: 4\r\n\r\nbody";
	struct world *w = *state;
	int fd = dial(w);
	struct pass p;

	say(fd, request);
	p = take_pass(w, BLOG);
	assert_int_equal(p.head.epoch, 5);
	assert_int_equal(p.head.flags, 0);
	assert_int_equal(p.head.listener, 0);
	assert_int_equal(p.script.n, 0);
	assert_true(span_eq(p.carve, SPAN("/shop\0")));
	assert_true(span_eq(p.bytes, span_str(request)));
	say(p.fd, "from the front");
	(void)close(p.fd);
	assert_string_equal(hear(fd), "from the front");
}

static void the_longest_path_decides(void **state)
{
	struct world *w = *state;
	int fd = dial(w);
	struct pass p;

	say(fd, "GET /shop/1 HTTP/1.1\r\nHost: blog.example\r\n\r\n");
	p = take_pass(w, SHOP);
	assert_true(span_eq(p.script, SPAN("/shop")));
	assert_int_equal(p.carve.n, 0);
	(void)close(p.fd);
	(void)close(fd);
}

static void a_head_that_comes_in_pieces_is_passed_whole(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nX: y\r\nHost: a.shop.example\r\n\r\n";
	struct world *w = *state;
	int fd = dial(w);
	struct pass p;

	for (size_t i = 0; i < sizeof(request) - 1; i++) {
		assert_int_equal(send(fd, request + i, 1, MSG_NOSIGNAL), 1);
		(void)usleep(1000);
	}
	p = take_pass(w, SHOP);
	while (p.bytes.n <
	       sizeof(request) - 1) { /* passed at Host's end; the rest is in the socket */
		static char all[sizeof(request)];
		ssize_t n;

		memcpy(all, p.bytes.p, p.bytes.n);
		n = recv(p.fd, all + p.bytes.n, sizeof(all) - p.bytes.n, 0);
		assert_true(n > 0 || errno == EAGAIN);
		p.bytes = span_of(all, p.bytes.n + (size_t)MAX(n, 0));
	}
	assert_true(span_eq(p.bytes, span_str(request)));
	(void)close(p.fd);
	(void)close(fd);
}

static void bad_requests_get_their_answer(void **state)
{
	static char huge[16 * 1024];
	static const struct {
		const char *request;
		int status;
	} cases[] = {
		{"GET / HTTP/1.1\r\nHost: other.example\r\n\r\n", 404},
		{"GET / HTTP/1.0\r\n\r\n", 404},
		{"GET / HTTP/1.1\r\n\r\n", 400},
		{"\x16\x03\x01\x02", 400},
		{"GET / HTTP/1.1\nHost: blog.example\n\n", 400},
		{"GET / HTTP/1.1\r\nHost : blog.example\r\n\r\n", 400},
		{"GET / HTTP/3.0\r\nHost: blog.example\r\n\r\n", 505},
		{huge, 431},
	};
	struct world *w = *state;

	memset(huge, 'x', sizeof(huge) - 1);
	memcpy(huge, "GET / HTTP/1.1\r\nX: ", 19);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int fd = dial(w);

		say(fd, cases[i].request);
		expect_status(fd, cases[i].status);
	}
}

static void an_answer_survives_a_body_that_nobody_reads(void **state)
{
	static char body[100 * 1024];
	struct world *w = *state;
	int fd = dial(w);

	say(fd, "POST / HTTP/1.1\r\nHost: other.example\r\nContent-Length: 102400\r\n\r\n");
	(void)usleep(20 * 1000);
	assert_int_equal(send(fd, body, sizeof(body), MSG_NOSIGNAL), sizeof(body));
	expect_status(fd, 404); /* hear() fails on a reset */
}

static void the_answer_to_head_has_no_body(void **state)
{
	struct world *w = *state;
	int fd = dial(w);
	int refused = dial(w);
	const char *text;

	say(fd, "HEAD / HTTP/1.1\r\nHost: other.example\r\n\r\n");
	text = hear(fd);
	assert_memory_equal(text, "HTTP/1.1 404 ", 13);
	assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n");
	say(refused, "HEAD / HTTP/1.1\r\nHost: a b\r\n\r\n");
	text = hear(refused);
	assert_memory_equal(text, "HTTP/1.1 400 ", 13);
	assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n");
}

static void who_stops_in_the_middle_of_a_head_is_told(void **state)
{
	struct world *w = *state;
	int fd = dial(w);

	say(fd, "GET / HTTP/1.1\r\nHo");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	expect_status(fd, 400);
}

static void an_app_that_is_down_is_answered_for_also_where_clients_wait_already(void **state)
{
	struct world *w = *state;
	int waiting = dial(w), later;
	const char *text;

	say(waiting, "GET / HTTP/1.1\r\nHost: blog.example\r\n\r\n");
	assert_false(nothing_waits(w, BLOG)); /* it is in the door; nobody takes it */
	tell_state(w, BLOG, GATE_DOWN);
	text = hear(waiting);
	assert_memory_equal(text, "HTTP/1.1 503 ", 13);
	assert_non_null(strstr(text, "\r\nRetry-After: 9\r\n"));
	assert_true(nothing_waits(w, BLOG));
	later = dial(w);
	say(later, "GET / HTTP/1.1\r\nHost: blog.example\r\n\r\n");
	expect_status(later, 503);
	tell_state(w, BLOG, GATE_SERVING);
	settle(w);
	later = dial(w);
	say(later, "GET / HTTP/1.1\r\nHost: blog.example\r\n\r\n");
	(void)close(take_pass(w, BLOG).fd);
	(void)close(later);
}

static void an_app_that_is_gone_leaves_nobody_waiting(void **state)
{
	const struct role_msg gone = {.kind = GATE_APP_GONE, .app = SHOP};
	struct world *w = *state;
	int fd = dial(w);

	say(fd, "GET /shop HTTP/1.1\r\nHost: blog.example\r\n\r\n");
	assert_false(nothing_waits(w, SHOP));
	tell(w, &gone, NULL, NULL, 0);
	expect_status(fd, 503);
	fd = dial(w);
	say(fd, "GET /shop HTTP/1.1\r\nHost: blog.example\r\n\r\n");
	expect_status(fd, 503);
}

static void what_a_front_hands_back_finds_its_app(void **state)
{
	static const char second[] = "GET /shop/2 HTTP/1.1\r\nHost: blog.example\r\n\r\n"
				     "GET / HTTP/1.1\r\nHost: blog.example\r\n\r\n";
	struct world *w = *state;
	int fd = dial(w);
	struct pass p;

	say(fd, "GET / HTTP/1.1\r\nHost: blog.example\r\n\r\n");
	p = take_pass(w, BLOG);
	assert_int_equal(give_back(w, BLOG, p.fd, second), 0);
	(void)close(p.fd);
	p = take_pass(w, SHOP);
	assert_true(span_eq(p.bytes, span_str(second))); /* pipelined bytes too */
	say(p.fd, "the other app");
	(void)close(p.fd);
	assert_string_equal(hear(fd), "the other app");
}

/* The gate hears of the end of the app before it looks at what that app gave back. */
static void an_idle_connection_of_an_app_that_ends_serves_another(void **state)
{
	const struct role_msg gone = {.kind = GATE_APP_GONE, .app = SHOP};
	struct world *w = *state;
	int fd = dial(w);
	struct pass p;

	say(fd, "GET /shop HTTP/1.1\r\nHost: blog.example\r\n\r\n");
	p = take_pass(w, SHOP);
	assert_int_equal(give_back(w, SHOP, p.fd, ""), 0);
	(void)close(p.fd);
	tell(w, &gone, NULL, NULL, 0);
	settle(w);
	say(fd, "GET / HTTP/1.1\r\nHost: blog.example\r\n\r\n");
	p = take_pass(w, BLOG);
	(void)close(p.fd);
	(void)close(fd);
}

static void half_a_head_may_be_handed_back(void **state)
{
	struct world *w = *state;
	int fd = dial(w);
	struct pass p;

	say(fd, "GET / HTTP/1.1\r\nHost: blog.example\r\n\r\n");
	p = take_pass(w, BLOG);
	assert_int_equal(give_back(w, BLOG, p.fd, "GET / HTTP/1.1\r\nHo"), 0);
	(void)close(p.fd);
	(void)usleep(20 * 1000);
	say(fd, "st: b.shop.example\r\n\r\n");
	p = take_pass(w, SHOP);
	assert_true(span_starts(p.bytes, SPAN("GET / HTTP/1.1\r\nHost: b.shop.example\r\n")));
	(void)close(p.fd);
	(void)close(fd);
}

static void hostile_hand_backs_are_closed(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: blog.example\r\n\r\n";
	struct world *w = *state;
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	unsigned before;
	struct iovec garbage = {(char *)(uintptr_t) "garbage", 7};
	struct iovec nothing = {NULL, 0};
	int pair[2], bad[6];

	(void)usleep(50 * 1000); /* earlier clients' descriptors are closed */
	before = descriptors(w->pid);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	bad[0] = open("/dev/null", O_RDWR);
	bad[1] = pair[0];
	bad[2] = socket(AF_INET, SOCK_STREAM, 0); /* not connected */
	bad[3] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(bad[3], (const struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(listen(bad[3], 1), 0);
	bad[4] = w->front_end[BLOG]; /* the door itself */
	bad[5] = dial(w);            /* the client's end of a connection */
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(give_back(w, BLOG, bad[i], request), 0);
	assert_int_equal(fd_send(w->front_end[BLOG], &garbage, 1, bad, 3), 7);
	assert_int_equal(fd_send(w->front_end[BLOG], &garbage, 1, NULL, 0), 7);
	assert_int_equal(fd_send(w->front_end[BLOG], &nothing, 1, bad, 1), 0);
	(void)close(bad[5]);
	settle(w); /* still serves */
	(void)usleep(50 * 1000);
	assert_true(nothing_waits(w, BLOG));
	assert_int_equal(descriptors(w->pid), before);
	(void)close(bad[0]);
	(void)close(bad[2]);
	(void)close(bad[3]);
	(void)close(pair[0]);
	(void)close(pair[1]);
}

static unsigned flags_of(struct world *w, int client)
{
	struct pass p;

	say(client, "GET / HTTP/1.1\r\nHost: blog.example\r\n\r\n");
	p = take_pass(w, BLOG);
	(void)close(p.fd);
	(void)close(client);
	return p.head.flags;
}

static void a_crowd_gets_one_request_unless_all_apps_are_one_users(void **state)
{
	const struct role_msg trust = {.kind = GATE_TRUST};
	struct world *w = *state;

	assert_int_equal(flags_of(w, dial_unix(w)), PASS_ONE_REQUEST);
	assert_int_equal(flags_of(w, dial(w)), 0);
	tell(w, &trust, "10.0.0.0/8 127.0.0.0/8", NULL, 0);
	settle(w);
	assert_int_equal(flags_of(w, dial(w)), PASS_ONE_REQUEST);
	tell_app(w, SHOP, 1000 + BLOG);
	settle(w);
	assert_int_equal(flags_of(w, dial(w)), 0);
	assert_int_equal(flags_of(w, dial_unix(w)), 0);
}

/* Nobody takes anything: the door fills, then the queue, then clients are told. Then the front comes back. */
static void a_stuck_app_costs_its_own_clients_only(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: blog.example\r\n\r\n";
	static int clients[1500];
	struct world *w = *state;
	size_t refused = 0, passed = 0;
	struct pass p;
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		clients[i] = dial(w);
		say(clients[i], request);
	}
	fd = dial(w);
	say(fd, "GET /shop HTTP/1.1\r\nHost: blog.example\r\n\r\n");
	(void)close(take_pass(w, SHOP).fd); /* the other app does not notice */
	(void)close(fd);
	settle(w);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		struct pollfd pfd = {.fd = clients[i], .events = POLLIN};

		if (poll(&pfd, 1, 0) == 0)
			continue;
		expect_status(clients[i], 503);
		clients[i] = -1;
		refused++;
	}
	assert_in_range(refused, 1, ARRAY_SIZE(clients) - LIMIT_GATE_QUEUE - 100);
	while (passed + refused < ARRAY_SIZE(clients)) {
		p = take_pass(w, BLOG);
		assert_true(span_eq(p.bytes, span_str(request)));
		(void)close(p.fd);
		passed++;
	}
	assert_true(nothing_waits(w, BLOG));
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		if (clients[i] >= 0)
			(void)close(clients[i]);
}

static void a_client_that_only_connects_holds_up_nobody(void **state)
{
	struct world *w = *state;
	int idle = dial_unix(w), gone = dial_unix(w);

	(void)close(gone);
	settle(w);
	(void)close(idle);
	settle(w);
}

static void the_gate_serves_on_without_its_emperor_until_it_is_told(void **state)
{
	struct world *w = *state;
	int fd;

	(void)kill(w->pid, SIGTERM); /* its emperor is there: not for the gate */
	(void)usleep(50 * 1000);
	settle(w);
	(void)close(w->link);
	assert_int_equal(wait_exit(w), 0);

	assert_int_equal(world_close(state), 0);
	assert_int_equal(world_open(state), 0);
	w = *state;
	(void)close(w->link);
	(void)usleep(50 * 1000);
	fd = dial(w);
	say(fd, "GET / HTTP/1.1\r\nHost: blog.example\r\n\r\n");
	(void)close(take_pass(w, BLOG).fd);
	(void)close(fd);
	(void)kill(w->pid, SIGINT);
	fd = dial(w);
	say(fd, "GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n");
	expect_status(fd, 404);
	(void)kill(w->pid, SIGTERM);
	assert_int_equal(wait_exit(w), 0);
}

static void a_stop_answers_who_is_in_hand(void **state)
{
	const struct role_msg stop = {.kind = GATE_STOP};
	struct world *w = *state;
	int half = dial(w), idle = dial(w);

	say(half, "GET / HTTP/1.1\r\n");
	settle(w);
	tell(w, &stop, NULL, NULL, 0);
	expect_status(half, 503);
	assert_string_equal(hear(idle), "");
	assert_int_equal(wait_exit(w), 0);
}

static void odd_messages_from_the_emperor_change_nothing(void **state)
{
	struct world *w = *state;
	const struct role_msg odd[] = {
		{.kind = STATS_STOP},
		{.kind = GATE_STATE, .app = BLOG, .a = 99},
		{.kind = GATE_STATE, .app = 4711, .a = GATE_DOWN},
		{.kind = GATE_TRUST},
	};
	const struct role_msg routes = {.kind = GATE_ROUTES};
	const struct role_msg port = {.kind = GATE_PORT, .app = LIMIT_PORTS};
	int fd = open("/dev/null", O_RDONLY);

	for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
		tell(w, &odd[i], "nonsense", NULL, 0);
	tell(w, &routes, NULL, &fd, 1);
	tell(w, &port, NULL, &fd, 1);
	(void)close(fd);
	settle(w);
	assert_int_equal(flags_of(w, dial(w)), 0);
}

static void tell_listener(struct world *w, enum gate_protocol protocol, uint64_t number, int fd)
{
	const struct role_msg m = {
		.kind = GATE_LISTENER, .app = BLOG, .a = protocol, .b = number, .c = 17};

	tell(w, &m, NULL, &fd, 1);
}

static void an_apps_own_listener_is_answered_until_it_is_taken_back(void **state)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	const struct role_msg gone = {.kind = GATE_LISTENER_GONE, .app = BLOG, .b = 5};
	struct world *w = *state;
	struct world own = {0};
	socklen_t n = sizeof(in);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char buf[64];
	int fd, theirs;

	assert_int_equal(bind(listener, (const struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&in, &n), 0);
	assert_int_equal(listen(listener, 64), 0);
	own.port = in.sin_port;
	tell_listener(w, GATE_PROTOCOL_COUNT, 5, listener); /* refused, and nothing comes of it */
	tell_listener(w, GATE_HTTP, 5, listener);
	settle(w);
	fd = dial(&own);
	say(fd, "GET / HTTP/1.1\r\nHost: any\r\n\r\n");
	expect_status(fd, 503);

	tell_state(w, BLOG, GATE_DOWN); /* says another Retry-After */
	settle(w);
	fd = dial(&own);
	say(fd, "HEAD / HTTP/1.1\r\nHost: any\r\n\r\n");
	assert_non_null(strstr(hear(fd), "\r\nRetry-After: 9\r\n"));

	tell(w, &gone, NULL, NULL, 0);
	settle(w);
	fd = dial(&own);
	say(fd, "hello");
	theirs = accept(listener, NULL, NULL);
	assert_int_equal(recv(theirs, buf, sizeof(buf), 0), 5);
	(void)close(theirs);
	(void)close(fd);
	(void)close(listener);
}

static unsigned long ticks(pid_t pid)
{
	unsigned long user = 0;
	unsigned long sys = 0;
	char text[1024];
	const char *rest;
	FILE *f;

	(void)snprintf(text, sizeof(text), "/proc/%d/stat", (int)pid);
	f = fopen(text, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	(void)fclose(f);
	rest = strrchr(text, ')'); /* the name before it may hold anything */
	assert_non_null(rest);
	assert_int_equal(
		sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys),
		2);
	return user + sys;
}

static void a_door_that_its_front_shut_costs_no_time_and_a_new_one_mends_it(void **state)
{
	static const int hows[] = {SHUT_WR, SHUT_RD};
	struct world *w = *state;
	struct pass p;
	int fds[2];

	for (size_t i = 0; i < ARRAY_SIZE(hows); i++) {
		unsigned long before;
		int fd;

		assert_int_equal(shutdown(w->front_end[BLOG], hows[i]), 0);
		settle(w);
		for (int k = 0; k < 2 && hows[i] == SHUT_RD; k++) {
			fd = dial(w);
			say(fd, "GET / HTTP/1.1\r\nHost: blog.example\r\n\r\n");
			expect_status(fd, 503);
		}
		before = ticks(w->pid);
		(void)usleep(300 * 1000);
		assert_true(ticks(w->pid) - before < 10);
		(void)close(w->gate_end[BLOG]);
		(void)close(w->front_end[BLOG]);
		assert_int_equal(fd_seqpacket_pair(fds, true), 0);
		w->gate_end[BLOG] = fds[0];
		w->front_end[BLOG] = fds[1];
		tell_app(w, BLOG, 1000 + BLOG);
		settle(w);
		fd = dial(w);
		say(fd, "GET / HTTP/1.1\r\nHost: blog.example\r\n\r\n");
		p = take_pass(w, BLOG);
		say(p.fd, "yes");
		(void)close(p.fd);
		assert_string_equal(hear(fd), "yes");
	}
}

static void what_waits_in_a_door_that_was_shut_is_answered_when_it_is_replaced(void **state)
{
	struct world *w = *state;
	int fd = dial(w);
	int fds[2];

	say(fd, "GET / HTTP/1.1\r\nHost: blog.example\r\n\r\n");
	settle(w);
	assert_int_equal(shutdown(w->front_end[BLOG], SHUT_RD), 0);
	(void)close(w->gate_end[BLOG]);
	(void)close(w->front_end[BLOG]);
	assert_int_equal(fd_seqpacket_pair(fds, true), 0);
	w->gate_end[BLOG] = fds[0];
	w->front_end[BLOG] = fds[1];
	tell_app(w, BLOG, 1000 + BLOG);
	expect_status(fd, 503);
}

/* Whoever has had an answer has gone, and the last sweep is over: numbers below those in use are not free. */
static void let_them_go(void)
{
	(void)usleep(300 * 1000);
}

/* The gate may open nothing more, or as much as before. */
static struct rlimit limit_descriptors(const struct world *w, const struct rlimit *to)
{
	struct rlimit had, none;
	char path[64];
	rlim_t used = 0;

	if (to) {
		assert_int_equal(prlimit(w->pid, RLIMIT_NOFILE, to, &had), 0);
		return had;
	}
	let_them_go();
	do
		(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)w->pid, (int)used);
	while (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 && ++used);
	assert_int_equal(prlimit(w->pid, RLIMIT_NOFILE, NULL, &had), 0);
	none = (struct rlimit){used, had.rlim_max};
	assert_int_equal(prlimit(w->pid, RLIMIT_NOFILE, &none, NULL), 0);
	return had;
}

static void a_moment_without_descriptors_closes_no_port(void **state)
{
	struct world *w = *state;
	struct rlimit had = limit_descriptors(w, NULL);
	int fd = dial(w);

	say(fd, "GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n");
	(void)usleep(300 * 1000); /* three sweeps: it has tried, and has nothing else to do */
	(void)limit_descriptors(w, &had);
	expect_status(fd, 404);
}

static void who_says_nothing_makes_room_for_the_last_descriptor(void **state)
{
	struct world *w = *state;
	int silent[4];
	struct rlimit had;

	settle(w);
	let_them_go();
	silent[0] = dial(w);
	for (unsigned i = 1; i < ARRAY_SIZE(silent); i++)
		say(silent[i] = dial(w), "GET / HT");
	settle(w);
	had = limit_descriptors(w, NULL);
	for (int i = 0; i < 8; i++) {
		int fd = dial(w);

		say(fd, "GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n");
		expect_status(fd, 404);
	}
	(void)limit_descriptors(w, &had);
	for (unsigned i = 0; i < ARRAY_SIZE(silent); i++)
		(void)close(silent[i]);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_request_reaches_its_app_with_every_byte),
		CASE(the_longest_path_decides),
		CASE(a_head_that_comes_in_pieces_is_passed_whole),
		CASE(bad_requests_get_their_answer),
		CASE(an_answer_survives_a_body_that_nobody_reads),
		CASE(the_answer_to_head_has_no_body),
		CASE(who_stops_in_the_middle_of_a_head_is_told),
		CASE(an_app_that_is_down_is_answered_for_also_where_clients_wait_already),
		CASE(an_app_that_is_gone_leaves_nobody_waiting),
		CASE(what_a_front_hands_back_finds_its_app),
		CASE(an_idle_connection_of_an_app_that_ends_serves_another),
		CASE(half_a_head_may_be_handed_back),
		CASE(hostile_hand_backs_are_closed),
		CASE(a_crowd_gets_one_request_unless_all_apps_are_one_users),
		CASE(a_stuck_app_costs_its_own_clients_only),
		CASE(a_client_that_only_connects_holds_up_nobody),
		CASE(the_gate_serves_on_without_its_emperor_until_it_is_told),
		CASE(a_stop_answers_who_is_in_hand),
		CASE(odd_messages_from_the_emperor_change_nothing),
		CASE(an_apps_own_listener_is_answered_until_it_is_taken_back),
		CASE(a_door_that_its_front_shut_costs_no_time_and_a_new_one_mends_it),
		CASE(what_waits_in_a_door_that_was_shut_is_answered_when_it_is_replaced),
		CASE(a_moment_without_descriptors_closes_no_port),
		CASE(who_says_nothing_makes_room_for_the_last_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
