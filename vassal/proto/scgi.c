/*
 * scgi - see scgi.h. What the variables mean is said in cgi.c.
 */
#include "vassal/proto/scgi.h"

#include "vassal/proto/cgi.h"

#define LENGTH_DIGITS 7 /* more than any limit on heads */

/* Up to the next NUL. */
static bool take_string(struct span *rest, struct span *ret)
{
	const char *nul = rest->n > 0 ? memchr(rest->p, '\0', rest->n) : NULL;

	if (!nul)
		return false;
	*ret = span_of(rest->p, (size_t)(nul - rest->p));
	*rest = span_skip(*rest, ret->n + 1);
	return true;
}

/* "123:": MORE, BAD, or the bytes of it; *ret_size is what it says. */
static long take_size(const char *p, size_t n, struct request *rq, size_t *ret_size)
{
	size_t size = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == ':' && i > 0) {
			*ret_size = size;
			return (long)i + 1;
		}
		if (p[i] < '0' || p[i] > '9')
			return cgi_bad(rq, 400, "SCGI request without a length");
		if (i > 0 && size == 0)
			return cgi_bad(rq, 400, "SCGI length with a zero in front");
		if (i == LENGTH_DIGITS)
			return cgi_bad(rq, 431, "SCGI request too large");
		size = size * 10 + (size_t)(p[i] - '0');
	}
	return PROTO_MORE;
}

static int read_pairs(struct span rest, struct cgi_pairs *pairs, struct request *rq)
{
	bool said = false;

	for (bool first = true; rest.n > 0; first = false) {
		struct span name, value;

		if (!take_string(&rest, &name) || !take_string(&rest, &value))
			return cgi_bad(rq, 400, "SCGI variable without an end");
		if (first && (!span_eq(name, SPAN("CONTENT_LENGTH")) || value.n == 0))
			return cgi_bad(rq, 400,
				       "SCGI request that does not begin with CONTENT_LENGTH");
		if (!first && span_eq(name, SPAN("CONTENT_LENGTH")))
			return cgi_bad(rq, 400, "CONTENT_LENGTH twice");
		said |= span_eq(name, SPAN("SCGI")) && span_eq(value, SPAN("1"));
		if (!cgi_add(pairs, name, value))
			return cgi_bad(rq, 431, "too many SCGI variables");
	}
	return said ? 0 : cgi_bad(rq, 400, "SCGI request that does not say SCGI=1");
}

long scgi_parse(const char *p, size_t n, size_t limit, const struct request_facts *facts,
		struct request *ret, struct vars *vars)
{
	struct cgi_pairs pairs;
	size_t size = 0;
	long head;
	int r;

	cgi_begin(&pairs, ret);
	head = take_size(p, n, ret, &size);
	if (head <= 0)
		return head;
	if ((size_t)head + size + 1 > limit)
		return cgi_bad(ret, 431, "SCGI request too large");
	if (n < (size_t)head + size + 1)
		return PROTO_MORE;
	if (p[(size_t)head + size] != ',')
		return cgi_bad(ret, 400, "SCGI request without a comma at its end");
	r = read_pairs(span_of(p + head, size), &pairs, ret);
	if (r == 0)
		r = cgi_request(&pairs, false, facts, ret, vars);
	return r < 0 ? r : head + (long)size + 1;
}
