/*
 * vassal_files - the options of files: what is served, what of it may be kept, what is added to answers. See
 * vassal_parse.h.
 */
#include <errno.h>
#include <stdio.h>

#include "shared/err.h"
#include "shared/http_head.h"
#include "shared/pattern.h"
#include "shared/vassal_parse.h"

#define EXPIRES_MAX_S \
	315360000 /* ten years; caches take one year at most (RFC 9111 1.2.2 allows 68) */

static int out_of_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory");
}

/* -- maps ----------------------------------------------------------------------------------------------- */

static void map_done(struct static_map_config *map)
{
	free(map->mount);
	free(map->target);
	*map = (struct static_map_config){0};
}

/* Behind those of its kind. Takes the strings. */
static int keep_map(struct static_map_config **maps, size_t *maps_n, struct static_map_config *map,
		    struct err *err)
{
	struct static_map_config *v;
	size_t at = *maps_n;

	if (!map->mount || !map->target)
		return out_of_memory(err);
	if (*maps_n == LIMIT_STATIC_MAPS)
		return err_set(err, -E2BIG, "more than %d of them", LIMIT_STATIC_MAPS);
	v = reallocarray(*maps, *maps_n + 1, sizeof(*v));
	if (!v)
		return out_of_memory(err);
	*maps = v;
	while (at > 0 && v[at - 1].kind > map->kind)
		at--;
	memmove(v + at + 1, v + at, (*maps_n - at) * sizeof(*v));
	v[at] = *map;
	++*maps_n;
	*map = (struct static_map_config){0};
	return 0;
}

static struct span without_slashes(struct span s, size_t least)
{
	while (s.n > least && s.p[s.n - 1] == '/')
		s.n--;
	return s;
}

/* "/url=/directory" */
static int split_map(const struct option *o, const char *value, const char *where,
		     struct inifile_notes *notes, struct static_map_config *ret, struct err *err)
{
	const char *equals = strchr(value, '=');
	struct span mount, target;

	if (!equals)
		return err_set(err, -EINVAL, "\"%s\" is not /url=/directory", value);
	mount = without_slashes(span_trim(span_of(value, (size_t)(equals - value))), 0);
	target = without_slashes(span_trim(span_str(equals + 1)), 1);
	if (target.n == 0)
		return err_set(err, -EINVAL, "\"%s\" names no directory", value);
	if (mount.n > 0 && mount.p[0] != '/') {
		option_note(notes, where, "%s: %.*s is read as /%.*s; uWSGI never matched it",
			    o->name, (int)mount.n, mount.p, (int)mount.n, mount.p);
		if (asprintf(&ret->mount, "/%.*s", (int)mount.n, mount.p) < 0)
			ret->mount = NULL;
	} else {
		ret->mount = strndup(mount.p, mount.n);
	}
	ret->target = strndup(target.p, target.n);
	return 0;
}

static int add_map(struct vassal_config *c, const struct option *o, const char *value,
		   const char *where, struct inifile_notes *notes, enum static_kind kind,
		   struct err *err)
{
	struct static_map_config map = {.kind = kind};
	int r = split_map(o, value, where, notes, &map, err);

	if (r == 0)
		r = keep_map(&c->static_maps, &c->static_maps_n, &map, err);
	map_done(&map);
	return r;
}

VASSAL_PARSER(vassal_parse_static_map)
{
	return add_map(config, o, value, where, notes, STATIC_MAP, err);
}

VASSAL_PARSER(vassal_parse_static_map2)
{
	return add_map(config, o, value, where, notes, STATIC_MAP2, err);
}

static int bare_map(const char *value, struct static_map_config *ret, struct err *err)
{
	struct span target = without_slashes(span_trim(span_str(value)), 1);

	if (target.n == 0)
		return err_set(err, -EINVAL, "names no directory");
	ret->mount = strdup("");
	ret->target = strndup(target.p, target.n);
	return 0;
}

VASSAL_PARSER(vassal_parse_check_static)
{
	struct vassal_config *c = config;
	struct static_map_config map = {.kind = STATIC_CHECK};
	int r = bare_map(value, &map, err);

	(void)o, (void)where, (void)notes;
	if (r == 0)
		r = keep_map(&c->static_maps, &c->static_maps_n, &map, err);
	map_done(&map);
	return r;
}

VASSAL_PARSER(vassal_parse_sendfile_root)
{
	struct vassal_config *c = config;
	struct static_map_config map = {0};
	int r = strchr(value, '=') ? split_map(o, value, where, notes, &map, err)
				   : bare_map(value, &map, err);

	if (r == 0)
		r = keep_map(&c->sendfile_roots, &c->sendfile_roots_n, &map, err);
	map_done(&map);
	return r;
}

VASSAL_PARSER(vassal_parse_static_skip_ext)
{
	struct vassal_config *c = config;

	(void)o, (void)where, (void)notes;
	if (value[0] == '\0') /* every file ends so */
		return err_set(err, -EINVAL, "names no ending");
	return option_list_add(&c->static_skip_ext, value, err);
}

/* -- patterns ------------------------------------------------------------------------------------------- */

VASSAL_PARSER(vassal_parse_static_gzip)
{
	struct vassal_config *c = config;
	int r = pattern_check(value, err);

	(void)o, (void)where, (void)notes;
	if (r == 0 && c->static_gzip.n == LIMIT_STATIC_RULES)
		r = err_set(err, -E2BIG, "more than %d of them", LIMIT_STATIC_RULES);
	return r < 0 ? r : option_list_add(&c->static_gzip, value, err);
}

/* The last word is the number: patterns may hold blanks. */
static int split_expires(const char *value, char separator, struct expires_config *ret,
			 struct err *err)
{
	struct span s = span_trim(span_str(value));
	size_t n = s.n;
	uint64_t seconds;
	struct span pattern;

	while (n > 0 && s.p[n - 1] != separator && !(separator == ' ' && s.p[n - 1] == '\t'))
		n--;
	pattern = span_trim(span_of(s.p, n > 0 ? n - 1 : 0));
	if (pattern.n == 0 || !http_parse_size(span_trim(span_skip(s, n)), &seconds) ||
	    seconds > EXPIRES_MAX_S)
		return err_set(err, -EINVAL, "\"%s\" is not %s, of at most %d seconds", value,
			       separator == '=' ? "type=seconds" : "pattern seconds",
			       EXPIRES_MAX_S);
	ret->seconds = (unsigned)seconds;
	ret->pattern = strndup(pattern.p, pattern.n);
	if (!ret->pattern)
		return out_of_memory(err);
	return separator == '=' ? 0 : pattern_check(ret->pattern, err);
}

static enum expires_of expires_kind(const char *name)
{
	if (strstr(name, "-type"))
		return EXPIRES_TYPE;
	if (strstr(name, "-path-info"))
		return EXPIRES_PATH;
	return strstr(name, "-uri") ? EXPIRES_URI : EXPIRES_FILE;
}

static int keep_expires(struct vassal_config *c, struct expires_config *e, struct err *err)
{
	struct expires_config *v;
	size_t at = c->expires_n;

	if (c->expires_n == LIMIT_STATIC_RULES)
		return err_set(err, -E2BIG, "more than %d of them", LIMIT_STATIC_RULES);
	v = reallocarray(c->expires, c->expires_n + 1, sizeof(*v));
	if (!v)
		return out_of_memory(err);
	c->expires = v;
	while (at > 0 && v[at - 1].of > e->of)
		at--;
	memmove(v + at + 1, v + at, (c->expires_n - at) * sizeof(*v));
	v[at] = *e;
	c->expires_n++;
	*e = (struct expires_config){0};
	return 0;
}

VASSAL_PARSER(vassal_parse_expires)
{
	struct expires_config e = {.of = expires_kind(o->name),
				   .from_mtime = strstr(o->name, "-mtime") != NULL};
	int r = split_expires(value, e.of == EXPIRES_TYPE ? '=' : ' ', &e, err);

	(void)where, (void)notes;
	if (r == 0)
		r = keep_expires(config, &e, err);
	free(e.pattern);
	return r;
}

/* -- answers -------------------------------------------------------------------------------------------- */

/* What frames an answer is the front's: one more would be a second word on where it ends. */
static int check_framing(struct span name, struct err *err)
{
	static const struct {
		const char *name, *instead;
	} fields[] = {
		{"Connection", ": keepalive = 0 ends each connection after its answer"},
		{"Keep-Alive", ": keepalive = N keeps connections for N seconds"},
		{"Content-Length", ""},
		{"Trailer", ""},
		{"Transfer-Encoding", ""},
		{"Upgrade", ""},
		{"Date", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (span_eq_nocase(name, span_str(fields[i].name)))
			return err_set(err, -EINVAL, "%s is not the configuration's to say%s",
				       fields[i].name, fields[i].instead);
	return 0;
}

VASSAL_PARSER(vassal_parse_add_header)
{
	struct vassal_config *c = config;
	const char *colon = strchr(value, ':');
	struct span name = span_of(value, colon ? (size_t)(colon - value) : 0);
	struct span text = span_trim(colon ? span_str(colon + 1) : span_of("", 0));
	size_t total = strlen(value);
	char *line;
	int r;

	(void)o, (void)where, (void)notes;
	if (!http_span_is(name, HTTP_TOKEN) || !http_span_is(text, HTTP_VALUE))
		return err_set(err, -EINVAL, "\"%s\" is not Name: value", value);
	r = check_framing(name, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < c->add_headers.n; i++)
		total += strlen(c->add_headers.v[i]) + 2;
	if (total > LIMIT_ADDED_HEADERS)
		return err_set(err, -E2BIG, "more than %d bytes of them", LIMIT_ADDED_HEADERS);
	if (asprintf(&line, "%.*s: %.*s", (int)name.n, name.p, (int)text.n, text.p) < 0)
		return out_of_memory(err);
	r = option_list_add(&c->add_headers, line, err);
	free(line);
	return r;
}

VASSAL_PARSER(vassal_parse_error_page)
{
	struct vassal_config *c = config;
	struct error_page_config *v;
	uint64_t status = 0;
	char *file;

	(void)where, (void)notes;
	if (value[0] == '\0' || !http_parse_size(span_str(strrchr(o->name, '-') + 1), &status))
		return err_set(err, -EINVAL, "names no file");
	if (c->error_pages_n == LIMIT_STATIC_RULES)
		return err_set(err, -E2BIG, "more than %d pages", LIMIT_STATIC_RULES);
	v = reallocarray(c->error_pages, c->error_pages_n + 1, sizeof(*v));
	if (v)
		c->error_pages = v;
	file = strdup(value);
	if (!v || !file) {
		free(file);
		return out_of_memory(err);
	}
	v[c->error_pages_n++] = (struct error_page_config){(unsigned)status, file};
	return 0;
}

/* -- all of them ---------------------------------------------------------------------------------------- */

int vassal_files_absolute(struct vassal_config *c, int (*make)(char **, const char *, struct err *),
			  struct err *err)
{
	struct option_list *const lists[] = {&c->static_safe, &c->mimefiles, &c->static_gzip_dir};
	int r = 0;

	for (size_t i = 0; i < c->static_maps_n && r == 0; i++)
		r = make(&c->static_maps[i].target, c->chdir, err);
	for (size_t i = 0; i < c->sendfile_roots_n && r == 0; i++)
		r = make(&c->sendfile_roots[i].target, c->chdir, err);
	for (size_t i = 0; i < c->error_pages_n && r == 0; i++)
		r = make(&c->error_pages[i].file, c->chdir, err);
	for (size_t k = 0; k < ARRAY_SIZE(lists); k++)
		for (size_t i = 0; i < lists[k]->n && r == 0; i++)
			r = make(&lists[k]->v[i], c->chdir, err);
	return r;
}

void vassal_files_done(struct vassal_config *c)
{
	for (size_t i = 0; i < c->static_maps_n; i++)
		map_done(&c->static_maps[i]);
	free(c->static_maps);
	for (size_t i = 0; i < c->sendfile_roots_n; i++)
		map_done(&c->sendfile_roots[i]);
	free(c->sendfile_roots);
	for (size_t i = 0; i < c->expires_n; i++)
		free(c->expires[i].pattern);
	free(c->expires);
	for (size_t i = 0; i < c->error_pages_n; i++)
		free(c->error_pages[i].file);
	free(c->error_pages);
	option_list_done(&c->static_skip_ext);
	option_list_done(&c->static_gzip);
	option_list_done(&c->add_headers);
}
