/*
 * http1 - a head, what it means, and the environment that an app gets of it; for test_http1*.c.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "vassal/proto/http1.h"

#define POST "POST / HTTP/1.1\r\nHost: a\r\n"

static const struct request_facts facts = {
	.server_name = {"listener", 8},
	.server_port = {"8000", 4},
	.remote_addr = {"192.0.2.7", 9},
	.remote_port = {"4711", 4},
};

/* One request: text stays the caller's, vars lie in room. */
struct seen {
	struct http_head head;
	struct request rq;
	struct vars vars;
	uint8_t room[8192];
};

static inline int judge(struct seen *s, const char *text)
{
	size_t n = strlen(text);

	assert_int_equal(http_head_parse(text, n, LIMIT_HEAD_BYTES, 0, &s->head), n);
	return http1_request(&s->head, &s->rq);
}

static inline void environ_with(struct seen *s, const char *text, const struct request_facts *f)
{
	assert_int_equal(judge(s, text), 0);
	vars_init(&s->vars, s->room, sizeof(s->room));
	http1_vars(&s->head, &s->rq, f, &s->vars);
	assert_false(s->vars.overflow);
}

static inline unsigned count_var(const struct seen *s, const char *name, struct span *ret_value)
{
	struct span key, value;
	unsigned count = 0;
	size_t at = 0;

	while (vars_next(s->vars.p, s->vars.n, &at, &key, &value)) {
		if (!span_eq(key, span_str(name)))
			continue;
		*ret_value = value;
		count++;
	}
	assert_int_equal(at, s->vars.n);
	return count;
}

/* want NULL: the variable must not be there. */
static inline void assert_var(const struct seen *s, const char *name, const char *want)
{
	struct span value;
	unsigned count = count_var(s, name, &value);

	if (count != (want ? 1 : 0))
		fail_msg("%s comes %u times", name, count);
	if (want && !span_eq(value, span_str(want)))
		fail_msg("%s is \"%.*s\", not \"%s\"", name, (int)value.n, value.p, want);
}
