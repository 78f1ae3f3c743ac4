/*
 * Tests of vassal/proto/fastcgi: what each record leads to, in whatever pieces it comes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "shared/limits.h"
#include "vassal/proto/fastcgi.h"

#define MAX_CONNS 99

/* Records, written as a web server would. */
struct wire {
	char p[8192];
	size_t n;
};

static void put_record(struct wire *w, unsigned type, unsigned id, const void *content, size_t n,
		       unsigned padding)
{
	const uint8_t head[8] = {1,
				 (uint8_t)type,
				 (uint8_t)(id >> 8),
				 (uint8_t)id,
				 (uint8_t)(n >> 8),
				 (uint8_t)n,
				 (uint8_t)padding,
				 0x55};

	memcpy(w->p + w->n, head, 8);
	if (n > 0)
		memcpy(w->p + w->n + 8, content, n);
	memset(w->p + w->n + 8 + n, 0xee, padding);
	w->n += 8 + n + padding;
}

static void put_begin(struct wire *w, unsigned id, unsigned role, unsigned flags)
{
	const uint8_t body[8] = {(uint8_t)(role >> 8), (uint8_t)role, (uint8_t)flags};

	put_record(w, 1, id, body, sizeof(body), 0);
}

/* The events of all bytes, as text: what a test looks at. piece: bytes of each feed. */
struct log {
	char text[1024];
	size_t n;
	char last; /* a run of payload pieces is one letter */
};

static void note(struct log *l, const char *word, char kind)
{
	if (kind && l->last == kind)
		return;
	l->last = kind;
	l->n += (size_t)snprintf(l->text + l->n, sizeof(l->text) - l->n, "%s ", word);
}

static void note_bytes(struct log *l, const char *word, const uint8_t *p, size_t n)
{
	note(l, word, 0);
	for (size_t i = 0; i < n; i++)
		l->n += (size_t)snprintf(l->text + l->n, sizeof(l->text) - l->n, "%02x", p[i]);
	note(l, "", 0);
}

struct heard {
	struct log log;
	char params[4096], data[4096];
	size_t params_n, data_n;
};

static void hear(struct fastcgi *s, const char *p, size_t n, struct heard *h)
{
	size_t at = 0;
	enum fastcgi_event event;

	do {
		struct span payload;

		at += fastcgi_feed(s, p + at, n - at, MAX_CONNS, &event, &payload);
		assert_true(at <= n);
		switch (event) {
		case FASTCGI_PARAMS:
			note(&h->log, "params", 'p');
			memcpy(h->params + h->params_n, payload.p, payload.n);
			h->params_n += payload.n;
			break;
		case FASTCGI_DATA:
			note(&h->log, "data", 'd');
			memcpy(h->data + h->data_n, payload.p, payload.n);
			h->data_n += payload.n;
			break;
		case FASTCGI_READY:
			note(&h->log, "ready", 0);
			break;
		case FASTCGI_DONE:
			note(&h->log, "done", 0);
			break;
		case FASTCGI_ABORT:
			note(&h->log, "abort", 0);
			break;
		case FASTCGI_ANSWER:
			note_bytes(&h->log, s->hangs_up ? "last" : "answer", s->reply, s->reply_n);
			break;
		case FASTCGI_BAD:
			note(&h->log, s->reason, 0);
			break;
		case FASTCGI_MORE:
			break;
		}
	} while (event != FASTCGI_MORE && event != FASTCGI_BAD);
	if (event == FASTCGI_MORE)
		assert_int_equal(at, n);
}

/* In one piece, byte by byte, and in pieces of seven: always the same is heard. */
static void assert_heard(const struct wire *w, const char *want, struct heard *ret)
{
	static const size_t pieces[] = {8192, 1, 7};

	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		struct fastcgi s = {0};
		struct heard h = {0};

		for (size_t at = 0; at < w->n && !s.reason; at += pieces[i]) {
			size_t n = MIN(pieces[i], w->n - at);
			char *copy = malloc(n);

			assert_non_null(copy);
			memcpy(copy, w->p + at, n);
			hear(&s, copy, n, &h);
			free(copy);
		}
		assert_string_equal(h.log.text, want);
		if (ret)
			*ret = h;
	}
}

static void a_request_is_told_in_its_parts(void **state)
{
	struct wire w = {0};
	struct heard h;

	(void)state;
	put_begin(&w, 1, 1, 1);
	put_record(&w, 4, 1, "\1\1ab", 4, 4);
	put_record(&w, 4, 1, "\1\1cd", 4, 0);
	put_record(&w, 4, 1, "", 0, 0);
	put_record(&w, 5, 1, "hello", 5, 3);
	put_record(&w, 5, 1, " you", 4, 0);
	put_record(&w, 5, 1, "", 0, 8);
	put_record(&w, 5, 1, "", 0, 0); /* once more: harmless */
	assert_heard(&w, "params ready data done ", &h);
	assert_true(span_eq(span_of(h.params, h.params_n), SPAN("\1\1ab\1\1cd")));
	assert_true(span_eq(span_of(h.data, h.data_n), SPAN("hello you")));
}

static void records_lead_to_what_the_specification_says(void **state)
{
	struct record {
		unsigned type, id;
		const char *content;
		size_t n;
	};
	static const struct {
		const char *name;
		struct record records[5];
		const char *want;
	} cases[] = {
#define BEGIN(id, role, flags) {1, id, role flags "\0\0\0\0\0", 8}
#define RESPONDER              "\0\1"
		{"a role that is none of ours",
		 {BEGIN(1, "\0\2", "\1"), {4, 1, "\1\1ab", 4}, BEGIN(1, RESPONDER, "\0")},
		 "answer 01030001000800000000000003000000 "},
		{"the same, and the connection is not to be kept",
		 {BEGIN(1, "\0\2", "\0")},
		 "last 01030001000800000000000003000000 "},
		{"a second request beside the first",
		 {BEGIN(1, RESPONDER, "\1"),
		  BEGIN(2, RESPONDER, "\1"),
		  {4, 2, "\1\1ab", 4},
		  {4, 1, "\1\1cd", 4},
		  {4, 1, "", 0}},
		 "answer 01030002000800000000000001000000 params ready "},
		{"an abort", {BEGIN(1, RESPONDER, "\1"), {2, 1, "", 0}}, "abort "},
		{"an abort of nothing",
		 {{2, 1, "", 0}, BEGIN(1, RESPONDER, "\1"), {2, 2, "", 0}},
		 ""},
		{"values",
		 {{9, 0, "\017\0FCGI_MPXS_CONNS\016\0FCGI_MAX_CONNS\1\0x", 2 + 15 + 2 + 14 + 3}},
		 "answer 010a0000002400000e02464347495f4d41585f434f4e4e5339390f01464347495f4d5058"
		 "535f434f4e4e5330 "},
		{"values, malformed", {{9, 0, "\017\0FCGI", 6}}, "malformed FastCGI question "},
		{"values, without a name", {{9, 0, "", 0}}, "answer 010a000000000000 "},
		{"a type of a later version",
		 {{77, 0, "abc", 3}},
		 "answer 010b0000000800004d00000000000000 "},
		{"begun twice",
		 {BEGIN(1, RESPONDER, "\1"), BEGIN(1, RESPONDER, "\1")},
		 "FastCGI request begun twice "},
		{"too short a beginning", {{1, 1, "\0\1\1", 3}}, "malformed FastCGI begin "},
		{"a request without a number",
		 {BEGIN(0, RESPONDER, "\1")},
		 "FastCGI record without a request "},
		{"a body before the parameters end",
		 {BEGIN(1, RESPONDER, "\1"), {5, 1, "x", 1}},
		 "FastCGI body out of its place "},
		{"a body behind its end",
		 {BEGIN(1, RESPONDER, "\1"), {4, 1, "", 0}, {5, 1, "", 0}, {5, 1, "x", 1}},
		 "ready done FastCGI body out of its place "},
		{"parameters behind their end",
		 {BEGIN(1, RESPONDER, "\1"), {4, 1, "", 0}, {4, 1, "\1\1ab", 4}},
		 "ready FastCGI parameters after their end "},
		{"a record of an application",
		 {{6, 1, "x", 1}},
		 "FastCGI record that no web server sends "},
		{"of nobody", {{4, 7, "\1\1ab", 4}, {5, 7, "x", 1}}, ""},
#undef RESPONDER
#undef BEGIN
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct wire w = {0};

		for (size_t k = 0; k < 5 && cases[i].records[k].type > 0; k++) {
			const struct record *r = &cases[i].records[k];

			put_record(&w, r->type, r->id, r->content, r->n, (unsigned)k % 3);
		}
		print_message("%s\n", cases[i].name);
		assert_heard(&w, cases[i].want, NULL);
	}
}

static void another_version_is_refused(void **state)
{
	struct wire w = {0};

	(void)state;
	put_begin(&w, 1, 1, 0);
	w.p[0] = 2;
	assert_heard(&w, "FastCGI record of another version ", NULL);
}

static void a_question_has_its_length(void **state)
{
	static const char names[LIMIT_FASTCGI_QUESTION + 1];
	struct wire w = {0};

	(void)state;
	put_record(&w, 9, 0, names, LIMIT_FASTCGI_QUESTION, 0);
	assert_heard(&w, "answer 010a000000000000 ", NULL);
	w.n = 0;
	put_record(&w, 9, 0, names, LIMIT_FASTCGI_QUESTION + 1, 0);
	assert_heard(&w, "FastCGI question too long ", NULL);
}

static void who_only_asks_is_ended(void **state)
{
	struct wire w = {0};
	struct fastcgi s = {0};
	struct heard h = {0};

	(void)state;
	put_record(&w, 9, 0, "", 0, 0);
	for (unsigned i = 0; i < LIMIT_FASTCGI_QUESTIONS; i++)
		hear(&s, w.p, w.n, &h);
	assert_null(s.reason);
	hear(&s, w.p, w.n, &h);
	assert_string_equal(s.reason, "FastCGI questions without a request");
	/* for ever, whatever comes */
	h = (struct heard){0};
	hear(&s, w.p, w.n, &h);
	assert_string_equal(h.log.text, "FastCGI questions without a request ");
	fastcgi_finish(&s);
	assert_int_equal(s.id, 0);
	hear(&s, w.p, w.n, &h);
	assert_string_equal(h.log.text, "FastCGI questions without a request "
					"FastCGI questions without a request ");
}

static void requests_come_one_after_another(void **state)
{
	struct fastcgi s = {0};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct wire w = {0};
		struct heard h = {0};

		put_begin(&w, 1, 1, i < 2);
		put_record(&w, 4, 1, "\1\1ab", 4, 0);
		put_record(&w, 4, 1, "", 0, 0);
		put_record(&w, 5, 1, "", 0, 0);
		assert_int_equal(s.id, 0);
		assert_false(fastcgi_is_complete(&s));
		hear(&s, w.p, w.n, &h);
		assert_string_equal(h.log.text, "params ready done ");
		assert_true(fastcgi_is_complete(&s));
		assert_int_equal(s.keep_conn, i < 2);
		assert_int_equal(s.id, 1);
		fastcgi_finish(&s);
	}
}

/* -- parameters ----------------------------------------------------------------------------------------- */

static const struct request_facts no_facts = {
	.server_name = {"", 0},
	.server_port = {"", 0},
	.remote_addr = {"", 0},
	.remote_port = {"", 0},
	.script_name = {"", 0},
};

static void assert_var(const struct vars *vars, const char *name, const char *want)
{
	struct span key, value;
	size_t at = 0;

	while (vars_next(vars->p, vars->n, &at, &key, &value))
		if (span_eq(key, span_str(name))) {
			assert_true(span_eq(value, span_str(want)));
			return;
		}
	fail_msg("there is no %s", name);
}

static void put_pair(struct wire *w, const char *name, const char *value, size_t value_n)
{
	size_t name_n = strlen(name);

	w->p[w->n++] = (char)name_n;
	if (value_n > 127) {
		w->p[w->n++] = (char)(0x80 | value_n >> 24);
		w->p[w->n++] = (char)(value_n >> 16);
		w->p[w->n++] = (char)(value_n >> 8);
	}
	w->p[w->n++] = (char)value_n;
	memcpy(w->p + w->n, name, name_n);
	memcpy(w->p + w->n + name_n, value, value_n);
	w->n += name_n + value_n;
}

static void nginx_stock_params_make_a_whole_environment(void **state)
{
	static uint8_t room[16384];
	struct wire w = {0};
	struct request rq;
	struct vars vars;
	char uri[2000];

	(void)state;
	memset(uri, 'x', sizeof(uri));
	uri[0] = '/';
	put_pair(&w, "REQUEST_METHOD", "POST", 4);
	put_pair(&w, "SCRIPT_NAME", uri, sizeof(uri));
	put_pair(&w, "DOCUMENT_URI", uri, sizeof(uri));
	put_pair(&w, "REQUEST_URI", uri, sizeof(uri));
	put_pair(&w, "QUERY_STRING", "", 0);
	put_pair(&w, "CONTENT_LENGTH", "12", 2);
	put_pair(&w, "HTTP_HOST", "a.example", 9);
	put_pair(&w, "REDIRECT_STATUS", "200", 3);
	vars_init(&vars, room, sizeof(room));
	assert_int_equal(fastcgi_request(w.p, w.n, &no_facts, &rq, &vars), 0);
	assert_int_equal(rq.body, BODY_RECORDS);
	assert_true(rq.has_length);
	assert_int_equal(rq.length, 12);
	assert_int_equal(rq.path.n, sizeof(uri));
	assert_var(&vars, "SCRIPT_NAME", "");
	assert_var(&vars, "CONTENT_LENGTH", "12");
	assert_var(&vars, "REDIRECT_STATUS", "200");
	/* cut anywhere but between two pairs */
	for (size_t n = 1; n < 40; n++) {
		vars_init(&vars, room, sizeof(room));
		assert_int_equal(fastcgi_request(w.p, n, &no_facts, &rq, &vars), PROTO_BAD);
		assert_int_equal(rq.status, 400);
		if (n != 20)
			assert_string_equal(rq.reason, "FastCGI parameters overrun their end");
	}
}

static void lengths_that_lie_are_refused(void **state)
{
	static const char *const lies[] = {"\1",
					   "\x80",
					   "\x80\0\0",
					   "\xff\xff\xff\xff\1ab",
					   "\1\xff\xff\xff\xff"
					   "a",
					   "\1\2ab"};
	static uint8_t room[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		size_t n = i == 2 ? 3 : strlen(lies[i]);
		struct request rq;
		struct vars vars;

		vars_init(&vars, room, sizeof(room));
		assert_int_equal(fastcgi_request(lies[i], n, &no_facts, &rq, &vars), PROTO_BAD);
		assert_string_equal(rq.reason, "FastCGI parameters overrun their end");
	}
}

/* -- answers -------------------------------------------------------------------------------------------- */

/* Takes records apart again: total payload, and whether all heads were right. */
static size_t payload_of(const struct span *out, size_t n, uint16_t id, char *to)
{
	size_t got = 0, left = 0;

	for (size_t i = 0; i < n; i++) {
		const uint8_t *p = (const uint8_t *)out[i].p;

		if (left == 0) {
			assert_int_equal(out[i].n, FASTCGI_HEAD);
			assert_int_equal(p[0], 1);
			assert_int_equal(p[1], 6);
			assert_int_equal(p[2] << 8 | p[3], id);
			left = (size_t)p[4] << 8 | p[5];
			assert_true(left > 0 && p[6] == 0);
			continue;
		}
		assert_true(out[i].n <= left);
		memcpy(to + got, out[i].p, out[i].n);
		got += out[i].n;
		left -= out[i].n;
	}
	assert_int_equal(left, 0);
	return got;
}

static void an_answer_becomes_records(void **state)
{
	static char big[200000], back[200000 + 32];
	uint8_t heads[8][FASTCGI_HEAD];
	struct span out[16];
	const struct span in[] = {SPAN("Status: 200 OK\r\n\r\n"), {big, 0}, {big, sizeof(big)}};
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7 >> 3);
	n = fastcgi_stdout(513, in, 2, heads, 8, out, 16);
	assert_int_equal(n, 2);
	assert_int_equal(payload_of(out, n, 513, back), in[0].n);
	n = fastcgi_stdout(513, in, 3, heads, 8, out, 16);
	assert_int_equal(payload_of(out, n, 513, back), in[0].n + sizeof(big));
	assert_memory_equal(back + in[0].n, big, sizeof(big));
	assert_int_equal(fastcgi_stdout(1, in, 3, heads, 3, out, 16), 0);
	assert_int_equal(fastcgi_stdout(1, in, 3, heads, 8, out, 5), 0);
	assert_int_equal(fastcgi_stdout(1, in + 1, 1, heads, 8, out, 16), 0);
}

static void the_end_is_two_records(void **state)
{
	static const uint8_t want[FASTCGI_ENDING] = {1, 6, 2, 1, 0, 0, 0, 0, 1, 3, 2, 1, 0, 8};
	uint8_t buf[FASTCGI_ENDING];

	(void)state;
	fastcgi_end(buf, 513, FASTCGI_COMPLETE);
	assert_memory_equal(buf, want, sizeof(want));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_told_in_its_parts),
		cmocka_unit_test(records_lead_to_what_the_specification_says),
		cmocka_unit_test(another_version_is_refused),
		cmocka_unit_test(a_question_has_its_length),
		cmocka_unit_test(who_only_asks_is_ended),
		cmocka_unit_test(requests_come_one_after_another),
		cmocka_unit_test(nginx_stock_params_make_a_whole_environment),
		cmocka_unit_test(lengths_that_lie_are_refused),
		cmocka_unit_test(an_answer_becomes_records),
		cmocka_unit_test(the_end_is_two_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
