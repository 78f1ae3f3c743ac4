/*
 * gate: ports, an app's own listeners, doors that were shut, and a process that is out of descriptors.
 */
#include "tests/unit/gate/world.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_apps_own_listener_is_answered_until_it_is_taken_back),
		CASE(a_door_that_its_front_shut_costs_no_time_and_a_new_one_mends_it),
		CASE(what_waits_in_a_door_that_was_shut_is_answered_when_it_is_replaced),
		CASE(a_moment_without_descriptors_closes_no_port),
		CASE(who_says_nothing_makes_room_for_the_last_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
