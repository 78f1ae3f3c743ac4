/*
 * pattern - see pattern.h. A request must not be able to buy much time with one: the steps of a match are bounded, and what
 * is matched is never longer than a head.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "shared/pattern.h"

#include <errno.h>
#include <pcre2.h>

#include "shared/err.h"
#include "shared/limits.h"

#define OPTIONS (PCRE2_NEVER_BACKSLASH_C | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY)

struct pattern {
	pcre2_code *code;
	pcre2_match_context *limits;
};

int pattern_new(struct pattern **ret, const char *text, bool any_case, struct err *err)
{
	struct pattern *p = calloc(1, sizeof(*p));
	PCRE2_UCHAR why[256];
	PCRE2_SIZE at;
	int code, r = 0;

	*ret = NULL;
	if (!p)
		return err_set(err, -ENOMEM, "out of memory");
	p->limits = pcre2_match_context_create(NULL);
	p->code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
				OPTIONS | (any_case ? PCRE2_CASELESS : 0), &code, &at, NULL);
	if (!p->limits) {
		r = err_set(err, -ENOMEM, "out of memory");
	} else if (!p->code) {
		(void)pcre2_get_error_message(code, why, sizeof(why));
		r = err_set(err, -EINVAL, "\"%s\" is not a regular expression: %s at byte %zu",
			    text, (const char *)why, (size_t)at);
	}
	if (r < 0) {
		pattern_free(p);
		return r;
	}
	(void)pcre2_set_match_limit(p->limits, LIMIT_ROUTING_STEPS);
	(void)pcre2_set_heap_limit(p->limits, LIMIT_ROUTING_HEAP_KIB);
	*ret = p;
	return 0;
}

void pattern_free(struct pattern *p)
{
	if (!p)
		return;
	pcre2_code_free(p->code);
	pcre2_match_context_free(p->limits);
	free(p);
}

int pattern_check(const char *text, struct err *err)
{
	struct pattern *p;
	int r = pattern_new(&p, text, false, err);

	pattern_free(p);
	return r;
}

static void keep_groups(pcre2_match_data *match, struct span subject, size_t n,
			struct span groups[PATTERN_GROUPS])
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(match);

	for (size_t i = 0; i < PATTERN_GROUPS; i++)
		groups[i] = i < n && at[2 * i] != PCRE2_UNSET && at[2 * i] <= at[2 * i + 1]
				    ? span_of(subject.p + at[2 * i], at[2 * i + 1] - at[2 * i])
				    : span_of(NULL, 0);
}

int pattern_match(const struct pattern *p, struct span subject, struct span groups[PATTERN_GROUPS])
{
	pcre2_match_data *match = pcre2_match_data_create(PATTERN_GROUPS, NULL);
	int n;

	if (!match)
		return -ENOMEM;
	if (!subject.p)
		subject = SPAN("");
	n = pcre2_match(p->code, (PCRE2_SPTR)subject.p, subject.n, 0, 0, match, p->limits);
	/* 0: it has more groups than are kept */
	if (n >= 0 && groups)
		keep_groups(match, subject, n > 0 ? (size_t)n : PATTERN_GROUPS, groups);
	pcre2_match_data_free(match);
	if (n == PCRE2_ERROR_NOMATCH)
		return 0;
	return n >= 0 ? 1 : -EDOM;
}
