/*
 * static_path - see static_path.h.
 */
#include "vassal/front/static_path.h"

#include <time.h>

#include "shared/pass.h"

struct type {
	const char *ending;
	const char *name;
};

/* clang-format off */
static const struct type types[] = {
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

bool static_path_match(const char *mount, struct span path, struct span *ret_rest)
{
	struct span m = span_str(mount);

	while (m.n > 0 && m.p[m.n - 1] == '/')
		m.n--;
	if (!pass_path_under(path, m))
		return false;
	path = span_skip(path, m.n);
	while (path.n > 0 && path.p[0] == '/')
		path = span_skip(path, 1);
	*ret_rest = path;
	return true;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte of an encoded path; bytes used, or 0 for a bad escape. */
static size_t decode_one(struct span s, char *ret)
{
	int high, low;

	*ret = s.p[0];
	if (s.p[0] != '%')
		return 1;
	if (s.n < 3)
		return 0;
	high = hex(s.p[1]);
	low = hex(s.p[2]);
	if (high < 0 || low < 0)
		return 0;
	*ret = (char)(high << 4 | low);
	return 3;
}

static bool has_dotdot(const char *path)
{
	for (const char *p = path; p; p = strchr(p, '/')) {
		p += *p == '/';
		if (strncmp(p, "..", 2) == 0 && (p[2] == '/' || p[2] == '\0'))
			return true;
	}
	return false;
}

bool static_path_decode(struct span rest, char buf[LIMIT_STATIC_PATH])
{
	size_t n = 0;

	while (rest.n > 0) {
		char c;
		size_t used = decode_one(rest, &c);

		if (used == 0 || c == '\0' || n + 1 >= LIMIT_STATIC_PATH)
			return false;
		rest = span_skip(rest, used);
		if (n > 0 || c != '/') /* an encoded leading slash would make it absolute */
			buf[n++] = c;
	}
	buf[n] = '\0';
	return n > 0 && buf[n - 1] != '/' && !has_dotdot(buf);
}

struct span static_path_type(const char *path)
{
	const char *dot = strrchr(path, '.');

	for (size_t i = 0; dot && i < ARRAY_SIZE(types); i++)
		if (span_eq_nocase(span_str(dot + 1), span_str(types[i].ending)))
			return span_str(types[i].name);
	return SPAN("application/octet-stream");
}

bool static_path_none_match(struct span field, struct span etag)
{
	while (field.n > 0) {
		const char *comma = memchr(field.p, ',', field.n);
		size_t n = comma ? (size_t)(comma - field.p) : field.n;
		struct span tag = span_trim(span_of(field.p, n));

		if (span_starts(tag, SPAN("W/")))
			tag = span_skip(tag, 2);
		if (span_eq(tag, SPAN("*")) || span_eq(tag, etag))
			return true;
		field = span_skip(field, comma ? n + 1 : n);
	}
	return false;
}

int64_t static_path_date(struct span text)
{
	char buf[32];
	struct tm tm = {0};
	const char *end;

	if (text.n >= sizeof(buf))
		return -1;
	memcpy(buf, text.p, text.n);
	buf[text.n] = '\0';
	end = strptime(buf, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	return end && *end == '\0' ? (int64_t)timegm(&tm) : -1;
}
