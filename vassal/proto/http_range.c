/*
 * http_range - see http_range.h.
 */
#include "vassal/proto/http_range.h"

static struct span skip_blanks(struct span s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = span_skip(s, 1);
	return s;
}

/* *ret stays as it is without one. Too large is as large as can be: still beyond every file. */
static bool take_number(struct span *s, uint64_t *ret)
{
	uint64_t v = 0;
	size_t i = 0;

	for (; i < s->n && s->p[i] >= '0' && s->p[i] <= '9'; i++) {
		unsigned digit = (unsigned)(s->p[i] - '0');

		v = v > (UINT64_MAX - digit) / 10 ? UINT64_MAX : v * 10 + digit;
	}
	if (i == 0)
		return false;
	*s = span_skip(*s, i);
	*ret = v;
	return true;
}

/* "first-", "first-last" or "-suffix". *ret->n = 0: well formed, and nothing of it is there. */
static bool take_range(struct span *s, uint64_t size, struct http_range *ret)
{
	uint64_t first, last = UINT64_MAX, suffix;
	bool has_first = take_number(s, &first);

	if (s->n == 0 || s->p[0] != '-')
		return false;
	*s = span_skip(*s, 1);
	if (!has_first) {
		if (!take_number(s, &suffix))
			return false;
		ret->n = MIN(suffix, size);
		ret->first = size - ret->n;
		return true;
	}
	if (take_number(s, &last) && last < first)
		return false;
	ret->first = first;
	ret->n = first < size ? MIN(last, size - 1) - first + 1 : 0;
	return true;
}

static bool parse_set(struct span s, uint64_t size, struct http_ranges *ret, unsigned *ret_asked)
{
	*ret_asked = 0;
	ret->n = 0;
	for (;;) {
		struct http_range r;

		s = skip_blanks(s);
		if (s.n == 0)
			return true;
		if (s.p[0] == ',') { /* empty members are to be read (5.6.1.2) */
			s = span_skip(s, 1);
			continue;
		}
		if (*ret_asked == LIMIT_RANGES || !take_range(&s, size, &r))
			return false;
		++*ret_asked;
		if (r.n > 0)
			ret->v[ret->n++] = r;
		s = skip_blanks(s);
		if (s.n > 0 && s.p[0] != ',')
			return false;
	}
}

enum http_range_result http_range_parse(struct span field, uint64_t size, struct http_ranges *ret)
{
	const struct span unit = SPAN("bytes=");
	uint64_t total = 0;
	unsigned asked;

	ret->n = 0;
	if (size == 0) /* a suffix of it would be satisfiable, and Content-Range could not say so */
		return HTTP_RANGE_WHOLE;
	if (field.n < unit.n || !span_eq_nocase(span_of(field.p, unit.n), unit) ||
	    !parse_set(span_skip(field, unit.n), size, ret, &asked) || asked == 0) {
		ret->n = 0;
		return HTTP_RANGE_WHOLE;
	}
	for (unsigned i = 0; i < ret->n; i++)
		total += MIN(ret->v[i].n, UINT64_MAX - total);
	if (total > size) {
		ret->n = 0;
		return HTTP_RANGE_WHOLE;
	}
	return ret->n > 0 ? HTTP_RANGE_PART : HTTP_RANGE_UNSATISFIABLE;
}
