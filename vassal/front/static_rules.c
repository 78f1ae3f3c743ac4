/*
 * static_rules - see static_rules.h.
 */
#include "vassal/front/static_rules.h"

#include <errno.h>

#include "shared/err.h"
#include "shared/pattern.h"
#include "shared/vassal_config.h"

static bool ends(const char *name, const char *ending)
{
	size_t n = strlen(name), m = strlen(ending);

	return n >= m && span_eq_nocase(span_of(name + n - m, m), span_of(ending, m));
}

int static_rules_compile(struct static_rules *r, const struct vassal_config *config,
			 struct err *err)
{
	int e = 0;

	*r = (struct static_rules){.config = config};
	r->gzip = calloc(MAX(config->static_gzip.n, (size_t)1), sizeof(struct pattern *));
	r->expires = calloc(MAX(config->expires_n, (size_t)1), sizeof(struct pattern *));
	if (!r->gzip || !r->expires)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < config->static_gzip.n && e == 0; i++)
		e = pattern_new(&r->gzip[i], config->static_gzip.v[i], false, err);
	for (size_t i = 0; i < config->expires_n && e == 0; i++)
		if (config->expires[i].of != EXPIRES_TYPE)
			e = pattern_new(&r->expires[i], config->expires[i].pattern, false, err);
	return e;
}

void static_rules_done(struct static_rules *r)
{
	for (size_t i = 0; r->gzip && i < r->config->static_gzip.n; i++)
		pattern_free(r->gzip[i]);
	for (size_t i = 0; r->expires && i < r->config->expires_n; i++)
		pattern_free(r->expires[i]);
	free(r->gzip);
	free(r->expires);
	*r = (struct static_rules){0};
}

bool static_rules_compressed(const struct static_rules *r, const char *file)
{
	const struct vassal_config *g = r->config;

	if (g->static_gzip_all)
		return true;
	for (size_t i = 0; i < g->static_gzip_dir.n; i++)
		if (span_starts(span_str(file), span_str(g->static_gzip_dir.v[i])))
			return true;
	for (size_t i = 0; i < g->static_gzip_ext.n; i++)
		if (ends(file, g->static_gzip_ext.v[i]))
			return true;
	for (size_t i = 0; i < g->static_gzip.n; i++)
		if (pattern_match(r->gzip[i], span_str(file), NULL) > 0)
			return true;
	return false;
}

bool static_rules_skip(const struct static_rules *r, const char *name)
{
	const struct option_list *skip = &r->config->static_skip_ext;

	for (size_t i = 0; i < skip->n; i++)
		if (ends(name, skip->v[i]))
			return true;
	return false;
}

static bool is_type(struct span type, const char *wanted)
{
	const char *semicolon = memchr(type.p, ';', type.n);

	/* parameters are ours: uWSGI has none */
	if (semicolon)
		type.n = (size_t)(semicolon - type.p);
	return span_eq_nocase(span_trim(type), span_str(wanted));
}

static bool fits(const struct static_rules *r, size_t i, const struct static_subject *s)
{
	const char *text = s->file;

	switch (r->config->expires[i].of) {
	case EXPIRES_TYPE:
		return is_type(s->type, r->config->expires[i].pattern);
	case EXPIRES_FILE:
		break;
	case EXPIRES_PATH:
		text = s->path;
		break;
	case EXPIRES_URI:
		text = s->uri;
		break;
	}
	/* one that cannot be judged says nothing */
	return pattern_match(r->expires[i], span_str(text), NULL) > 0;
}

bool static_rules_expire(const struct static_rules *r)
{
	return r->config->expires_n > 0;
}

bool static_rules_expires(const struct static_rules *r, const struct static_subject *s,
			  int64_t *ret_until_s)
{
	for (size_t i = 0; i < r->config->expires_n; i++)
		if (fits(r, i, s)) {
			const struct expires_config *e = &r->config->expires[i];

			*ret_until_s = (e->from_mtime ? s->mtime_s : s->now_s) + e->seconds;
			return true;
		}
	return false;
}
