/*
 * Tests of vassal/proto/uwsgi: packets whole, in pieces, of others, and hostile ones.
 */
#include "tests/unit/proto/uwsgi.h"

static void packets_of_others_are_named(void **state)
{
	static const struct {
		char head[4];
		int status;
		const char *reason;
	} cases[] = {
		{{'G', 'E', 'T', ' '}, 400, "HTTP spoken to a uwsgi socket"},
		{{'P', 'O', 'S', 'T'}, 400, "HTTP spoken to a uwsgi socket"},
		{{'P', 0, 1, 0}, 501, "uwsgi modifier not supported"},
		{{5, 1, 0, 0}, 501, "uwsgi modifier not supported"},
		{{(char)173, 1, 0, 0}, 501, "uwsgi modifier not supported"},
		{{0, 0, 0, 0}, 400, "uwsgi packet without variables"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct packet *p = packet_new();

		memcpy(p->bytes, cases[i].head, 4);
		assert_int_equal(parse_part(p, 3, &no_facts), PROTO_MORE);
		assert_int_equal(parse_part(p, 4, &no_facts), PROTO_BAD);
		assert_int_equal(p->rq.status, cases[i].status);
		assert_string_equal(p->rq.reason, cases[i].reason);
		free(p);
	}
}

static void a_ping_is_no_request(void **state)
{
	static const char head[] = {100, 3, 0, 0, 'a', 'b', 'c'};
	struct packet *p = packet_new();

	(void)state;
	memcpy(p->bytes, head, sizeof(head));
	assert_int_equal(parse_part(p, 6, &no_facts), PROTO_MORE);
	assert_int_equal(parse_part(p, 7, &no_facts), 7);
	assert_true(p->rq.ping);
	assert_int_equal(p->vars.n, 0);
	p->bytes[1] = 0;
	assert_int_equal(parse_part(p, 4, &no_facts), 4);
	assert_true(span_eq(uwsgi_pong(), span_of("\x64\0\0\1", 4)));
	free(p);
}

static void every_prefix_asks_for_more(void **state)
{
	struct packet *p = packet_new();
	long r = PARSE(p, &no_facts, "REQUEST_METHOD=GET", "REQUEST_URI=/", "HTTP_HOST=a");
	size_t n = p->n;

	(void)state;
	assert_int_equal(r, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(parse_part(p, i, &no_facts), PROTO_MORE);
	memcpy(p->bytes + n, "body", 4);
	assert_int_equal(parse_part(p, n + 4, &no_facts), n);
	free(p);
}

static void lengths_that_overrun_the_packet_are_refused(void **state)
{
	struct packet *p = packet_new();
	size_t n;

	(void)state;
	assert_true(PARSE(p, &no_facts, "REQUEST_METHOD=GET", "REQUEST_URI=/") > 0);
	n = p->n;
	/* The same pairs, the packet's size cut at every place that is no boundary between pairs. */
	for (size_t size = 1; size < n - 4; size++) {
		const bool boundary = size == 2 + 14 + 2 + 3;

		p->bytes[1] = (char)size;
		assert_int_equal(parse_part(p, n, &no_facts), PROTO_BAD);
		assert_int_equal(p->rq.status, 400);
		if (!boundary)
			assert_string_equal(p->rq.reason, "uwsgi variables overrun the packet");
	}
	free(p);
}

static void too_many_variables_are_431(void **state)
{
	struct packet *p = packet_new();

	(void)state;
	p->n = 4;
	add(p, "REQUEST_METHOD", "GET");
	add(p, "REQUEST_URI", "/");
	for (unsigned i = 0; i < LIMIT_CGI_VARS - 2; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "X_%u", i);
		add(p, key, "v");
	}
	finish(p, 0);
	assert_int_equal(parse_part(p, p->n, &no_facts), p->n);
	add(p, "ONE_MORE", "v");
	finish(p, 0);
	assert_int_equal(parse_part(p, p->n, &no_facts), PROTO_BAD);
	assert_int_equal(p->rq.status, 431);
	free(p);
}

static void variables_beyond_the_limit_are_431_before_they_come(void **state)
{
	struct packet *p = packet_new();
	long r = PARSE(p, &no_facts, "REQUEST_METHOD=GET", "REQUEST_URI=/");
	size_t size = p->n - 4;

	(void)state;
	assert_true(r > 0);
	vars_init(&p->vars, p->room, sizeof(p->room));
	assert_int_equal(uwsgi_parse(p->bytes, 4, size, &no_facts, &p->rq, &p->vars), PROTO_MORE);
	assert_int_equal(uwsgi_parse(p->bytes, p->n, size, &no_facts, &p->rq, &p->vars), p->n);
	assert_int_equal(uwsgi_parse(p->bytes, 4, size - 1, &no_facts, &p->rq, &p->vars),
			 PROTO_BAD);
	assert_int_equal(p->rq.status, 431);
	free(p);
}

static void an_environment_that_does_not_fit_is_431(void **state)
{
	struct packet *p = packet_new();
	long r = PARSE(p, &no_facts, "REQUEST_METHOD=GET", "REQUEST_URI=/");

	(void)state;
	assert_true(r > 0);
	vars_init(&p->vars, p->room, 64);
	assert_int_equal(uwsgi_parse(p->bytes, p->n, UINT16_MAX, &no_facts, &p->rq, &p->vars),
			 PROTO_BAD);
	assert_int_equal(p->rq.status, 431);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_of_others_are_named),
		cmocka_unit_test(a_ping_is_no_request),
		cmocka_unit_test(every_prefix_asks_for_more),
		cmocka_unit_test(lengths_that_overrun_the_packet_are_refused),
		cmocka_unit_test(too_many_variables_are_431),
		cmocka_unit_test(variables_beyond_the_limit_are_431_before_they_come),
		cmocka_unit_test(an_environment_that_does_not_fit_is_431),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
