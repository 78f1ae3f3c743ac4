/* handback: whose request is it? */
#include "rig.h"

#include "vassal/front/handback.h"

struct question {
	const char *host, *path;
	uint16_t flags;
	uint32_t epoch;
	bool foreign;
};

/* The route: host blog.example, /app without /app/other, epoch 7. */
static struct route *route(uint16_t flags, bool has_host)
{
	static const char carve[] = "/app/other";
	struct route *r = calloc(1, sizeof(*r) + 4 + sizeof(carve));

	assert_non_null(r);
	r->epoch = 7;
	r->flags = flags;
	memcpy(r->text, "/app", 4);
	memcpy(r->text + 4, carve, sizeof(carve));
	r->script = span_of(r->text, 4);
	r->carve = span_of(r->text + 4, sizeof(carve));
	r->has_host = has_host;
	if (has_host) {
		r->host_n = 12;
		memcpy(r->host, "blog.example", 12);
	}
	return r;
}

static void only_what_the_gates_word_covers_is_answered_here(void **state)
{
	static const struct question questions[] = {
		{"blog.example", "/app", 0, 7, false},
		{"blog.example", "/app/x", 0, 7, false},
		{"BLOG.Example", "/app/x", 0, 7, false},
		{"shop.example", "/app/x", 0, 7, true},
		{"blog.example.", "/app/x", 0, 7, true},
		{"", "/app/x", 0, 7, true},
		{"blog.example", "/", 0, 7, true},
		{"blog.example", "/apple", 0, 7, true},
		{"blog.example", "/app/other", 0, 7, true},
		{"blog.example", "/app/other/x", 0, 7, true},
		{"blog.example", "/app/others", 0, 7, false},
		{"blog.example", "/app/x", 0, 8, true}, /* any route has changed since */
		{"blog.example", "/app/x", PASS_BOUNCE, 7, true},
	};
	struct front *f = rig_make(2, 2);
	struct conn *c;
	int end;

	(void)state;
	c = rig_ask(f, "GET", &end);
	f->gate.fd = 0; /* there is a gate; nothing is sent here */
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		const struct question *q = &questions[i];
		struct request rq = {.host = span_str(q->host), .path = span_str(q->path)};
		_Atomic uint32_t epoch = q->epoch;

		f->epoch = &epoch;
		c->route = route(q->flags, true);
		if (handback_is_foreign(c, &rq) != q->foreign)
			fail_msg("%s%s", q->host, q->path);
		free(TAKE_PTR(c->route));
	}
	f->epoch = NULL;
	f->gate.fd = -1;
	(void)close(end);
	rig_free(f);
}

static void the_first_request_is_ours_and_names_the_host(void **state)
{
	struct front *f = rig_make(2, 2);
	struct request first = {.host = SPAN("shop.example"), .path = SPAN("/app")};
	struct request other = {.host = SPAN("blog.example"), .path = SPAN("/app")};
	_Atomic uint32_t epoch = 7;
	struct conn *c;
	int end;

	(void)state;
	c = rig_ask(f, "GET", &end);
	f->gate.fd = 0;
	f->epoch = &epoch;
	c->route = route(0, false);
	assert_false(handback_is_foreign(c, &first));
	assert_false(handback_is_foreign(c, &first));
	assert_true(handback_is_foreign(c, &other));
	free(TAKE_PTR(c->route));
	/* one whose carve-outs did not fit as well, or it would go to and fro for ever; the second is not */
	c->route = route(PASS_BOUNCE, false);
	assert_false(handback_is_foreign(c, &first));
	assert_true(handback_is_foreign(c, &first));
	f->epoch = NULL;
	f->gate.fd = -1;
	(void)close(end);
	rig_free(f);
}

static void without_a_gate_or_on_an_own_address_everything_is_ours(void **state)
{
	struct front *f = rig_make(2, 2);
	struct request rq = {.host = SPAN("any.example"), .path = SPAN("/")};
	struct conn *c;
	int end;

	(void)state;
	c = rig_ask(f, "GET", &end);
	assert_false(handback_is_foreign(c, &rq));
	c->route = route(0, true);
	assert_false(handback_is_foreign(c, &rq));
	(void)close(end);
	rig_free(f);
}

static void the_heir_knows_whose_connection_it_is_without_asking(void **state)
{
	static char buf[PASS_BUF_SIZE] __attribute__((aligned(8)));
	struct front *f = rig_make(2, 2);
	struct pass got;
	struct conn *c;
	int pair[2];
	int end;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	c = rig_ask(f, "", &end);
	c->own_listener = false;
	c->opened = true;
	c->route = route(0, true);
	f->heir_fd = pair[0];
	f->phase = PHASE_DRAINING;
	handback_idle(f);
	assert_int_equal(f->conns_n, 0);
	assert_int_equal(pass_recv(pair[1], buf, sizeof(buf), &got, NULL), 1);
	assert_int_equal(got.head.flags, PASS_HOST);
	assert_int_equal(got.head.epoch, 7);
	assert_true(span_eq(got.host, SPAN("blog.example")));
	assert_true(span_eq(got.script, SPAN("/app")));
	(void)close(got.fd);
	/* one that came by the PROXY protocol is introduced again */
	(void)close(end);
	c = rig_ask(f, "", &end);
	c->opened = c->proxied = true;
	(void)snprintf(c->addr, sizeof(c->addr), "192.0.2.7");
	(void)snprintf(c->port, sizeof(c->port), "4711");
	handback_idle(f);
	assert_int_equal(pass_recv(pair[1], buf, sizeof(buf), &got, NULL), 1);
	assert_int_equal(got.head.flags, PASS_OWN_LISTENER | PASS_UNOPENED);
	assert_true(span_eq(got.bytes, SPAN("PROXY TCP4 192.0.2.7 0.0.0.0 4711 0\r\n")));
	(void)close(got.fd);
	/* one that has something to read yet stays until it has it: our bytes do not go along */
	(void)close(end);
	c = rig_ask(f, "", &end);
	c->opened = true;
	c->protocol = PROTO_FASTCGI;
	assert_int_equal(spool_append(&c->out, &f->out_limits, &f->disk, NULL, c, "x", 1), 0);
	handback_idle(f);
	assert_int_equal(f->conns_n, 1);
	spool_done(&c->out);
	handback_idle(f);
	assert_int_equal(f->conns_n, 0);
	assert_int_equal(pass_recv(pair[1], buf, sizeof(buf), &got, NULL), 1);
	(void)close(got.fd);
	/* an heir that died takes nothing more, and is not waited for */
	(void)close(end);
	c = rig_ask(f, "", &end);
	c->route = route(0, true);
	(void)close(pair[1]);
	handback_idle(f);
	assert_int_equal(f->heir_fd, -1);
	assert_int_equal(f->conns_n, 1);
	(void)close(end);
	rig_free(f);
}

/* Of FastCGI a web server may ask something before its next request: the answer is not the heir's to finish. */
static void nobody_moves_before_what_was_said_to_it_has_left(void **state)
{
	static char rest[4096], buf[PASS_BUF_SIZE] __attribute__((aligned(8)));
	struct front *f = rig_make(2, 2);
	struct iovec last = {rest, 8};
	struct pass got;
	struct conn *c;
	bool closed;
	int pair[2];
	int end;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	c = rig_ask(f, "", &end);
	c->opened = true;
	f->heir_fd = pair[0];
	f->phase = PHASE_DRAINING;
	while (write(c->fd, rest, sizeof(rest)) > 0)
		;
	assert_int_equal(conn_write(c, &last, 1), 0);
	assert_false(spool_empty(&c->out));
	handback_idle(f);
	assert_int_equal(f->conns_n, 1);
	while (rig_read(end, buf, sizeof(buf), &closed) > 0)
		conn_flush(c);
	assert_true(spool_empty(&c->out));
	assert_true(timer_is_set(&c->timer));
	handback_idle(f);
	assert_int_equal(f->conns_n, 0);
	assert_int_equal(pass_recv(pair[1], buf, sizeof(buf), &got, NULL), 1);
	(void)close(got.fd);
	(void)close(pair[1]);
	(void)close(end);
	rig_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_the_gates_word_covers_is_answered_here),
		cmocka_unit_test(the_first_request_is_ours_and_names_the_host),
		cmocka_unit_test(the_heir_knows_whose_connection_it_is_without_asking),
		cmocka_unit_test(nobody_moves_before_what_was_said_to_it_has_left),
		cmocka_unit_test(without_a_gate_or_on_an_own_address_everything_is_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
