/*
 * Tests of vassal/proto/scgi: requests as nginx and Apache send them, and hostile ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "shared/limits.h"
#include "vassal/proto/scgi.h"

static const struct request_facts no_facts = {
	.server_name = {"", 0},
	.server_port = {"", 0},
	.remote_addr = {"", 0},
	.remote_port = {"", 0},
	.script_name = {"", 0},
};

struct fixture {
	struct request rq;
	struct vars vars;
	uint8_t room[128 * 1024];
};

/* The bytes' end is the allocation's end. */
static long parse(struct fixture *f, const char *p, size_t n, size_t limit)
{
	char *copy = malloc(n ? n : 1);
	long r;

	assert_non_null(copy);
	memcpy(copy, p, n);
	vars_init(&f->vars, f->room, sizeof(f->room));
	r = scgi_parse(copy, n, limit, &no_facts, &f->rq, &f->vars);
	free(copy);
	return r;
}

static void assert_var(const struct fixture *f, const char *name, const char *want)
{
	struct span key, value;
	size_t at = 0;

	while (vars_next(f->vars.p, f->vars.n, &at, &key, &value)) {
		if (!span_eq(key, span_str(name)))
			continue;
		if (!want || !span_eq(value, span_str(want)))
			fail_msg("%s is \"%.*s\"", name, (int)value.n, value.p);
		return;
	}
	if (want)
		fail_msg("there is no %s", name);
}

/* What nginx 1.22 sends with scgi_params: neither PATH_INFO nor SCRIPT_NAME. */
#define NGINX                                                                                     \
	"CONTENT_LENGTH\0003\0REQUEST_METHOD\0POST\0REQUEST_URI\0/a%20b?c=d\0QUERY_STRING\0c=d\0" \
	"CONTENT_TYPE\0text/plain\0DOCUMENT_URI\0/a b\0DOCUMENT_ROOT\0/srv\0SCGI\0001\0"          \
	"SERVER_PROTOCOL\0HTTP/1.1\0REQUEST_SCHEME\0http\0REMOTE_ADDR\000192.0.2.7\0"             \
	"REMOTE_PORT\0004711\0SERVER_PORT\00080\0SERVER_NAME\0a.example\0HTTP_HOST\0a.example\0"

static size_t netstring(char *to, const char *pairs, size_t n)
{
	int head = sprintf(to, "%zu:", n);

	memcpy(to + head, pairs, n);
	to[(size_t)head + n] = ',';
	return (size_t)head + n + 1;
}

static void nginx_stock_params_make_a_whole_environment(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char bytes[1024];
	size_t n = netstring(bytes, NGINX, sizeof(NGINX) - 1);

	(void)state;
	assert_non_null(f);
	memcpy(bytes + n, "abc", 3);
	assert_int_equal(parse(f, bytes, n + 3, LIMIT_HEAD_BYTES), n);
	assert_int_equal(f->rq.body, BODY_LENGTH);
	assert_int_equal(f->rq.length, 3);
	assert_false(f->rq.keep_alive);
	assert_var(f, "PATH_INFO", "/a b");
	assert_var(f, "SCRIPT_NAME", "");
	assert_var(f, "QUERY_STRING", "c=d");
	assert_var(f, "REQUEST_METHOD", "POST");
	assert_var(f, "CONTENT_LENGTH", "3");
	assert_var(f, "REMOTE_ADDR", "192.0.2.7");
	assert_var(f, "HTTP_HOST", "a.example");
	/* every prefix asks for more */
	for (size_t i = 0; i < n; i++)
		assert_int_equal(parse(f, bytes, i, LIMIT_HEAD_BYTES), PROTO_MORE);
	free(f);
}

static void what_is_malformed_is_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		int status;
		const char *reason;
	} cases[] = {
#define BYTES(s) s, sizeof(s) - 1
		{BYTES("x"), 400, "SCGI request without a length"},
		{BYTES(":"), 400, "SCGI request without a length"},
		{BYTES("-1:"), 400, "SCGI request without a length"},
		{BYTES("01:"), 400, "SCGI length with a zero in front"},
		{BYTES("12345678"), 431, "SCGI request too large"},
		{BYTES("65537:"), 431, "SCGI request too large"},
		{BYTES("24:CONTENT_LENGTH\0000\0SCGI\0001\0;"), 400,
		 "SCGI request without a comma at its end"},
		{BYTES("7:SCGI\0001\0,"), 400,
		 "SCGI request that does not begin with CONTENT_LENGTH"},
		{BYTES("23:CONTENT_LENGTH\0\0SCGI\0001\0,"), 400,
		 "SCGI request that does not begin with CONTENT_LENGTH"},
		{BYTES("17:CONTENT_LENGTH\0000\0,"), 400, "SCGI request that does not say SCGI=1"},
		{BYTES("41:CONTENT_LENGTH\0000\0CONTENT_LENGTH\0009\0SCGI\0001\0,"), 400,
		 "CONTENT_LENGTH twice"},
		{BYTES("16:CONTENT_LENGTH\0000,"), 400, "SCGI variable without an end"},
		{BYTES("24:CONTENT_LENGTH\0000\0SCGI\0001\0,"), 400, "no REQUEST_METHOD"},
		{BYTES("0:,"), 400, "SCGI request that does not say SCGI=1"},
#undef BYTES
	};
	struct fixture *f = calloc(1, sizeof(*f));

	(void)state;
	assert_non_null(f);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(parse(f, cases[i].bytes, cases[i].n, LIMIT_HEAD_BYTES), PROTO_BAD);
		assert_string_equal(f->rq.reason, cases[i].reason);
		assert_int_equal(f->rq.status, cases[i].status);
	}
	free(f);
}

static void the_limit_counts_the_whole_netstring(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char bytes[1024];
	size_t n = netstring(bytes, NGINX, sizeof(NGINX) - 1);

	(void)state;
	assert_non_null(f);
	assert_int_equal(parse(f, bytes, n, n), n);
	assert_int_equal(parse(f, bytes, 8, n - 1), PROTO_BAD);
	assert_int_equal(f->rq.status, 431);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nginx_stock_params_make_a_whole_environment),
		cmocka_unit_test(what_is_malformed_is_refused),
		cmocka_unit_test(the_limit_counts_the_whole_netstring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
