/*
 * cgi_vars - what holds for the variables of a request whichever protocol brought it, whatever the bytes: none twice, none
 * that may load code, paths and names as an app may rely on them.
 */
#pragma once
#include "shared/vars.h"

static inline void check(bool ok)
{
	if (!ok)
		abort();
}

static inline bool seen_before(const struct vars *v, size_t upto, struct span key)
{
	struct span k, value;
	size_t at = 0;

	while (at < upto && vars_next(v->p, upto, &at, &k, &value))
		if (span_eq(k, key))
			return true;
	return false;
}

static inline void check_var(struct span key, struct span value)
{
	check(key.n > 0 && !span_starts(key, SPAN("UWSGI_")) && !span_eq(key, SPAN("HTTP_PROXY")));
	if (span_eq(key, SPAN("PATH_INFO")) || span_eq(key, SPAN("SCRIPT_NAME")))
		check(value.n == 0 || (value.p[0] == '/' && !memchr(value.p, '\0', value.n)));
	if (span_eq(key, SPAN("SERVER_NAME")) || span_eq(key, SPAN("SERVER_PORT")) ||
	    span_eq(key, SPAN("CONTENT_LENGTH")))
		check(value.n > 0);
}

static inline void check_vars(const struct vars *v)
{
	struct span key, value;
	unsigned count = 0;
	size_t at = 0;
	size_t before = 0;

	for (; vars_next(v->p, v->n, &at, &key, &value); before = at) {
		check(!seen_before(v, before, key));
		check_var(key, value);
		count++;
	}
	check(v->overflow || (at == v->n && count <= v->count));
}
