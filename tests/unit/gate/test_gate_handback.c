/*
 * gate: connections that a front hands back find the next app or are closed; hostile ones do no harm.
 */
#include "tests/unit/gate/world.h"

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

static void who_waits_for_an_app_that_goes_gets_the_one_that_has_its_name_by_then(void **state)
{
	static const char question[] = "GET /a HTTP/1.1\r\nHost: blog.example\r\n\r\n";
	const struct role_msg gone = {.kind = GATE_APP_GONE, .app = BLOG};
	struct world *w = *state;

	for (unsigned i = 0; i < 2; i++) {
		int fd = dial(w);
		struct pass p;

		say(fd, question);
		assert_false(nothing_waits(w, BLOG));
		tell_one_route(w, SHOP);
		if (i == 0)
			tell_state(w, BLOG, GATE_DOWN);
		else
			tell(w, &gone, NULL, NULL, 0);
		p = take_pass(w, SHOP);
		assert_true(span_eq(p.bytes, span_str(question)));
		assert_true(nothing_waits(w, BLOG));
		(void)close(p.fd);
		(void)close(fd);
		tell_routes(w, 1);
		tell_state(w, BLOG, GATE_SERVING);
	}
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

/*
 * Whoever gets one request of a proxy has no other to give back: with its bytes it could say to another user's app what
 * only the proxy may say, of whose word nobody can tell it.
 */
static void one_request_of_a_crowd_is_all_that_an_app_gets(void **state)
{
	static const char forged[] = "GET /shop HTTP/1.1\r\nHost: blog.example\r\n"
				     "X-Forwarded-For: 192.0.2.1\r\n\r\n";
	struct world *w = *state;
	struct pass p;
	int fd;

	for (unsigned i = 0; i < 2; i++) { /* with a request, and idle */
		fd = dial_unix(w);
		say(fd, "GET / HTTP/1.1\r\nHost: blog.example\r\n\r\n");
		p = take_pass(w, BLOG);
		assert_int_equal(p.head.flags, PASS_ONE_REQUEST);
		assert_int_equal(give_back(w, BLOG, p.fd, i == 0 ? forged : ""), 0);
		(void)close(p.fd);
		if (i == 0)
			expect_status(fd, 503);
		else
			assert_string_equal(hear(fd), "");
	}
	assert_true(nothing_waits(w, SHOP));
	/* among the apps of one user it is the same as with anybody's connection */
	tell_app(w, SHOP, 1000 + BLOG);
	settle(w);
	fd = dial_unix(w);
	say(fd, "GET / HTTP/1.1\r\nHost: blog.example\r\n\r\n");
	p = take_pass(w, BLOG);
	assert_int_equal(give_back(w, BLOG, p.fd, forged), 0);
	(void)close(p.fd);
	p = take_pass(w, SHOP);
	(void)close(p.fd);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(who_waits_for_an_app_that_goes_gets_the_one_that_has_its_name_by_then),
		CASE(what_a_front_hands_back_finds_its_app),
		CASE(an_idle_connection_of_an_app_that_ends_serves_another),
		CASE(half_a_head_may_be_handed_back),
		CASE(hostile_hand_backs_are_closed),
		CASE(a_crowd_gets_one_request_unless_all_apps_are_one_users),
		CASE(one_request_of_a_crowd_is_all_that_an_app_gets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
