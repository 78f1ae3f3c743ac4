/*
 * static_path - see static_path.h.
 */
#include "vassal/front/static_path.h"

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

/* Whether a slash was sent as it is or as %2F, apps see the same path: so do maps. */
static struct span skip_slashes(struct span path)
{
	char c;
	size_t used;

	while (path.n > 0 && (used = decode_one(path, &c)) > 0 && c == '/')
		path = span_skip(path, used);
	return path;
}

bool static_path_match(const char *mount, struct span path, struct span *ret_rest)
{
	struct span m = span_str(mount);
	struct span rest;

	while (m.n > 0 && m.p[m.n - 1] == '/')
		m.n--;
	for (size_t i = 0; i < m.n; i++) {
		char c;
		size_t used = path.n > 0 ? decode_one(path, &c) : 0;

		if (used == 0 || c != m.p[i])
			return false;
		path = span_skip(path, used);
	}
	rest = skip_slashes(path);
	if (m.n > 0 && path.n > 0 && rest.n == path.n)
		return false;
	*ret_rest = rest;
	return true;
}

/* ".git", ".env", "..": none of them is meant to be read by strangers; .well-known is (RFC 8615). */
static bool has_hidden(const char *path)
{
	for (const char *p = path; p; p = strchr(p, '/')) {
		p += *p == '/';
		if (*p == '.' &&
		    !(strncmp(p, ".well-known", 11) == 0 && (p[11] == '/' || p[11] == '\0')))
			return true;
	}
	return false;
}

/* slashes: the first of several leading ones is kept. */
static bool decode(struct span s, char buf[LIMIT_STATIC_PATH], bool slashes, bool *ret_directory)
{
	size_t n = 0;

	while (s.n > 0) {
		char c;
		size_t used = decode_one(s, &c);

		if (used == 0 || c == '\0' || n + 1 >= LIMIT_STATIC_PATH)
			return false;
		s = span_skip(s, used);
		if (c != '/' || (n == 0 && slashes) || (n > 0 && buf[n - 1] != '/'))
			buf[n++] = c;
	}
	*ret_directory = n > slashes && buf[n - 1] == '/';
	n -= *ret_directory;
	buf[n] = '\0';
	return true;
}

bool static_path_decode(struct span rest, char buf[LIMIT_STATIC_PATH], bool *ret_directory)
{
	/* an encoded leading slash would make it absolute */
	return decode(rest, buf, false, ret_directory) && !has_hidden(buf);
}

bool static_path_unescape(struct span path, char buf[LIMIT_STATIC_PATH], bool *ret_directory)
{
	return decode(path, buf, true, ret_directory);
}
