/*
 * rules - see rules.h.
 */
#include "vassal/routing/rules.h"

#include <errno.h>

#include "shared/err.h"
#include "shared/http_head.h"
#include "shared/pattern.h"

struct rules {
	const struct routing *routing; /* borrowed */
	struct pattern *pattern[];     /* of rule n; NULL: has none */
};

struct run {
	const struct rules *rules;
	rules_lookup_fn *lookup;
	void *arg;
	struct span groups[PATTERN_GROUPS]; /* of the rule at hand */
};

static const struct span subjects[ROUTING_SUBJECTS] = {
	[ROUTING_PATH] = SPAN("PATH_INFO"),       [ROUTING_URI] = SPAN("REQUEST_URI"),
	[ROUTING_HOST] = SPAN("HTTP_HOST"),       [ROUTING_QUERY] = SPAN("QUERY_STRING"),
	[ROUTING_PEER] = SPAN("REMOTE_ADDR"),     [ROUTING_AGENT] = SPAN("HTTP_USER_AGENT"),
	[ROUTING_REFERER] = SPAN("HTTP_REFERER"),
};

int rules_new(struct rules **ret, const struct routing *routing, struct err *err)
{
	struct rules *r;
	int e = 0;

	*ret = NULL;
	if (routing->n == 0)
		return 0;
	r = calloc(1, sizeof(*r) + routing->n * sizeof(struct pattern *));
	if (!r)
		return err_set(err, -ENOMEM, "out of memory");
	r->routing = routing;
	for (size_t i = 0; i < routing->n && e == 0; i++) {
		const struct routing_rule *rule = &routing->v[i];

		/* names of hosts have no case (RFC 3986 3.2.2) */
		if (rule->pattern)
			e = pattern_new(&r->pattern[i], rule->pattern,
					rule->subject == ROUTING_HOST, err);
		if (e < 0)
			(void)err_prefix(err, "%s", rule->where);
	}
	if (e < 0) {
		rules_free(r);
		return e;
	}
	*ret = r;
	return 0;
}

void rules_free(struct rules *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->routing->n; i++)
		pattern_free(r->pattern[i]);
	free(r);
}

/* -- texts ---------------------------------------------------------------------------------------------- */

static struct span value_of(const struct run *run, const struct routing_piece *piece)
{
	switch (piece->kind) {
	case ROUTING_TEXT:
		return span_str(piece->text);
	case ROUTING_VAR:
		return run->lookup(run->arg, span_str(piece->text));
	case ROUTING_GROUP:
		return run->groups[piece->group];
	}
	return span_of(NULL, 0);
}

static int put(char *buf, size_t *n, struct span s)
{
	if (s.n > LIMIT_ROUTING_TEXT - *n)
		return -E2BIG;
	if (s.n > 0)
		memcpy(buf + *n, s.p, s.n);
	*n += s.n;
	return 0;
}

static int expand(const struct run *run, const struct routing_text *t, char *buf, size_t *n)
{
	int e = 0;

	for (size_t i = 0; i < t->n && e == 0; i++)
		e = put(buf, n, value_of(run, &t->v[i]));
	return e;
}

/* RFC 9110 5.5: no control may be in a field's value, and nobody needs bytes beyond ASCII in one of these. */
static bool is_field_value(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 127)
			return false;
	return true;
}

/* "//host" leads to another site: who wants that writes both slashes. */
static bool names_a_site(const struct routing_text *t)
{
	return t->n > 0 && t->v[0].kind == ROUTING_TEXT && strncmp(t->v[0].text, "//", 2) == 0;
}

/*
 * A Location. Variables may hold anything (PATH_INFO is decoded): what cannot be in a URI is written as %XX, so that no
 * request can end the field's line; and none can turn a path into the name of a site.
 */
static int expand_uri(const struct run *run, const struct routing_text *t, char *buf, size_t *n)
{
	static const char hex[] = "0123456789ABCDEF";
	const bool site = names_a_site(t);

	for (size_t i = 0; i < t->n; i++) {
		struct span s = value_of(run, &t->v[i]);

		for (size_t k = 0; k < s.n; k++) {
			unsigned char c = (unsigned char)s.p[k];
			const char code[3] = {'%', hex[c >> 4], hex[c & 15]};
			bool plain = c > ' ' && c < 127 && !strchr("\"<>\\^`{|}", c);
			int e;

			if (!site && c == '/' && *n == 1 && buf[0] == '/')
				continue;
			e = put(buf, n, plain ? span_of(s.p + k, 1) : span_of(code, 3));
			if (e < 0)
				return e;
		}
	}
	return 0;
}

/* -- conditions: 1 yes, 0 no, or a negative errno ------------------------------------------------------- */

static int matches(struct run *run, size_t i, struct span subject)
{
	return pattern_match(run->rules->pattern[i], subject, run->groups);
}

/* As it came; if that is no match, without port and trailing dot, which anybody may write. */
static int matches_host(struct run *run, size_t i, struct span authority)
{
	int r = matches(run, i, authority);
	struct span host, port;

	if (r != 0 || !http_host_split(authority, &host, &port) || host.n == authority.n)
		return r;
	return matches(run, i, host);
}

static bool ends(struct span s, struct span suffix)
{
	return s.n >= suffix.n && span_eq(span_skip(s, s.n - suffix.n), suffix);
}

static bool contains(struct span s, struct span part)
{
	return part.n == 0 || (s.n >= part.n && memmem(s.p, s.n, part.p, part.n));
}

/* The left text stands at *n of buf, the right one after it. */
static int test(struct run *run, size_t i, const struct routing_rule *rule, char *buf)
{
	size_t n = 0;
	int e = expand(run, &rule->left, buf, &n);
	size_t left_n = n;
	struct span left, right;

	if (e == 0)
		e = expand(run, &rule->right, buf, &n);
	if (e < 0)
		return e;
	left = span_of(buf, left_n);
	right = span_of(buf + left_n, n - left_n);
	switch (rule->test) {
	case ROUTING_REGEXP:
		return matches(run, i, left);
	case ROUTING_EQUAL:
		return span_eq(left, right);
	case ROUTING_STARTS:
		return span_starts(left, right);
	case ROUTING_ENDS:
		return ends(left, right);
	case ROUTING_CONTAINS:
		return contains(left, right);
	case ROUTING_EMPTY:
		return left.n == 0;
	}
	return 0;
}

/* buf: LIMIT_ROUTING_TEXT bytes, in which groups may point when it returns. */
static int applies(struct run *run, size_t i, const struct routing_rule *rule, char *buf)
{
	int e;

	switch (rule->subject) {
	case ROUTING_ALL:
		return 1;
	case ROUTING_IF:
		return test(run, i, rule, buf);
	case ROUTING_UNLESS:
		e = test(run, i, rule, buf);
		return e < 0 ? e : !e;
	case ROUTING_HOST:
		return matches_host(run, i, run->lookup(run->arg, subjects[ROUTING_HOST]));
	default:
		return matches(run, i, run->lookup(run->arg, subjects[rule->subject]));
	}
}

/* -- actions: 1 the end, 0 the next rule, or a negative errno ------------------------------------------- */

static int add_header(const struct run *run, const struct routing_rule *rule,
		      struct rules_verdict *v)
{
	size_t n = v->headers_n, from;
	int e = put(v->headers, &n, span_str(rule->name));

	if (e == 0)
		e = put(v->headers, &n, SPAN(": "));
	from = n;
	if (e == 0)
		e = expand(run, &rule->text, v->headers, &n);
	if (e == 0 && !is_field_value(span_of(v->headers + from, n - from)))
		e = -EILSEQ;
	if (e == 0)
		e = put(v->headers, &n, SPAN("\r\n"));
	if (e == 0)
		v->headers_n = n;
	return e;
}

/* Below the rule's root, so that "/srv/www/../../etc" is "../../etc", which who opens it refuses. */
static int name_file(const struct run *run, const struct routing_rule *rule,
		     struct rules_verdict *v)
{
	size_t root_n = strlen(rule->root);
	int e = expand(run, &rule->text, v->text, &v->text_n);

	if (e < 0)
		return e;
	if (memchr(v->text, '\0', v->text_n))
		return -EILSEQ;
	v->text_n -= root_n;
	memmove(v->text, v->text + root_n, v->text_n);
	return 1;
}

static int act(const struct run *run, const struct routing_rule *rule, struct rules_verdict *v)
{
	static const enum rules_kind kinds[] = {
		[ROUTING_LAST] = RULES_PASS,         [ROUTING_BREAK] = RULES_ANSWER,
		[ROUTING_REDIRECT] = RULES_REDIRECT, [ROUTING_BASICAUTH] = RULES_ASK,
		[ROUTING_STATIC] = RULES_STATIC,
	};
	int e;

	switch (rule->action) {
	case ROUTING_DONOTLOG:
		v->donotlog = true;
		return 0;
	case ROUTING_ADDHEADER:
		return add_header(run, rule, v);
	case ROUTING_SETSCHEME:
		v->scheme = rule->text.v[0].text;
		return 0;
	case ROUTING_LAST:
	case ROUTING_BREAK:
	case ROUTING_BASICAUTH:
		break;
	case ROUTING_REDIRECT:
		e = expand_uri(run, &rule->text, v->text, &v->text_n);
		if (e < 0)
			return e;
		break;
	case ROUTING_STATIC:
		e = name_file(run, rule, v);
		if (e < 0)
			return e;
		break;
	}
	v->kind = kinds[rule->action];
	v->status = rule->status;
	v->rule = rule;
	return 1;
}

int rules_run(const struct rules *r, rules_lookup_fn *lookup, void *arg, struct rules_verdict *v)
{
	struct run run = {.rules = r, .lookup = lookup, .arg = arg};
	char buf[LIMIT_ROUTING_TEXT];

	v->kind = RULES_PASS;
	v->rule = NULL;
	v->text_n = 0;
	while (v->next < r->routing->n) {
		unsigned i = v->next++;
		const struct routing_rule *rule = &r->routing->v[i];
		int e = applies(&run, i, rule, buf);

		if (e > 0)
			e = act(&run, rule, v);
		if (e != 0)
			return e < 0 ? e : 0;
	}
	return 0;
}
