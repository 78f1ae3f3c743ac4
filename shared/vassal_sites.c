/*
 * vassal_sites - the options that say where an app answers: its own addresses, the domains of the shared port. See
 * vassal_parse.h.
 */
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "shared/err.h"
#include "shared/vassal_parse.h"

#define DOMAIN_PATH_MAX 255 /* struct route has room for this much and a NUL */

const char *listener_protocol_name(enum listener_protocol protocol)
{
	static const char *const names[] = {
		[LISTENER_HTTP] = "http",        [LISTENER_UWSGI] = "uwsgi",
		[LISTENER_FASTCGI] = "fastcgi",  [LISTENER_SCGI] = "scgi",
		[LISTENER_ANY] = "any protocol",
	};

	return names[protocol];
}

/*
 * By CGI variables whoever connects says who asks, and who has logged in; that is what they are for. HTTP says nothing
 * of the kind.
 */
static void note_who_is_believed(const struct option *o, const struct listener_config *l,
				 const char *where, struct inifile_notes *notes)
{
	if (l->protocol != LISTENER_HTTP && !address_is_local(&l->address))
		option_note(notes, where,
			    "%s: whoever reaches %s may claim to be any client and any user, as "
			    "uwsgi, FastCGI and SCGI allow: let only your web server in, or use "
			    "http-socket",
			    o->name, l->text);
}

static int add_listener(struct vassal_config *c, enum listener_protocol protocol,
			const struct option *o, const char *value, const char *where,
			struct inifile_notes *notes, struct err *err)
{
	struct listener_config *l = &c->listeners[c->listeners_n];
	struct address address;
	int r = address_parse(value, &address, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < c->listeners_n; i++)
		if (address_equal(&c->listeners[i].address, &address))
			return err_set(err, -EEXIST, "%s is already an address of this app", value);
	if (c->listeners_n == LIMIT_LISTENERS)
		return err_set(err, -E2BIG, "more than %d addresses", LIMIT_LISTENERS);
	l->text = strdup(value);
	if (!l->text)
		return err_set(err, -ENOMEM, "out of memory");
	l->protocol = protocol;
	l->address = address;
	c->listeners_n++;
	note_who_is_believed(o, l, where, notes);
	return 0;
}

VASSAL_PARSER(vassal_parse_http)
{
	return add_listener(config, LISTENER_HTTP, o, value, where, notes, err);
}

VASSAL_PARSER(vassal_parse_socket)
{
	struct vassal_config *c = config;

	return add_listener(c, c->protocol, o, value, where, notes, err);
}

VASSAL_PARSER(vassal_parse_uwsgi_socket)
{
	return add_listener(config, LISTENER_UWSGI, o, value, where, notes, err);
}

VASSAL_PARSER(vassal_parse_fastcgi_socket)
{
	return add_listener(config, LISTENER_FASTCGI, o, value, where, notes, err);
}

VASSAL_PARSER(vassal_parse_scgi_socket)
{
	return add_listener(config, LISTENER_SCGI, o, value, where, notes, err);
}

VASSAL_PARSER(vassal_parse_protocol)
{
	static const struct {
		const char *name;
		enum listener_protocol protocol;
	} known[] = {
		{"uwsgi", LISTENER_UWSGI},     {"http", LISTENER_HTTP}, {"http11", LISTENER_HTTP},
		{"fastcgi", LISTENER_FASTCGI}, {"scgi", LISTENER_SCGI}, {"auto", LISTENER_ANY},
	};
	struct vassal_config *c = config;

	(void)o, (void)where, (void)notes;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (strcasecmp(known[i].name, value) == 0) {
			c->protocol = known[i].protocol;
			return 0;
		}
	}
	return err_set(err, -EOPNOTSUPP,
		       "\"%s\" is not spoken here: uwsgi, http, fastcgi, scgi or auto", value);
}

/* uWSGI: 3 digits, and "1" (or nothing) for 666. */
VASSAL_PARSER(vassal_parse_chmod)
{
	struct vassal_config *c = config;
	size_t n = strspn(value, "01234567");

	(void)o, (void)where, (void)notes;
	if (str_eq(value, "1") || strcasecmp(value, "true") == 0) {
		c->chmod_socket = 0666;
		return 0;
	}
	if (value[n] != '\0' || n < 3 || n > 4)
		return err_set(err, -EINVAL, "\"%s\" is not a mode of 3 or 4 octal digits", value);
	c->chmod_socket = (unsigned)strtoul(value, NULL, 8);
	if (c->chmod_socket > 0777)
		return err_set(err, -EINVAL, "\"%s\": a socket has no set-id or sticky bits",
			       value);
	return 0;
}

/* -- domains -------------------------------------------------------------------------------------------- */

static bool is_host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Labels of RFC 1035 with '_', which real names carry; the address literals of a URL too. */
static bool is_host(const char *host)
{
	size_t n = strlen(host);
	size_t label = 0;

	if (n > 2 && host[0] == '[' && host[n - 1] == ']')
		return strspn(host + 1, "0123456789abcdef:.") == n - 2;
	if (n == 0 || n > 253)
		return false;
	for (const char *p = host; *p; p++) {
		if (*p == '.' ? label == 0 : !is_host_char(*p))
			return false;
		label = *p == '.' ? 0 : label + 1;
		if (label > 63)
			return false;
	}
	return label > 0;
}

static int check_host(const char *host, struct err *err)
{
	const char *name = strncmp(host, "*.", 2) == 0 ? host + 2 : host;

	if (str_eq(host, "*"))
		return err_set(err, -EINVAL,
			       "\"*\": say default = true for what no other app claims");
	for (const char *p = host; *p; p++)
		if ((unsigned char)*p >= 0x80)
			return err_set(err, -EINVAL,
				       "\"%s\": clients send such a name as xn--...; "
				       "write it so",
				       host);
	if (host[0] != '[' && strchr(host, ':'))
		return err_set(err, -EINVAL, "\"%s\": a domain has neither scheme nor port", host);
	if (strchr(name, '*'))
		return err_set(err, -EINVAL,
			       "\"%s\": a star stands only at the front, as in *.b.example", host);
	if (!is_host(name))
		return err_set(err, -EINVAL, "\"%s\" is not a host name", host);
	return 0;
}

static bool has_dot_segment(const char *path)
{
	for (const char *p = path; p; p = strchr(p + 1, '/')) {
		size_t n = strcspn(p + 1, "/");

		if (n == 0 || (n == 1 && p[1] == '.') || (n == 2 && p[1] == '.' && p[2] == '.'))
			return true;
	}
	return false;
}

static int check_path(const char *path, struct err *err)
{
	if (*path == '\0')
		return 0;
	if (strlen(path) > DOMAIN_PATH_MAX)
		return err_set(err, -ENAMETOOLONG, "\"%s\": a path has at most %d bytes", path,
			       DOMAIN_PATH_MAX);
	if (has_dot_segment(path) || strpbrk(path, "?#%* \t\\"))
		return err_set(err, -EINVAL, "\"%s\" is not a plain path like /blog", path);
	return 0;
}

static void drop_trailing(char *s, char c)
{
	size_t n = strlen(s);

	while (n > 0 && s[n - 1] == c)
		s[--n] = '\0';
}

/* "B.example./blog/" -> "b.example", "/blog". The strings are the caller's, on failure too. */
static int split_domain(const char *text, char **ret_host, char **ret_path, struct err *err)
{
	size_t n = strcspn(text, "/");
	char *host = strndup(text, n);
	char *path = strdup(text + n);
	int r;

	*ret_host = host;
	*ret_path = path;
	if (!host || !path)
		return err_set(err, -ENOMEM, "out of memory");
	if (strstr(text, "://"))
		return err_set(err, -EINVAL, "\"%s\": a domain has neither scheme nor port", text);
	for (char *p = host; *p; p++)
		*p = ascii_lower(*p);
	if (n > 1 && host[n - 1] == '.')
		host[n - 1] = '\0';
	drop_trailing(path, '/');
	r = check_host(host, err);
	return r < 0 ? r : check_path(path, err);
}

static bool has_domain(const struct vassal_config *c, const char *host, const char *path)
{
	for (size_t i = 0; i < c->domains_n; i++)
		if (str_eq(c->domains[i].host, host) && str_eq(c->domains[i].path, path))
			return true;
	return false;
}

static int keep_domain(struct vassal_config *c, struct domain_config *d, struct err *err)
{
	struct domain_config *v;

	if (c->domains_n == LIMIT_DOMAINS)
		return err_set(err, -E2BIG, "more than %d domains", LIMIT_DOMAINS);
	v = reallocarray(c->domains, c->domains_n + 1, sizeof(*v));
	if (!v)
		return err_set(err, -ENOMEM, "out of memory");
	c->domains = v;
	v[c->domains_n++] = *d;
	*d = (struct domain_config){0};
	return 0;
}

static int add_domain(struct vassal_config *c, const char *text, const char *where,
		      struct inifile_notes *notes, struct err *err)
{
	struct domain_config d = {0};
	int r = split_domain(text, &d.host, &d.path, err);

	if (r == 0 && has_domain(c, d.host, d.path))
		option_note(notes, where, "domain: %s stands here twice", text);
	else if (r == 0)
		r = keep_domain(c, &d, err);
	free(d.host);
	free(d.path);
	return r;
}

VASSAL_PARSER(vassal_parse_domain)
{
	static const char separators[] = ", \t";
	const char *p = value + strspn(value, separators);

	(void)o;
	while (*p) {
		size_t n = strcspn(p, separators);
		char *one = strndup(p, n);
		int r;

		if (!one)
			return err_set(err, -ENOMEM, "out of memory");
		r = add_domain(config, one, where, notes, err);
		free(one);
		if (r < 0)
			return r;
		p += n;
		p += strspn(p, separators);
	}
	return 0;
}
