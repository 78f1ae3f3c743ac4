/*
 * uwsgi - packets as servers in front send them, and what is read from them; for test_uwsgi.c and test_cgi.c.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "shared/limits.h"
#include "vassal/proto/uwsgi.h"

static const struct request_facts no_facts = {
	.server_name = {"", 0},
	.server_port = {"", 0},
	.remote_addr = {"", 0},
	.remote_port = {"", 0},
	.script_name = {"", 0},
};

/* The packet's end is the allocation's end: see replay.c. */
struct packet {
	char bytes[70000];
	size_t n;
	struct request rq;
	struct vars vars;
	uint8_t room[128 * 1024];
};

static inline void add_string(struct packet *p, const char *s, size_t n)
{
	p->bytes[p->n++] = (char)(n & 0xff);
	p->bytes[p->n++] = (char)(n >> 8);
	memcpy(p->bytes + p->n, s, n);
	p->n += n;
}

static inline void add(struct packet *p, const char *key, const char *value)
{
	add_string(p, key, strlen(key));
	add_string(p, value, strlen(value));
}

static inline void finish(struct packet *p, unsigned modifier)
{
	size_t size = p->n - 4;

	p->bytes[0] = (char)modifier;
	p->bytes[1] = (char)(size & 0xff);
	p->bytes[2] = (char)(size >> 8);
	p->bytes[3] = 0;
}

static inline long parse_part(struct packet *p, size_t n, const struct request_facts *facts)
{
	char *copy = malloc(n ? n : 1);
	long r;

	assert_non_null(copy);
	memcpy(copy, p->bytes, n);
	vars_init(&p->vars, p->room, sizeof(p->room));
	r = uwsgi_parse(copy, n, UINT16_MAX, facts, &p->rq, &p->vars);
	free(copy);
	return r;
}

/* "KEY=value" strings up to NULL; spans of rq point into p->bytes. */
static inline long parse_list(struct packet *p, unsigned modifier,
			      const struct request_facts *facts, const char *const *list)
{
	p->n = 4;
	for (; *list; list++) {
		const char *eq = strchr(*list, '=');

		add_string(p, *list, (size_t)(eq - *list));
		add_string(p, eq + 1, strlen(eq + 1));
	}
	finish(p, modifier);
	vars_init(&p->vars, p->room, sizeof(p->room));
	return uwsgi_parse(p->bytes, p->n, UINT16_MAX, facts, &p->rq, &p->vars);
}

#define PARSE(p, facts, ...) parse_list(p, 0, facts, (const char *const[]){__VA_ARGS__, NULL})

static inline void assert_var(const struct packet *p, const char *name, const char *want)
{
	struct span key, value;
	struct span found = {"", 0};
	unsigned count = 0;
	size_t at = 0;

	while (vars_next(p->vars.p, p->vars.n, &at, &key, &value)) {
		if (!span_eq(key, span_str(name)))
			continue;
		found = value;
		count++;
	}
	assert_int_equal(at, p->vars.n);
	if (count != (want ? 1 : 0))
		fail_msg("%s comes %u times", name, count);
	if (want && !span_eq(found, span_str(want)))
		fail_msg("%s is \"%.*s\", not \"%s\"", name, (int)found.n, found.p, want);
}

static inline void assert_span(struct span s, const char *want)
{
	assert_true(span_eq(s, span_str(want)));
}

static inline struct packet *packet_new(void)
{
	struct packet *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	return p;
}
