/*
 * http_accept - see http_accept.h.
 */
#include "vassal/proto/http_accept.h"

static const char *const names[HTTP_CODING_COUNT] = {
	[HTTP_CODING_BR] = "br",
	[HTTP_CODING_ZSTD] = "zstd",
	[HTTP_CODING_GZIP] = "gzip",
	[HTTP_CODING_IDENTITY] = "identity",
};

/* "0", "0.5", "1.000": thousandths (12.4.2). */
static bool parse_q(struct span s, uint16_t *ret)
{
	unsigned v, scale = 100;

	if (s.n < 1 || s.n > 5 || (s.p[0] != '0' && s.p[0] != '1') || (s.n > 1 && s.p[1] != '.'))
		return false;
	v = s.p[0] == '1' ? 1000 : 0;
	for (size_t i = 2; i < s.n; i++, scale /= 10) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v += (unsigned)(s.p[i] - '0') * scale;
	}
	*ret = (uint16_t)v;
	return v <= 1000;
}

static struct span cut(struct span *s, char at)
{
	const char *p = s->n > 0 ? memchr(s->p, at, s->n) : NULL;
	struct span part = span_of(s->p, p ? (size_t)(p - s->p) : s->n);

	*s = span_skip(*s, part.n + (p ? 1 : 0));
	return span_trim(part);
}

static void add_member(struct http_accept *a, struct span member)
{
	struct span name = cut(&member, ';');
	uint16_t q = 1000;

	while (member.n > 0) {
		struct span parameter = cut(&member, ';');

		if (parameter.n < 2 || ascii_lower(parameter.p[0]) != 'q' ||
		    parameter.p[1] != '=' || !parse_q(span_skip(parameter, 2), &q))
			return;
	}
	if (span_eq(name, SPAN("*"))) {
		a->has_star = true;
		a->star = q;
		return;
	}
	if (span_eq_nocase(name, SPAN("x-gzip"))) /* the same (8.4.1.3) */
		name = SPAN("gzip");
	for (unsigned i = 0; i < HTTP_CODING_COUNT; i++)
		if (span_eq_nocase(name, span_str(names[i]))) {
			a->q[i] = q;
			a->listed[i] = true;
			return;
		}
}

void http_accept_add(struct http_accept *a, struct span line)
{
	while (line.n > 0)
		add_member(a, cut(&line, ','));
}

static unsigned quality(const struct http_accept *a, enum http_coding coding)
{
	if (a->listed[coding])
		return a->q[coding];
	if (a->has_star)
		return a->star;
	return coding == HTTP_CODING_IDENTITY; /* acceptable unless excluded, and the last choice */
}

enum http_coding http_accept_choose(const struct http_accept *a, unsigned available)
{
	enum http_coding best = HTTP_CODING_COUNT;
	unsigned best_q = 0;

	for (unsigned i = 0; i < HTTP_CODING_COUNT; i++) {
		unsigned q = available & 1U << i ? quality(a, (enum http_coding)i) : 0;

		if (q > best_q) {
			best = (enum http_coding)i;
			best_q = q;
		}
	}
	return best;
}

const char *http_coding_name(enum http_coding coding)
{
	return coding < HTTP_CODING_IDENTITY ? names[coding] : "";
}
