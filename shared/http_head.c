/*
 * http_head - see http_head.h.
 *
 * One pass from left to right. Each step looks only at bytes that are there and decides only what no further byte
 * can change, so "more" and "bad" are stable: a prefix of a good head is never bad, an extension of a bad one never
 * good, and both say the same status. The limit is applied by showing the steps no byte beyond it.
 */
#include "shared/http_head.h"

#include <endian.h>

#define T  HTTP_TOKEN
#define U  HTTP_TARGET
#define H  HTTP_HOST
#define I6 HTTP_IPV6
#define V  HTTP_VALUE
#define X  HTTP_HEX

/* clang-format off */
const uint8_t http_char_class[256] = {
	['\t'] = V,
	[' ']  = V,
	['!']  = T | U | H | V,
	['"']  =     U     | V,
	['#']  = T         | V,
	['$']  = T | U | H | V,
	['%']  = T | U     | V,
	['&'  ... '\''] = T | U | H | V,
	['('  ... ')']  =     U | H | V,
	['*'  ... '+']  = T | U | H | V,
	[',']  =     U | H | V,
	['-']  = T | U | H | V,
	['.']  = T | U | H | V | I6,
	['/']  =     U     | V,
	['0'  ... '9']  = T | U | H | V | I6 | X,
	[':']  =     U     | V | I6,
	[';']  =     U | H | V,
	['<']  =     U     | V,
	['=']  =     U | H | V,
	['>'  ... '@']  =     U     | V,
	['A'  ... 'F']  = T | U | H | V | I6 | X,
	['G'  ... 'Z']  = T | U | H | V,
	['['  ... ']']  =     U     | V,
	['^']  = T | U     | V,
	['_']  = T | U | H | V,
	['`']  = T | U     | V,
	['a'  ... 'f']  = T | U | H | V | I6 | X,
	['g'  ... 'z']  = T | U | H | V,
	['{']  =     U     | V,
	['|']  = T | U     | V,
	['}']  =     U     | V,
	['~']  = T | U | H | V,
	[0x80 ... 0xff] =     U     | V,
};
/* clang-format on */

static int bad(struct http_head *h, int status, const char *reason)
{
	h->status = status;
	h->reason = reason;
	return HTTP_BAD;
}

static const char *skip(const char *p, const char *end, enum http_char what)
{
	while (p < end && http_char_is(*p, what))
		p++;
	return p;
}

/* Bit 7 of each byte that is a control character; exact up to and including the lowest one. */
static uint64_t controls(uint64_t x)
{
	const uint64_t ones = 0x0101010101010101;
	uint64_t del = x ^ 0x7f * ones;

	return (((x - 0x20 * ones) & ~x) | ((del - ones) & ~del)) & 0x80 * ones;
}

/* To the first byte that may not stand in a value. Values are most of a head: eight bytes at a time. */
static const char *skip_value(const char *p, const char *end)
{
	while (end - p >= 8) {
		uint64_t x;

		memcpy(&x, p, sizeof(x));
		x = controls(le64toh(x));
		if (x == 0) {
			p += 8;
			continue;
		}
		p += __builtin_ctzll(x) / 8;
		if (*p != '\t')
			return p;
		p++;
	}
	return skip(p, end, HTTP_VALUE);
}

static bool is_word(struct span s, const char *lower, size_t n)
{
	if (s.n != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (ascii_lower(s.p[i]) != lower[i])
			return false;
	return true;
}

static bool starts_word(struct span s, struct span lower)
{
	return s.n >= lower.n && is_word(span_of(s.p, lower.n), lower.p, lower.n);
}

struct span http_request_id(struct span value)
{
	if (value.n <= LIMIT_REQUEST_ID - 1 && http_span_is(value, HTTP_TOKEN))
		return value;
	return span_of("", 0);
}

/* What follows a host: nothing, or a colon and a port, which may be empty (RFC 3986 3.2.3). */
static bool split_port(struct span rest, struct span *ret_port)
{
	unsigned port = 0;

	*ret_port = span_of("", 0);
	if (rest.n == 0)
		return true;
	if (rest.p[0] != ':' || rest.n > 6)
		return false;
	for (size_t i = 1; i < rest.n; i++) {
		if (rest.p[i] < '0' || rest.p[i] > '9')
			return false;
		port = port * 10 + (unsigned)(rest.p[i] - '0');
	}
	*ret_port = span_skip(rest, 1);
	return port <= 65535;
}

bool http_host_split(struct span a, struct span *ret_host, struct span *ret_port)
{
	struct span host;
	const char *p;

	if (a.n > 0 && a.p[0] == '[') {
		p = memchr(a.p, ']', a.n);
		if (!p || !http_span_is(span_of(a.p + 1, (size_t)(p - a.p - 1)), HTTP_IPV6))
			return false;
		host = span_of(a.p, (size_t)(p + 1 - a.p));
	} else {
		p = skip(a.p, a.p + a.n, HTTP_HOST);
		host = span_of(a.p, (size_t)(p - a.p));
	}
	if (!split_port(span_skip(a, host.n), ret_port))
		return false;
	if (host.n > 0 && host.p[host.n - 1] == '.')
		host.n--;
	*ret_host = host;
	return host.n > 0 && host.n <= LIMIT_HOST;
}

static void split_query(struct http_head *h, struct span rest)
{
	const char *q = memchr(rest.p, '?', rest.n);

	h->path = q ? span_of(rest.p, (size_t)(q - rest.p)) : rest;
	h->query = q ? span_skip(rest, h->path.n + 1) : span_of("", 0);
}

/* "http://host:port/path": its authority wins over Host (RFC 9112 3.2.2). */
static int absolute_target(struct http_head *h)
{
	struct span rest = h->target;
	size_t n = 0;

	if (starts_word(rest, SPAN("http://")))
		rest = span_skip(rest, 7);
	else if (starts_word(rest, SPAN("https://")))
		rest = span_skip(rest, 8);
	else
		return bad(h, 400, "target is neither a path nor an http URI");
	while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?')
		n++;
	h->authority = span_of(rest.p, n);
	if (!http_host_split(h->authority, &h->host, &h->port))
		return bad(h, 400, "bad host in the target");
	split_query(h, span_skip(rest, n));
	if (h->path.n == 0)
		h->path = SPAN("/");
	return 1;
}

static int judge_target(struct http_head *h)
{
	h->host = h->authority = h->port = h->query = span_of("", 0);
	h->path = h->target;
	if (span_eq(h->method, SPAN("CONNECT")))
		return bad(h, 501, "CONNECT: this is no proxy");
	if (h->target.p[0] == '/') {
		split_query(h, h->target);
		return 1;
	}
	if (span_eq(h->target, SPAN("*")))
		return span_eq(h->method, SPAN("OPTIONS"))
			       ? 1
			       : bad(h, 400, "target * without OPTIONS");
	return absolute_target(h);
}

/* "HTTP/1.1\r\n" */
static int version(struct http_head *h, const char *p, const char *end)
{
	size_t n = (size_t)(end - p);

	if (memcmp(p, "HTTP/", MIN(n, (size_t)5)) != 0)
		return bad(h, 400, "no HTTP version after the target");
	if (n < 10)
		return HTTP_MORE;
	if (p[5] < '0' || p[5] > '9' || p[6] != '.' || p[7] < '0' || p[7] > '9')
		return bad(h, 400, "malformed HTTP version");
	if (p[8] != '\r' || p[9] != '\n')
		return bad(h, 400, "request line does not end in CRLF");
	if (p[5] != '1')
		return bad(h, 505, "HTTP version not supported");
	/* A higher minor version speaks 1.1 too (RFC 9110 2.5). */
	h->minor = p[7] == '0' ? 0 : 1;
	return 10;
}

static long request_line(struct http_head *h, const char *p, const char *end, size_t target_max)
{
	const char *start = p;
	const char *q;
	int r;

	h->method = h->target = span_of("", 0);
	h->hosts_n = h->fields_n = 0;
	if (p < end && *p == '\r') {
		if (end - p < 2)
			return HTTP_MORE;
		if (p[1] != '\n')
			return bad(h, 400, "bare CR");
		p += 2;
	}
	q = skip(p, end, HTTP_TOKEN);
	if (q - p > LIMIT_METHOD)
		return bad(h, 501, "method too long");
	if (q == end)
		return HTTP_MORE;
	if (q == p || *q != ' ')
		return bad(h, 400, "malformed method");
	h->method = span_of(p, (size_t)(q - p));
	p = q + 1;
	q = skip(p, end, HTTP_TARGET);
	if ((size_t)(q - p) > target_max)
		return bad(h, 414, "target too long");
	if (q == end)
		return HTTP_MORE;
	if (q == p || *q != ' ')
		return bad(h, 400, "malformed target");
	h->target = span_of(p, (size_t)(q - p));
	r = version(h, q + 1, end);
	if (r <= 0)
		return r;
	p = q + 1 + r;
	r = judge_target(h);
	return r <= 0 ? r : p - start;
}

static int bad_name(struct http_head *h, char c, bool empty)
{
	if (empty && (c == ' ' || c == '\t'))
		return bad(h, 400, "folded line"); /* RFC 9112 5.2 */
	if (empty)
		return bad(h, 400, "line without a field name");
	if (c == ' ' || c == '\t')
		return bad(h, 400, "blank before the colon"); /* RFC 9112 5.1 */
	return bad(h, 400, "malformed field name");
}

static int bad_value(struct http_head *h, char c)
{
	if (c == '\n')
		return bad(h, 400, "bare LF");
	if (c == '\0')
		return bad(h, 400, "NUL in a field");
	return bad(h, 400, "control character in a field");
}

/* One line, CRLF included: its length. The empty line at the end is left to the caller. */
static long field_line(struct http_head *h, const char *p, const char *end, struct http_field *ret)
{
	const char *q = skip(p, end, HTTP_TOKEN);
	const char *v;
	const char *e;

	if (q == end)
		return HTTP_MORE;
	if (q == p || *q != ':')
		return bad_name(h, *q, q == p);
	v = q + 1;
	e = skip_value(v, end);
	if (e == end)
		return HTTP_MORE;
	if (*e != '\r')
		return bad_value(h, *e);
	if (end - e < 2)
		return HTTP_MORE;
	if (e[1] != '\n')
		return bad(h, 400, "bare CR");
	ret->name = span_of(p, (size_t)(q - p));
	ret->value = span_trim(span_of(v, (size_t)(e - v)));
	return e + 2 - p;
}

/* 2 when the empty line stands at p, 0 = more, 1 = another line. */
static int last_line(struct http_head *h, const char *p, const char *end)
{
	if (p == end)
		return HTTP_MORE;
	if (*p != '\r')
		return 1;
	if (end - p < 2)
		return HTTP_MORE;
	return p[1] == '\n' ? 2 : bad(h, 400, "bare CR");
}

static int note_host(struct http_head *h, struct span value)
{
	struct span host, port;

	if (h->hosts_n++ > 0)
		return 1;
	if (!http_host_split(value, &host, &port))
		return bad(h, 400, "bad Host");
	if (h->host.n > 0)
		return 1;
	h->authority = value;
	h->host = host;
	h->port = port;
	return 1;
}

static long fields(struct http_head *h, const char *p, const char *end, unsigned max)
{
	const char *start = p;
	int last;

	while ((last = last_line(h, p, end)) == 1) {
		struct http_field *f = &h->fields[h->fields_n];
		long r;

		if (h->fields_n == max)
			return bad(h, 431, "too many fields");
		r = field_line(h, p, end, f);
		if (r <= 0)
			return r;
		if (is_word(f->name, "host", 4) && note_host(h, f->value) < 0)
			return HTTP_BAD;
		h->fields_n++;
		p += r;
	}
	return last <= 0 ? last : p + 2 - start;
}

/*
 * Is a new parse worth its time? Only a LF can end a head or show that it is bad in a way that a client waits on: an
 * empty line, or a line that does not end in CRLF.
 */
static bool worth_parsing(const char *p, size_t n, size_t scanned)
{
	const char *at = p + scanned;

	while ((at = memchr(at, '\n', (size_t)(p + n - at)))) {
		size_t before = (size_t)(at - p);

		if (before == 0 || at[-1] != '\r')
			return true;
		if (before >= 2 && at[-2] == '\n')
			return true;
		at++;
	}
	return false;
}

long http_head_parse_within(const char *p, size_t n, const struct http_limits *limits,
			    size_t scanned, struct http_head *ret)
{
	const size_t limit = limits->head;
	const char *end = p + MIN(n, limit);
	long line, rest;

	if (scanned > 0 && scanned <= n && n < limit && !worth_parsing(p, n, scanned))
		return HTTP_MORE;
	line = request_line(ret, p, end, limits->target);
	if (line == HTTP_MORE && n >= limit)
		return bad(ret, 414, "request line too long");
	if (line <= 0)
		return line;
	rest = fields(ret, p + line, end, MIN(limits->fields, (unsigned)LIMIT_HEADERS));
	if (rest == HTTP_MORE && n >= limit)
		return bad(ret, 431, "head too large");
	return rest <= 0 ? rest : line + rest;
}

long http_head_parse(const char *p, size_t n, size_t limit, size_t scanned, struct http_head *ret)
{
	const struct http_limits limits = {limit, limit, LIMIT_HEADERS};

	return http_head_parse_within(p, n, &limits, scanned, ret);
}

static long peek_host(struct http_head *h, const char *p, const char *end)
{
	const char *start = p;
	int last;

	while ((last = last_line(h, p, end)) == 1) {
		struct http_field f;
		long r = field_line(h, p, end, &f);

		if (r <= 0)
			return r;
		p += r;
		if (is_word(f.name, "host", 4))
			return note_host(h, f.value) < 0 ? HTTP_BAD : p - start;
	}
	if (last <= 0)
		return last;
	if (h->minor > 0)
		return bad(h, 400, "no Host"); /* RFC 9112 3.2 */
	return p + 2 - start;
}

long http_head_peek(const char *p, size_t n, size_t limit, struct http_head *ret)
{
	const char *end = p + MIN(n, limit);
	long line = request_line(ret, p, end, limit);
	long rest;

	if (line == HTTP_MORE && n >= limit)
		return bad(ret, 414, "request line too long");
	if (line <= 0 || ret->host.n > 0)
		return line;
	rest = peek_host(ret, p + line, end);
	if (rest == HTTP_MORE && n >= limit)
		return bad(ret, 431, "no Host within the limit");
	return rest <= 0 ? rest : line + rest;
}

bool http_parse_size(struct span digits, uint64_t *ret_size)
{
	uint64_t size = 0;

	if (digits.n == 0 || digits.n > 19)
		return false;
	for (size_t i = 0; i < digits.n; i++) {
		if (digits.p[i] < '0' || digits.p[i] > '9')
			return false;
		size = size * 10 + (uint64_t)(digits.p[i] - '0');
	}
	if (size > INT64_MAX)
		return false;
	*ret_size = size;
	return true;
}
