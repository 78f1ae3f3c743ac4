/*
 * names - see names.h. On the path of every request: no byte is looked at twice.
 */
#include "vassal/proto/names.h"

#include "shared/http_head.h"

#define NAME_MAX_KNOWN 17 /* Transfer-Encoding */

struct known {
	const char *name; /* lower case */
	enum proto_name_kind kind;
};

/* By length: most names of a request are ruled out by that alone. */
static const struct known known_names[NAME_MAX_KNOWN + 1][2] = {
	[2] = {{"te", NAME_TE}},
	[4] = {{"host", NAME_HOST}},
	[5] = {{"proxy", NAME_PROXY}},
	[6] = {{"cookie", NAME_COOKIE}, {"expect", NAME_EXPECT}},
	[7] = {{"upgrade", NAME_UPGRADE}, {"trailer", NAME_TRAILER}},
	[9] = {{"forwarded", NAME_FORWARDED}, {"x-real-ip", NAME_X_REAL_IP}},
	[10] = {{"connection", NAME_CONNECTION}},
	[12] = {{"content-type", NAME_CONTENT_TYPE}, {"x-request-id", NAME_X_REQUEST_ID}},
	[14] = {{"content-length", NAME_CONTENT_LENGTH}},
	[15] = {{"x-request-start", NAME_X_REQUEST_START},
		{"x-forwarded-for", NAME_X_FORWARDED_FOR}},
	[16] = {{"x-forwarded-host", NAME_X_FORWARDED_HOST}},
	[17] = {{"transfer-encoding", NAME_TRANSFER_ENCODING},
		{"x-forwarded-proto", NAME_X_FORWARDED_PROTO}},
};

/* All of known stands at the beginning of name, in any case. */
static bool begins(struct span name, const char *known, size_t n)
{
	size_t i = 0;

	while (i < n && ascii_lower(name.p[i]) == known[i])
		i++;
	return i == n;
}

/* A family, not a name: X-Forwarded-Port, -Prefix, -Server, -Ssl ... */
static enum proto_name_kind other_kind(struct span name)
{
	static const char family[] = "x-forwarded-";

	return name.n >= sizeof(family) && begins(name, family, sizeof(family) - 1)
		       ? NAME_X_FORWARDED_OTHER
		       : NAME_OTHER;
}

enum proto_name_kind proto_name_kind(struct span name)
{
	for (size_t k = 0; name.n <= NAME_MAX_KNOWN && k < ARRAY_SIZE(known_names[0]); k++) {
		const struct known *known = &known_names[name.n][k];

		if (!known->name)
			break;
		if (begins(name, known->name, name.n))
			return known->kind;
	}
	return other_kind(name);
}

bool proto_name_is_private(enum proto_name_kind kind)
{
	switch (kind) {
	case NAME_CONTENT_LENGTH:
	case NAME_HOST:
	case NAME_PROXY:
	case NAME_TE:
	case NAME_TRAILER:
	case NAME_TRANSFER_ENCODING:
		return true;
	default:
		return false;
	}
}

/* Eight ASCII bytes at once; every sum stays below 0x100 in its byte, because a token has no byte from 0x80 on. */
static uint64_t to_cgi(uint64_t x)
{
	const uint64_t ones = 0x0101010101010101;
	uint64_t lower = (x + 0x1f * ones) & ~(x + 0x05 * ones) & 0x80 * ones; /* 'a' .. 'z' */
	uint64_t dash = ~((x ^ '-' * ones) + 0x7f * ones) & 0x80 * ones;

	return (x ^ (lower >> 2)) ^ (dash >> 7) * ('-' ^ '_');
}

static char char_to_cgi(char c)
{
	if (c >= 'a' && c <= 'z')
		return (char)(c & ~0x20);
	return c == '-' ? '_' : c;
}

void proto_name_to_cgi(char *p, struct span name)
{
	size_t at = 0;
	uint64_t x;

	if (name.n < sizeof(x)) {
		for (; at < name.n; at++)
			p[at] = char_to_cgi(name.p[at]);
		return;
	}
	for (; at + sizeof(x) < name.n; at += sizeof(x)) {
		memcpy(&x, name.p + at, sizeof(x));
		x = to_cgi(x);
		memcpy(p + at, &x, sizeof(x));
	}
	/* The last eight overlap the ones before. */
	memcpy(&x, name.p + name.n - sizeof(x), sizeof(x));
	x = to_cgi(x);
	memcpy(p + name.n - sizeof(x), &x, sizeof(x));
}

static uint64_t mix(uint64_t h, uint64_t x)
{
	h = (h ^ x) * 0x9e3779b97f4a7c15;
	return h ^ h >> 29;
}

uint32_t proto_name_hash(struct span name)
{
	const uint64_t lower = 0x2020202020202020; /* bit 5 is what tells the cases apart */
	uint64_t h = name.n;
	uint64_t x = 0;
	size_t at = 0;

	if (name.n < sizeof(x)) {
		for (; at < name.n; at++)
			x = x << 8 | (unsigned char)name.p[at];
		return (uint32_t)(mix(h, x | lower) >> 16);
	}
	for (; at + sizeof(x) < name.n; at += sizeof(x)) {
		memcpy(&x, name.p + at, sizeof(x));
		h = mix(h, x | lower);
	}
	memcpy(&x, name.p + name.n - sizeof(x), sizeof(x));
	return (uint32_t)(mix(h, x | lower) >> 16);
}

static unsigned hex(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
}

size_t proto_path_decode(char *to, struct span path)
{
	char *start = to;

	for (;;) {
		const char *p = path.n > 0 ? memchr(path.p, '%', path.n) : NULL;
		size_t n = p ? (size_t)(p - path.p) : path.n;

		if (n > 0)
			memcpy(to, path.p, n);
		to += n;
		if (!p)
			return (size_t)(to - start);
		path = span_skip(path, n);
		if (path.n >= 3 && http_char_is(p[1], HTTP_HEX) && http_char_is(p[2], HTTP_HEX)) {
			*to++ = (char)(hex(p[1]) << 4 | hex(p[2]));
			path = span_skip(path, 3);
		} else {
			*to++ = '%';
			path = span_skip(path, 1);
		}
	}
}

bool proto_path_holds_nul(struct span path)
{
	const char *p = path.p;
	const char *end = path.p + path.n;

	while (p < end && (p = memchr(p, '%', (size_t)(end - p)))) {
		if (end - p >= 3 && p[1] == '0' && p[2] == '0')
			return true;
		p++;
	}
	return false;
}

bool proto_path_is(struct span raw, struct span path)
{
	size_t at = 0;

	while (raw.n > 0) {
		char c = raw.p[0];
		bool escaped = c == '%' && raw.n >= 3 && http_char_is(raw.p[1], HTTP_HEX) &&
			       http_char_is(raw.p[2], HTTP_HEX);

		if (escaped)
			c = (char)(hex(raw.p[1]) << 4 | hex(raw.p[2]));
		raw = span_skip(raw, escaped ? 3 : 1);
		if (at < path.n && path.p[at] == c)
			at++;
		else if (c != '/' || at == 0 || path.p[at - 1] != '/')
			return false;
	}
	return at == path.n;
}

bool proto_path_split(struct span path, struct span script, struct span *ret_script)
{
	while (script.n > 0 && script.p[script.n - 1] == '/')
		script.n--;
	if (script.n == 0 || !span_starts(path, script))
		return false;
	if (path.n > script.n && path.p[script.n] != '/')
		return false;
	*ret_script = script;
	return true;
}

/* The decoded length is not known before: reserves for the longest, gives back the rest. Nothing follows it yet. */
static void add_decoded(struct vars *vars, struct span key, struct span path)
{
	char *p;

	if (path.n == 0 || !memchr(path.p, '%', path.n)) {
		vars_add(vars, key, path);
		return;
	}
	p = vars_reserve(vars, key, path.n);
	if (!p)
		return;
	vars_shrink_last(vars, key.n, path.n, proto_path_decode(p, path));
}

void proto_path_add(struct vars *vars, struct span path, struct span script)
{
	struct span found = span_of("", 0);

	if (span_eq(path, SPAN("*")))
		path = span_of("", 0);
	if (proto_path_split(path, script, &found))
		path = span_skip(path, found.n);
	add_decoded(vars, SPAN("SCRIPT_NAME"), found);
	add_decoded(vars, SPAN("PATH_INFO"), path);
}
