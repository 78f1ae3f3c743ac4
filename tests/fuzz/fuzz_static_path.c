/* libs: vassal_front */
/*
 * A map's URL, a line, the path of a request: which file that is. Whatever was sent, the name is relative, leads nowhere
 * up and names nothing hidden; and how a path is spelled changes neither what it belongs to nor what it names.
 */
#include <ctype.h>

#include "vassal/front/static_path.h"

#define PATH_MOST 4096 /* of what is spelled anew: three bytes for each */

struct named {
	bool ours, is;
	bool directory;
	char name[LIMIT_STATIC_PATH];
};

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_name(const char *name)
{
	check(name[0] != '/' && !strstr(name, "//"));
	check(name[0] == '\0' || name[strlen(name) - 1] != '/');
	for (const char *p = name; p; p = strchr(p, '/')) {
		p += *p == '/';
		check(*p != '.' || strcmp(p, ".well-known") == 0 ||
		      strncmp(p, ".well-known/", 12) == 0);
	}
}

static struct named look(const char *mount, struct span path)
{
	struct named n = {0};
	struct span rest;

	n.ours = static_path_match(mount, path, &rest);
	if (!n.ours)
		return n;
	check(rest.n <= path.n && rest.p + rest.n == path.p + path.n);
	check(rest.n == 0 || rest.p[0] != '/');
	n.is = static_path_decode(rest, n.name, &n.directory);
	if (n.is)
		check_name(n.name);
	return n;
}

/* Every byte that is no escape becomes one. */
static size_t spell(struct span path, char *to)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	for (size_t i = 0; i < path.n; i++) {
		if (path.p[i] == '%') {
			size_t m = MIN((size_t)3, path.n - i);

			memcpy(to + n, path.p + i, m);
			n += m;
			i += m - 1;
			continue;
		}
		to[n++] = '%';
		to[n++] = hex[(unsigned char)path.p[i] >> 4];
		to[n++] = hex[path.p[i] & 15];
	}
	return n;
}

/* A bad escape takes its neighbours along when they are spelled: what it means then is another question. */
static bool escapes_are_good(struct span path)
{
	for (size_t i = 0; i < path.n; i++)
		if (path.p[i] == '%' &&
		    (path.n - i < 3 || !isxdigit((unsigned char)path.p[i + 1]) ||
		     !isxdigit((unsigned char)path.p[i + 2])))
			return false;
	return true;
}

static void check_spelling(const char *mount, struct span path, const struct named *as_sent)
{
	static char spelled[3 * PATH_MOST];
	struct named n = look(mount, span_of(spelled, spell(path, spelled)));

	check(n.ours == as_sent->ours && n.is == as_sent->is);
	check(!n.is || (strcmp(n.name, as_sent->name) == 0 && n.directory == as_sent->directory));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *line = size > 0 ? memchr(data, '\n', size) : NULL;
	char mount[256], name[LIMIT_STATIC_PATH];
	struct named as_sent;
	struct span path;
	bool directory;
	size_t n = line ? (size_t)(line - (const char *)data) : 0;

	if (!line || n >= sizeof(mount) || memchr(data, '\0', n))
		return 0;
	memcpy(mount, data, n);
	mount[n] = '\0';
	path = span_of(line + 1, size - n - 1);
	as_sent = look(mount, path);
	if (path.n <= PATH_MOST && escapes_are_good(path))
		check_spelling(mount, path, &as_sent);
	if (static_path_unescape(path, name, &directory))
		check(strlen(name) < sizeof(name) && !strstr(name, "//"));
	return 0;
}
