/* libs: shared vassal_proto http_parser */
/*
 * A request head, read by us and by Debian's libhttp-parser: what both take they understand in the same way (method,
 * target, version, fields, how long the body is, whether the connection goes on). Where only one of the two takes it,
 * that is a difference that we want, and stands in one of the two lists below; any other is a crash.
 *
 * Two readings of one request are how requests are smuggled, so each row says why ours is the right one, or why it
 * does not matter.
 */
#include <http_parser.h>
#include <stdio.h>

#include "vassal/proto/http1.h"

#define LIMIT 8192

/* What we refuse, by our reason, and they may take. */
static const char *const ours_refuses[] = {
	/* RFC 9112 2.2: a lone LF may end a line, or be refused. A proxy that takes it for data smuggles. */
	"bare LF",
	"bare CR",
	"request line does not end in CRLF",
	/* 5.2: folding may be undone, or be refused. */
	"folded line",
	/* 5.1, 9110 5.5: Debian builds them lenient: blanks in names, controls in values */
	"blank before the colon",
	"line without a field name",
	"malformed field name",
	"control character in a field",
	"NUL in a field",
	/* 3.2: they leave Host to their caller. */
	"no Host",
	"Host twice",
	"bad Host",
	/* 3.2.2, 3.2.4: targets that are none for a server that is no proxy. */
	"bad host in the target",
	"target is neither a path nor an http URI",
	"target * without OPTIONS",
	"CONNECT: this is no proxy",
	/* a fragment (3.2: none is sent), a tab or a form feed; they are lenient by a table of their own */
	"malformed target",
	/* 2.3: HTTP/0.9, and other major versions */
	"no HTTP version after the target",
	"malformed HTTP version",
	"HTTP version not supported",
	/* they take several empty lines before a request; 2.2 speaks of one */
	"malformed method",
	/* 6.1: what their caller would have to judge */
	"Transfer-Encoding in HTTP/1.0",
	"Transfer-Encoding twice",
	"empty element in Transfer-Encoding",
	"chunked twice",
	"chunked is not the last transfer coding",
	"transfer coding not supported",
	/* 6.3: with chunked they drop the length */
	"Transfer-Encoding with Content-Length",
	/* beyond int64_t, or more than 19 digits: they count to 2^64 */
	"malformed Content-Length",
	"expectation not supported",
	"NUL in the path",
	/* limits are ours */
	"method too long",
	"too many fields",
	"head too large",
	"request line too long",
};

struct theirs {
	struct http_parser parser;
	struct span url, names[LIMIT_HEADERS], values[LIMIT_HEADERS];
	unsigned fields_n;
	bool in_value, complete, too_many;
};

/* Says what differs before it ends: the input alone does not show it. */
static void same(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "differs: %s\n", what);
	abort();
}

static int on_url(struct http_parser *p, const char *at, size_t n)
{
	struct theirs *t = p->data;

	t->url = span_of(t->url.n > 0 ? t->url.p : at, t->url.n + n);
	return 0;
}

static int on_name(struct http_parser *p, const char *at, size_t n)
{
	struct theirs *t = p->data;

	if (t->in_value || t->fields_n == 0) {
		t->in_value = false;
		t->too_many |= t->fields_n == LIMIT_HEADERS;
		if (t->too_many)
			return 0;
		t->names[t->fields_n++] = span_of(at, 0);
		t->values[t->fields_n - 1] = span_of("", 0);
	}
	t->names[t->fields_n - 1].n += n;
	return 0;
}

static int on_value(struct http_parser *p, const char *at, size_t n)
{
	struct theirs *t = p->data;
	struct span *value = &t->values[t->fields_n - 1];

	t->in_value = true;
	if (!t->too_many)
		*value = span_of(value->n > 0 ? value->p : at, value->n + n);
	return 0;
}

static int on_complete(struct http_parser *p)
{
	struct theirs *t = p->data;

	t->complete = true;
	http_parser_pause(p, 1);
	return 0;
}

static void ask_them(struct theirs *t, const char *p, size_t n)
{
	static const struct http_parser_settings settings = {.on_url = on_url,
							     .on_header_field = on_name,
							     .on_header_value = on_value,
							     .on_headers_complete = on_complete};

	*t = (struct theirs){0};
	http_parser_init(&t->parser, HTTP_REQUEST);
	t->parser.data = t;
	(void)http_parser_execute(&t->parser, &settings, p, n);
}

static bool is_wanted(const char *reason)
{
	for (size_t i = 0; i < ARRAY_SIZE(ours_refuses); i++)
		if (str_eq(ours_refuses[i], reason))
			return true;
	return false;
}

/* Methods are tokens (RFC 9110 9.1); they know some thirty. */
static bool they_know(struct span method)
{
	for (int m = HTTP_DELETE; m <= HTTP_SOURCE; m++)
		if (span_eq(method, span_str(http_method_str((enum http_method)m))))
			return true;
	return false;
}

/*
 * What we take and they may not: methods that they do not know, bytes from 0x80 on in a target, the authority of an
 * absolute-form, versions of two digits that are both ours to read.
 */
static bool they_may_refuse(const struct http_head *h)
{
	if (!they_know(h->method) || h->target.p[0] != '/')
		return true;
	for (size_t i = 0; i < h->target.n; i++)
		if ((unsigned char)h->target.p[i] >= 0x80)
			return true;
	return false;
}

static unsigned count(const struct theirs *t, const char *name)
{
	unsigned n = 0;

	for (unsigned i = 0; i < t->fields_n; i++)
		n += span_eq_nocase(t->names[i], span_str(name));
	return n;
}

/* They do not take blanks at the end of a value away (RFC 9110 5.5), and then do not know it. */
static bool has_blank_end(const struct theirs *t, const char *name)
{
	for (unsigned i = 0; i < t->fields_n; i++)
		if (span_eq_nocase(t->names[i], span_str(name)) && t->values[i].n > 0 &&
		    span_trim(t->values[i]).n < t->values[i].n)
			return true;
	return false;
}

/* How long the body is. */
static void compare_bodies(const struct theirs *t, const struct request *rq)
{
	const struct http_parser *p = &t->parser;

	if (has_blank_end(t, "transfer-encoding"))
		return;
	same((rq->body == BODY_CHUNKED) == ((p->flags & F_CHUNKED) != 0), "chunked");
	same(rq->body != BODY_LENGTH || rq->length == p->content_length, "length");
	same(rq->body != BODY_NONE || p->content_length == UINT64_MAX, "a length");
}

/*
 * Two fields of Connection, or tokens that contradict: close wins here, whatever the version (RFC 9112 9.3). They obey
 * Proxy-Connection, which means no server (C.2.2), and take 1.2 for a version that does not keep alive by itself.
 */
static void compare_connections(const struct theirs *t, const struct request *rq)
{
	const struct http_parser *p = &t->parser;

	if (count(t, "connection") > 1 || count(t, "proxy-connection") > 0 || p->http_minor > 1 ||
	    has_blank_end(t, "connection") ||
	    ((p->flags & F_CONNECTION_CLOSE) && (p->flags & F_CONNECTION_KEEP_ALIVE)))
		return;
	same(rq->keep_alive == (http_should_keep_alive(p) != 0), "keep-alive");
}

static void compare(const struct theirs *t, const struct http_head *h, const struct request *rq)
{
	const struct http_parser *p = &t->parser;

	same(span_eq(h->method, span_str(http_method_str((enum http_method)p->method))), "method");
	same(span_eq(h->target, t->url), "target");
	same(p->http_major == 1 && h->minor == MIN(p->http_minor, (unsigned)1), "version");
	same(t->fields_n == h->fields_n, "number of fields");
	for (unsigned i = 0; i < h->fields_n; i++) {
		same(span_eq(h->fields[i].name, t->names[i]), "name");
		same(span_eq(h->fields[i].value, span_trim(t->values[i])), "value");
	}
	compare_bodies(t, rq);
	compare_connections(t, rq);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct theirs t;
	struct http_head h;
	struct request rq = {0};
	long r;

	ask_them(&t, (const char *)data, size);
	r = http_head_parse((const char *)data, size, LIMIT, 0, &h);
	if (r > 0 && http1_request(&h, &rq) < 0)
		same(!t.complete || is_wanted(rq.reason), rq.reason);
	else if (r > 0 && t.complete)
		compare(&t, &h, &rq);
	else if (r > 0)
		same(they_may_refuse(&h), http_errno_description(HTTP_PARSER_ERRNO(&t.parser)));
	else
		same(!t.complete || (r == HTTP_BAD && is_wanted(h.reason)),
		     r == HTTP_BAD ? h.reason : "not complete");
	return 0;
}
