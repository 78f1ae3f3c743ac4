/*
 * world - the whole gate in a process of its own, with the test as its emperor, its fronts and its clients.
 */
#pragma once
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

static inline void tell(struct world *w, const struct role_msg *m, const char *text, const int *fds,
			int n)
{
	assert_int_equal(role_send(w->link, m, text, fds, n), 0);
}

static inline void tell_routes(struct world *w, uint32_t epoch)
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

/* All of it is one app's. */
static inline void tell_one_route(struct world *w, uint32_t app)
{
	const struct {
		struct routes_head head;
		struct route route;
	} table = {{.magic = ROUTES_MAGIC, .epoch = 9, .routes_n = 1}, {.app = app}};
	const struct role_msg m = {.kind = GATE_ROUTES};
	int fd = -1;

	assert_int_equal(fd_sealed_memfd(&fd, "routes", &table, sizeof(table)), 0);
	tell(w, &m, NULL, &fd, 1);
	(void)close(fd);
}

static inline void tell_app(struct world *w, uint32_t app, uint64_t uid)
{
	const struct role_msg m = {.kind = GATE_APP, .app = app, .a = uid};
	const int fds[] = {w->gate_end[app], w->front_end[app]};

	tell(w, &m, app == BLOG ? "blog" : "shop", fds, 2);
}

static inline void tell_port(struct world *w, uint32_t index, int fd)
{
	const struct role_msg m = {.kind = GATE_PORT, .app = index};

	assert_int_equal(listen(fd, 1024), 0);
	tell(w, &m, "test", &fd, 1);
	(void)close(fd);
}

static inline void tell_state(struct world *w, uint32_t app, enum gate_state state)
{
	const struct role_msg m = {.kind = GATE_STATE, .app = app, .a = state, .b = 9};

	tell(w, &m, "because", NULL, 0);
}

static inline void open_ports(struct world *w)
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
static inline void settle(struct world *w);

static inline int world_open(void **state)
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
static inline int wait_exit(struct world *w)
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

static inline int world_close(void **state)
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

static inline int dial(const struct world *w)
{
	const struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_port = w->port, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&in, sizeof(in)), 0);
	return fd;
}

static inline int dial_unix(const struct world *w)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", w->unix_path);
	assert_int_equal(connect(fd, (const struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

static inline void say(int fd, const char *text)
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

static inline void expect_status(int fd, int status)
{
	const char *text = hear(fd);

	if (strncmp(text, "HTTP/1.1 ", 9) != 0 || strtol(text + 9, NULL, 10) != status)
		fail_msg("wanted %d, got: %s", status, text);
	assert_non_null(strstr(text, "\r\nDate: "));
	assert_non_null(strstr(text, "\r\nContent-Length: "));
	assert_non_null(strstr(text, "\r\nConnection: close\r\n"));
}

static inline void settle(struct world *w)
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

static inline struct pass take_pass(struct world *w, uint32_t app)
{
	struct pollfd pfd = {.fd = w->front_end[app], .events = POLLIN};
	struct pass p = {.fd = -1};

	assert_int_equal(poll(&pfd, 1, WAIT_MS), 1);
	assert_int_equal(pass_recv(w->front_end[app], w->pass_buf, sizeof(w->pass_buf), &p, NULL),
			 1);
	return p;
}

static inline bool nothing_waits(const struct world *w, uint32_t app)
{
	struct pollfd pfd = {.fd = w->front_end[app], .events = POLLIN};

	return poll(&pfd, 1, 50) == 0;
}

static inline unsigned flags_of(struct world *w, int client)
{
	struct pass p;

	say(client, "GET / HTTP/1.1\r\nHost: blog.example\r\n\r\n");
	p = take_pass(w, BLOG);
	(void)close(p.fd);
	(void)close(client);
	return p.head.flags;
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, world_open, world_close)
