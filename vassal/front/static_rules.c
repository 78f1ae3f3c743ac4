/*
 * static_rules - see static_rules.h.
 */
#include "vassal/front/static_rules.h"

#include <errno.h>

#include "shared/vassal_config.h"

static bool ends(const char *name, const char *ending)
{
	size_t n = strlen(name), m = strlen(ending);

	return n >= m && span_eq_nocase(span_of(name + n - m, m), span_of(ending, m));
}

/* The patterns were tried when the configuration was read: what is left to fail is memory. */
static int compile(regex_t *re, const char *pattern)
{
	return regcomp(re, pattern, REG_EXTENDED | REG_NOSUB) == 0 ? 0 : -ENOMEM;
}

int static_rules_compile(struct static_rules *r, const struct vassal_config *config)
{
	*r = (struct static_rules){.config = config};
	r->gzip = calloc(MAX(config->static_gzip.n, (size_t)1), sizeof(*r->gzip));
	r->expires = calloc(MAX(config->expires_n, (size_t)1), sizeof(*r->expires));
	if (!r->gzip || !r->expires)
		return -ENOMEM;
	for (; r->gzip_n < config->static_gzip.n; r->gzip_n++)
		if (compile(&r->gzip[r->gzip_n], config->static_gzip.v[r->gzip_n]) < 0)
			return -ENOMEM;
	for (; r->expires_n < config->expires_n; r->expires_n++)
		if (config->expires[r->expires_n].of != EXPIRES_TYPE &&
		    compile(&r->expires[r->expires_n], config->expires[r->expires_n].pattern) < 0)
			return -ENOMEM;
	return 0;
}

void static_rules_done(struct static_rules *r)
{
	for (size_t i = 0; i < r->gzip_n; i++)
		regfree(&r->gzip[i]);
	for (size_t i = 0; i < r->expires_n; i++)
		if (r->config->expires[i].of != EXPIRES_TYPE)
			regfree(&r->expires[i]);
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
	for (size_t i = 0; i < r->gzip_n; i++)
		if (regexec(&r->gzip[i], file, 0, NULL, 0) == 0)
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
	return regexec(&r->expires[i], text, 0, NULL, 0) == 0;
}

bool static_rules_expires(const struct static_rules *r, const struct static_subject *s,
			  int64_t *ret_until_s)
{
	for (size_t i = 0; i < r->expires_n; i++)
		if (fits(r, i, s)) {
			const struct expires_config *e = &r->config->expires[i];

			*ret_until_s = (e->from_mtime ? s->mtime_s : s->now_s) + e->seconds;
			return true;
		}
	return false;
}
