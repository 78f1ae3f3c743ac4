/* libs: shared */
/*
 * A request head: every prefix of a good one asks for more, a bad one stays bad with the same status, and neither the
 * split nor what was scanned before changes anything. peek and parse agree on what both say.
 */
#include "shared/http_head.h"

#define LIMIT 2048

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_inside(struct span s, const char *p, size_t n)
{
	/* The path of "http://host" is a literal of the parser's. */
	check(s.n == 0 || (s.p >= p && s.p + s.n <= p + n) || span_eq(s, SPAN("/")));
}

static long parse(const char *p, size_t n, size_t scanned, struct http_head *h)
{
	char *copy = malloc(n ? n : 1);
	long r;

	check(copy != NULL);
	memcpy(copy, p, n);
	r = http_head_parse(copy, n, LIMIT, scanned, h);
	free(copy);
	return r;
}

static void check_prefixes(const char *p, size_t n, long whole, const struct http_head *h)
{
	struct http_head part;
	bool was_bad = false;

	/* Not each of a long one: the fuzzer moves the cuts by growing the input. */
	for (size_t i = 0; i < n; i += 1 + n / 64) {
		long r = parse(p, i, 0, &part);

		if (whole > 0)
			check(r == (i < (size_t)whole ? HTTP_MORE : whole));
		if (whole == HTTP_MORE)
			check(r == HTTP_MORE);
		if (whole == HTTP_BAD)
			check(r == HTTP_MORE ? !was_bad
					     : r == HTTP_BAD && part.status == h->status);
		was_bad = r == HTTP_BAD;
	}
}

/* In pieces, each call told what the one before has seen. */
static void check_pieces(const char *p, size_t n, size_t piece, long whole,
			 const struct http_head *h)
{
	struct http_head part;
	size_t scanned = 0;

	for (size_t i = MIN(piece, n); i <= n; i = i < n ? MIN(i + piece, n) : n + 1) {
		long r = parse(p, i, scanned, &part);

		if (r == HTTP_BAD)
			check(whole == HTTP_BAD && part.status == h->status);
		if (r > 0)
			check(r == whole && part.fields_n == h->fields_n && part.minor == h->minor);
		if (r != HTTP_MORE)
			return;
		scanned = i;
	}
	check(whole <= 0);
}

static void check_peek(const char *p, size_t n, long whole, const struct http_head *h)
{
	struct http_head peek;
	long r = http_head_peek(p, n, LIMIT, &peek);

	if (whole > 0) {
		check(r > 0 ? r <= whole : peek.status == 400 && h->host.n == 0 && h->minor == 1);
		if (r > 0)
			check(span_eq(peek.host, h->host) && span_eq(peek.path, h->path) &&
			      span_eq(peek.query, h->query) && peek.minor == h->minor);
	}
	if (r == HTTP_BAD && whole == HTTP_BAD)
		check(peek.status == h->status || h->status == 431);
	if (r == HTTP_MORE)
		check(whole == HTTP_MORE || whole == HTTP_BAD);
}

static void check_fields(const char *p, size_t n, const struct http_head *h)
{
	check_inside(h->host, p, n);
	check_inside(h->path, p, n);
	check_inside(h->query, p, n);
	check(h->path.n > 0 && h->host.n <= LIMIT_HOST && h->fields_n <= LIMIT_HEADERS);
	for (unsigned i = 0; i < h->fields_n; i++) {
		check_inside(h->fields[i].name, p, n);
		check(http_span_is(h->fields[i].name, HTTP_TOKEN));
		check(h->fields[i].value.n == 0 || http_span_is(h->fields[i].value, HTTP_VALUE));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	struct http_head h;
	long whole;

	if (size > LIMIT + 64)
		return 0;
	whole = http_head_parse(p, size, LIMIT, 0, &h);
	check(whole <= (long)size && (whole != HTTP_BAD || h.status >= 400));
	if (whole > 0)
		check_fields(p, (size_t)whole, &h);
	check_peek(p, size, whole, &h);
	check_prefixes(p, size, whole, &h);
	check_pieces(p, size, 1 + size / 64, whole, &h);
	check_pieces(p, size, 1 + size / 3, whole, &h);
	return 0;
}
