/*
 * static_types - see static_types.h.
 */
#include "vassal/front/static_types.h"

#include <errno.h>

#include "shared/limits.h"

#define ENDING_MAX 31

/* Spans are NUL-terminated where they stand. */
struct static_type {
	const char *ending, *name;
	size_t order; /* of two with one ending the first counts */
};

struct type {
	const char *ending;
	const char *name;
};

/* clang-format off */
static const struct type built_in[] = {
	{ "html",  "text/html; charset=utf-8" },
	{ "htm",   "text/html; charset=utf-8" },
	{ "css",   "text/css; charset=utf-8" },
	{ "js",    "text/javascript; charset=utf-8" },
	{ "mjs",   "text/javascript; charset=utf-8" },
	{ "json",  "application/json" },
	{ "map",   "application/json" },
	{ "txt",   "text/plain; charset=utf-8" },
	{ "md",    "text/markdown; charset=utf-8" },
	{ "csv",   "text/csv; charset=utf-8" },
	{ "xml",   "application/xml" },
	{ "svg",   "image/svg+xml" },
	{ "png",   "image/png" },
	{ "jpg",   "image/jpeg" },
	{ "jpeg",  "image/jpeg" },
	{ "gif",   "image/gif" },
	{ "bmp",   "image/bmp" },
	{ "webp",  "image/webp" },
	{ "avif",  "image/avif" },
	{ "ico",   "image/x-icon" },
	{ "woff",  "font/woff" },
	{ "woff2", "font/woff2" },
	{ "ttf",   "font/ttf" },
	{ "otf",   "font/otf" },
	{ "eot",   "application/vnd.ms-fontobject" },
	{ "pdf",   "application/pdf" },
	{ "zip",   "application/zip" },
	{ "gz",    "application/gzip" },
	{ "wasm",  "application/wasm" },
	{ "mp3",   "audio/mpeg" },
	{ "ogg",   "audio/ogg" },
	{ "wav",   "audio/wav" },
	{ "mp4",   "video/mp4" },
	{ "webm",  "video/webm" },
	{ "webmanifest", "application/manifest+json" },
};
/* clang-format on */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of a line, NUL-terminated; NULL: none. */
static char *word(char **line)
{
	char *p = *line;
	char *start;

	while (is_blank(*p))
		p++;
	start = p;
	while (*p && !is_blank(*p))
		p++;
	if (*p)
		*p++ = '\0';
	*line = p;
	return *start ? start : NULL;
}

/* It goes into a head: letters, digits and what the registry has besides (RFC 6838 4.2), parameters apart. */
static bool is_type(const char *s)
{
	unsigned slashes = 0;

	for (; *s; s++) {
		char c = ascii_lower(*s);

		slashes += c == '/';
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("/!#$&-^_.+", c)))
			return false;
	}
	return slashes == 1;
}

static int by_ending(const void *a, const void *b)
{
	const struct static_type *x = a, *y = b;
	int r = strcmp(x->ending, y->ending);

	return r != 0 ? r : (x->order > y->order) - (x->order < y->order);
}

static int add_ending(struct static_types *t, size_t *room, char *ending, const char *name)
{
	struct static_type *v;

	if (strlen(ending) > ENDING_MAX || t->n == LIMIT_MIME_TYPES)
		return 0;
	if (t->n == *room) {
		size_t more = *room ? *room * 2 : 256;

		v = reallocarray(t->v, more, sizeof(*v));
		if (!v)
			return -ENOMEM;
		t->v = v;
		*room = more;
	}
	for (char *p = ending; *p; p++)
		*p = ascii_lower(*p);
	t->v[t->n] = (struct static_type){ending, name, t->n};
	t->n++;
	return 0;
}

static int add_line(struct static_types *t, size_t *room, char *line)
{
	const char *name;
	char *ending;
	int r = 0;

	line[strcspn(line, "#")] = '\0';
	name = word(&line);
	if (!name || !is_type(name))
		return 0;
	while (r == 0 && (ending = word(&line)))
		r = add_ending(t, room, ending, name);
	return r;
}

static char *keep_text(struct static_types *t, struct span text)
{
	char **texts = reallocarray(t->texts, t->texts_n + 1, sizeof(*texts));

	if (!texts)
		return NULL;
	t->texts = texts;
	texts[t->texts_n] = malloc(text.n + 1);
	if (!texts[t->texts_n])
		return NULL;
	memcpy(texts[t->texts_n], text.p, text.n);
	texts[t->texts_n][text.n] = '\0';
	return texts[t->texts_n++];
}

int static_types_add(struct static_types *t, struct span text)
{
	size_t room = t->n;
	char *p = keep_text(t, text);
	int r = 0;

	if (!p)
		return -ENOMEM;
	for (size_t i = 0; i < text.n; i++)
		if (p[i] == '\0')
			p[i] = '?';
	while (r == 0 && *p) {
		char *end = p + strcspn(p, "\n");
		bool last = *end == '\0';

		*end = '\0';
		r = add_line(t, &room, p);
		p = last ? end : end + 1;
	}
	/* order numbers are places of the past: those of earlier texts come first */
	if (t->n > 0)
		qsort(t->v, t->n, sizeof(*t->v), by_ending);
	for (size_t i = 0; i < t->n; i++)
		t->v[i].order = i;
	return r;
}

static struct span find_read(const struct static_types *t, const char *ending)
{
	size_t low = 0, high = t->n;

	/* the first that is not less */
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(t->v[middle].ending, ending) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < t->n && strcmp(t->v[low].ending, ending) == 0 ? span_str(t->v[low].name)
								   : span_of("", 0);
}

static struct span find_built_in(const char *ending)
{
	for (size_t i = 0; i < ARRAY_SIZE(built_in); i++)
		if (strcmp(built_in[i].ending, ending) == 0)
			return span_str(built_in[i].name);
	return span_of("", 0);
}

struct span static_types_find(const struct static_types *t, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *dot = strrchr(slash ? slash : path, '.');
	char ending[ENDING_MAX + 1];
	struct span found;
	size_t n = dot ? strlen(dot + 1) : 0;

	if (n == 0 || n > ENDING_MAX)
		return SPAN("application/octet-stream");
	for (size_t i = 0; i <= n; i++)
		ending[i] = ascii_lower(dot[1 + i]);
	found = t->first ? find_read(t, ending) : find_built_in(ending);
	if (found.n == 0)
		found = t->first ? find_built_in(ending) : find_read(t, ending);
	return found.n > 0 ? found : SPAN("application/octet-stream");
}

void static_types_done(struct static_types *t)
{
	for (size_t i = 0; i < t->texts_n; i++)
		free(t->texts[i]);
	free(t->texts);
	free(t->v);
	*t = (struct static_types){0};
}
