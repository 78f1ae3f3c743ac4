/*
 * http_cond - see http_cond.h. A tag may hold commas, so lists of them are parsed, not split. What comes after a
 * malformed member is not looked at: then nothing matches, which costs If-None-Match a transfer and refuses If-Match.
 */
#include "vassal/proto/http_cond.h"

#include "vassal/proto/http_date.h"

struct tag {
	bool weak;
	struct span opaque; /* with its quotes */
};

void http_lines_add(struct http_lines *l, struct span value)
{
	if (l->n < ARRAY_SIZE(l->v))
		l->v[l->n++] = value;
}

static bool is_etagc(char c)
{
	unsigned char u = (unsigned char)c;

	return u == 0x21 || (u >= 0x23 && u != 0x7f);
}

/* One entity-tag from the front of s (RFC 9110 8.8.3). */
static bool take_tag(struct span *s, struct tag *ret)
{
	size_t n = 1;

	ret->weak = span_starts(*s, SPAN("W/"));
	if (ret->weak)
		*s = span_skip(*s, 2);
	if (s->n < 2 || s->p[0] != '"')
		return false;
	while (n < s->n && is_etagc(s->p[n]))
		n++;
	if (n == s->n || s->p[n] != '"')
		return false;
	ret->opaque = span_of(s->p, n + 1);
	*s = span_skip(*s, n + 1);
	return true;
}

static bool tag_of(struct span text, struct tag *ret)
{
	return take_tag(&text, ret) && text.n == 0;
}

/* RFC 9110 8.8.3.2 */
static bool same(const struct tag *a, const struct tag *b, bool strong)
{
	return span_eq(a->opaque, b->opaque) && !(strong && (a->weak || b->weak));
}

static struct span skip_commas(struct span s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == ','))
		s = span_skip(s, 1);
	return s;
}

static bool line_names(struct span line, const struct tag *have, bool strong)
{
	struct tag t;

	for (line = skip_commas(line); line.n > 0; line = skip_commas(line)) {
		if (!take_tag(&line, &t))
			return false;
		if (same(&t, have, strong))
			return true;
		while (line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t'))
			line = span_skip(line, 1);
		if (line.n > 0 && line.p[0] != ',')
			return false;
	}
	return false;
}

/* There is a representation, so "*" always matches. */
static bool names(const struct http_lines *l, struct span etag, bool strong)
{
	struct tag have;
	bool has = tag_of(etag, &have);

	for (unsigned i = 0; i < l->n; i++)
		if (span_eq(span_trim(l->v[i]), SPAN("*")) ||
		    (has && line_names(l->v[i], &have, strong)))
			return true;
	return false;
}

/* More than one line is no date (13.1.3, 13.1.4), nor is anything but a date. */
static int64_t date_of(const struct http_lines *l, int64_t now_s)
{
	return l->n == 1 ? http_date_parse(span_trim(l->v[0]), now_s) : HTTP_DATE_NONE;
}

static bool changed_since(const struct http_lines *l, const struct http_validators *v)
{
	int64_t since = date_of(l, v->now_s);

	return since != HTTP_DATE_NONE && v->modified_s != HTTP_DATE_NONE && v->modified_s > since;
}

static bool unchanged_since(const struct http_lines *l, const struct http_validators *v)
{
	int64_t since = date_of(l, v->now_s);

	return since != HTTP_DATE_NONE && v->modified_s != HTTP_DATE_NONE && v->modified_s <= since;
}

enum http_cond_result http_cond_check(const struct http_cond *c, const struct http_validators *v)
{
	if (c->match.n > 0 ? !names(&c->match, v->etag, true)
			   : changed_since(&c->unmodified_since, v))
		return HTTP_COND_FAILED;
	if (c->none_match.n > 0 ? names(&c->none_match, v->etag, false)
				: unchanged_since(&c->modified_since, v))
		return HTTP_COND_NOT_MODIFIED;
	return HTTP_COND_GO;
}

bool http_cond_range_holds(const struct http_cond *c, const struct http_validators *v)
{
	struct span value;
	struct tag have, asked;

	if (c->if_range.n == 0)
		return true;
	if (c->if_range.n > 1)
		return false;
	value = span_trim(c->if_range.v[0]);
	if (tag_of(value, &asked))
		return tag_of(v->etag, &have) && same(&asked, &have, true);
	/* a date is strong only if the file has not changed in the second it was sent (8.8.2.2) */
	return v->modified_s != HTTP_DATE_NONE && v->now_s > v->modified_s &&
	       http_date_parse(value, v->now_s) == v->modified_s;
}
