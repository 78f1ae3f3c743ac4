/*
 * vassal_values - the options about the app and its processes whose values need more than their type. See
 * vassal_parse.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <strings.h>

#include "shared/err.h"
#include "shared/vassal_parse.h"

#define POST_BUFFERING_MIN 4096U /* a page: less saves nothing */

static int set_text(char **field, const char *value, struct err *err)
{
	char *copy = strdup(value);

	if (!copy)
		return err_set(err, -ENOMEM, "out of memory");
	free(*field);
	*field = copy;
	return 0;
}

/* "3.12", and "python3.12" as a program is called. */
VASSAL_PARSER(vassal_parse_python)
{
	struct vassal_config *c = config;
	const char *version = strncmp(value, "python", 6) == 0 ? value + 6 : value;
	size_t major = strspn(version, "0123456789");
	size_t minor = version[major] == '.' ? strspn(version + major + 1, "0123456789") : 0;

	(void)o, (void)where, (void)notes;
	if (major == 0 || minor == 0 || version[major + 1 + minor] != '\0')
		return err_set(err, -EINVAL, "\"%s\" is not a version like 3.12", value);
	return set_text(&c->python, version, err);
}

VASSAL_PARSER(vassal_parse_pythonpath)
{
	struct vassal_config *c = config;
	const char *p = value;

	if (strchr(value, ':'))
		option_note(notes, where,
			    "%s: read as several directories; uWSGI takes one each time", o->name);
	while (*p) {
		size_t n = strcspn(p, ":");
		char *one = n > 0 ? strndup(p, n) : NULL;
		int r = one ? option_list_add(&c->pythonpath, one, err) : 0;

		if (n > 0 && !one)
			return err_set(err, -ENOMEM, "out of memory");
		free(one);
		if (r < 0)
			return r;
		p += n;
		p += *p == ':';
	}
	return 0;
}

/* uWSGI keeps the blanks of "A = B" in name and value, which nobody has ever meant. */
VASSAL_PARSER(vassal_parse_env)
{
	struct vassal_config *c = config;
	const char *equals = strchr(value, '=');
	struct span name, text;
	char *item;
	int r;

	if (!equals)
		return err_set(err, -EINVAL, "\"%s\" is not NAME=value", value);
	name = span_trim(span_of(value, (size_t)(equals - value)));
	text = span_trim(span_str(equals + 1));
	if (name.n == 0)
		return err_set(err, -EINVAL, "\"%s\" is not NAME=value", value);
	if (name.p + name.n != equals || text.p != equals + 1)
		option_note(notes, where, "%s: blanks around = are dropped; uWSGI kept them",
			    o->name);
	if (asprintf(&item, "%.*s=%.*s", (int)name.n, name.p, (int)text.n, text.p) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	r = option_list_add(&c->env, item, err);
	free(item);
	return r;
}

static int keep_mount(struct vassal_config *c, struct span path, struct span app, struct err *err)
{
	struct mount_config *v;

	if (c->mounts_n == LIMIT_MOUNTS)
		return err_set(err, -E2BIG, "more than %d of them", LIMIT_MOUNTS);
	for (size_t i = 0; i < c->mounts_n; i++)
		if (span_eq(span_str(c->mounts[i].path), path))
			return err_set(err, -EEXIST, "two apps at %.*s/", (int)path.n, path.p);
	v = reallocarray(c->mounts, c->mounts_n + 1, sizeof(*v));
	if (!v)
		return err_set(err, -ENOMEM, "out of memory");
	c->mounts = v;
	v += c->mounts_n++;
	v->path = strndup(path.p, path.n);
	v->app = strndup(app.p, app.n);
	return v->path && v->app ? 0 : err_set(err, -ENOMEM, "out of memory");
}

VASSAL_PARSER(vassal_parse_mount)
{
	const char *equals = strchr(value, '=');
	struct span path =
		equals ? span_trim(span_of(value, (size_t)(equals - value))) : span_of("", 0);
	struct span app = equals ? span_trim(span_str(equals + 1)) : span_of("", 0);

	(void)o;
	(void)where;
	(void)notes;
	if (path.n == 0 || app.n == 0)
		return err_set(err, -EINVAL, "\"%s\" is not /path=app", value);
	if (path.p[0] != '/')
		return err_set(
			err, -EINVAL,
			"\"%.*s\" does not begin with a slash; an app of another host has an "
			"ini of its own, with domain = %.*s",
			(int)path.n, path.p, (int)path.n, path.p);
	while (path.n > 0 && path.p[path.n - 1] == '/')
		path.n--;
	return keep_mount(config, path, app, err);
}

VASSAL_PARSER(vassal_parse_warmup)
{
	struct vassal_config *c = config;

	(void)o, (void)where, (void)notes;
	if (value[0] != '/' || strpbrk(value, " \t"))
		return err_set(err, -EINVAL, "\"%s\" is not a path like /login", value);
	return option_list_add(&c->warmup, value, err);
}

VASSAL_PARSER(vassal_parse_route)
{
	struct vassal_config *c = config;
	const struct routing_rule *rule;
	int r = routing_add(&c->routing, o->name, value, where, err);

	if (r < 0)
		return r;
	rule = &c->routing.v[c->routing.n - 1];
	if (rule->subject == ROUTING_URI &&
	    (rule->action == ROUTING_BASICAUTH || rule->action == ROUTING_BREAK))
		option_note(
			notes, where,
			"route-uri: looks at what the client has written, and %%61dmin is admin "
			"as well: to guard a path say route");
	return 0;
}

VASSAL_PARSER(vassal_parse_health_check)
{
	struct vassal_config *c = config;
	char *path;

	(void)o, (void)where, (void)notes;
	if (value[0] != '/' || strpbrk(value, " \t"))
		return err_set(err, -EINVAL, "\"%s\" is not a path like /health", value);
	path = strdup(value);
	if (!path)
		return err_set(err, -ENOMEM, "out of memory");
	free(c->health_check);
	c->health_check = path;
	return 0;
}

/* -- plugins: what they bring is built in, or runs no Python ------------------------------------------- */

static bool in_words(struct span name, const char *const *words, size_t n, bool prefix)
{
	for (size_t i = 0; i < n; i++) {
		struct span word = span_str(words[i]);

		if (prefix ? span_starts(name, word) : span_eq(name, word))
			return true;
	}
	return false;
}

/* "/usr/lib/uwsgi/python3_plugin.so" -> "python3". */
static struct span plugin_base(struct span name)
{
	static const char tail[] = "_plugin.so";
	const char *slash = memrchr(name.p, '/', name.n);

	if (slash)
		name = span_skip(name, (size_t)(slash + 1 - name.p));
	if (name.n > sizeof(tail) - 1 &&
	    memcmp(name.p + name.n - (sizeof(tail) - 1), tail, sizeof(tail) - 1) == 0)
		name.n -= sizeof(tail) - 1;
	return name;
}

static int check_plugin(struct span name, const char *where, struct inifile_notes *notes,
			struct err *err)
{
	static const char *const built_in[] = {"python", "http",   "corerouter", "logfile",
					       "stdio",  "syslog", "router_",    "logsocket"};
	static const char *const other[] = {"php",    "psgi",    "rack",     "lua",    "jvm",
					    "cgi",    "mono",    "v8",       "pypy",   "ruby",
					    "gevent", "asyncio", "greenlet", "tornado"};

	if (in_words(name, built_in, ARRAY_SIZE(built_in), true))
		return 0;
	if (in_words(name, other, ARRAY_SIZE(other), true))
		return err_set(err, -EOPNOTSUPP,
			       "%.*s: only Python apps of processes and threads "
			       "run here",
			       (int)name.n, name.p);
	option_note(notes, where, "plugin: %.*s is not known here, ignored", (int)name.n, name.p);
	return 0;
}

VASSAL_PARSER(vassal_parse_plugins)
{
	static const char separators[] = ", \t";
	const char *p = value + strspn(value, separators);

	(void)config, (void)o;
	while (*p) {
		size_t n = strcspn(p, separators);
		int r = check_plugin(plugin_base(span_of(p, n)), where, notes, err);

		if (r < 0)
			return r;
		p += n;
		p += strspn(p, separators);
	}
	return 0;
}

/* -- numbers with a word for something ------------------------------------------------------------------ */

VASSAL_PARSER(vassal_parse_processes)
{
	struct vassal_config *c = config;
	uint64_t number;
	int r;

	if (strcasecmp(value, "auto") == 0) {
		c->processes = MIN(inifile_count_cpus(), (unsigned)o->max);
		return 0;
	}
	r = option_number(o, value, where, notes, &number, err);
	if (r == 0)
		c->processes = (unsigned)number;
	return r;
}

VASSAL_PARSER(vassal_parse_trusted)
{
	struct vassal_config *c = config;

	(void)o, (void)where, (void)notes;
	return trust_add(&c->trusted_proxies, value, err);
}

VASSAL_PARSER(vassal_parse_forwarded)
{
	static const char *const names[] = {
		[FORWARDED_AUTO] = "auto",
		[FORWARDED_X] = "x-forwarded",
		[FORWARDED_RFC] = "forwarded",
	};
	struct vassal_config *c = config;

	(void)o, (void)where, (void)notes;
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (strcasecmp(value, names[i]) == 0) {
			c->forwarded_header = (enum forwarded_mode)i;
			return 0;
		}
	return err_set(err, -EINVAL, "\"%s\" is none of auto, x-forwarded, forwarded", value);
}

VASSAL_PARSER(vassal_parse_delta)
{
	struct vassal_config *c = config;

	if (strcasecmp(value, "auto") == 0) {
		c->max_requests_delta = UINT64_MAX;
		return 0;
	}
	return option_number(o, value, where, notes, &c->max_requests_delta, err);
}

VASSAL_PARSER(vassal_parse_lifetime_delta)
{
	struct vassal_config *c = config;
	uint64_t seconds;
	int r;

	if (strcasecmp(value, "auto") == 0) {
		c->max_lifetime_delta_s = UINT_MAX;
		return 0;
	}
	r = option_number(o, value, where, notes, &seconds, err);
	if (r == 0)
		c->max_lifetime_delta_s = (unsigned)seconds;
	return r;
}

VASSAL_PARSER(vassal_parse_prio)
{
	struct vassal_config *c = config;
	char *end;
	long prio = strtol(value, &end, 10);

	(void)o, (void)where, (void)notes;
	if (end == value || *end != '\0' || prio < -20 || prio > 19)
		return err_set(err, -EINVAL, "\"%s\" is not a number from -20 to 19", value);
	c->prio = (int)prio;
	return 0;
}

VASSAL_PARSER(vassal_parse_umask)
{
	struct vassal_config *c = config;
	size_t n = strspn(value, "01234567");

	(void)o, (void)where, (void)notes;
	if (value[n] != '\0' || n < 1 || n > 4 || strtoul(value, NULL, 8) > 0777)
		return err_set(err, -EINVAL, "\"%s\" is not a mask like 022", value);
	c->umask = (mode_t)strtoul(value, NULL, 8);
	return 0;
}

/* uWSGI's documents say both "true" and seconds; 1 means "on" in every file seen. */
VASSAL_PARSER(vassal_parse_keepalive)
{
	struct vassal_config *c = config;
	uint64_t seconds;
	int r;

	if (!option_is_true(value)) {
		c->keepalive_s = 0;
		return 0;
	}
	if (str_eq(value, "1") || strcasecmp(value, "true") == 0 || strcasecmp(value, "on") == 0 ||
	    strcasecmp(value, "yes") == 0)
		value = o->def;
	r = option_number(o, value, where, notes, &seconds, err);
	if (r == 0)
		c->keepalive_s = (unsigned)seconds;
	return r;
}

/* More than we hold is no mistake of the file: people write what once made uWSGI work. */
static int parse_clamped(const struct option *o, const char *value, unsigned most, unsigned *ret,
			 const char *where, struct inifile_notes *notes, struct err *err)
{
	uint64_t number;
	int r = option_number(o, value, where, notes, &number, err);

	if (r < 0)
		return r;
	if (number > most)
		option_note(notes, where, "%s: %" PRIu64 " is read as %u, the most there is",
			    o->name, number, most);
	*ret = (unsigned)MIN(number, (uint64_t)most);
	return 0;
}

VASSAL_PARSER(vassal_parse_head_bytes)
{
	struct vassal_config *c = config;

	return parse_clamped(o, value, LIMIT_HEAD_BYTES, &c->buffer_size, where, notes, err);
}

/* 0 is "off" and 1 is "on" in real files, but bodies are always buffered: neither means a file for each of them. */
VASSAL_PARSER(vassal_parse_body_bytes)
{
	struct vassal_config *c = config;
	int r;

	r = parse_clamped(o, option_is_true(value) ? value : o->def, LIMIT_BODY_MEMORY,
			  &c->post_buffering, where, notes, err);
	if (r == 0)
		c->post_buffering = MAX(c->post_buffering, POST_BUFFERING_MIN);
	return r;
}

/* -- the rest ------------------------------------------------------------------------------------------- */

VASSAL_PARSER(vassal_parse_logto)
{
	struct vassal_config *c = config;

	if (strcasecmp(value, "true") == 0 || str_eq(value, "1")) {
		option_note(notes, where, "%s: takes a file; there is none in \"%s\", ignored",
			    o->name, value);
		return 0;
	}
	return set_text(&c->logto, value, err);
}

VASSAL_PARSER(vassal_parse_stats)
{
	struct vassal_config *c = config;
	struct address address;
	int r = address_parse(value, &address, err);

	(void)o, (void)where, (void)notes;
	return r < 0 ? r : set_text(&c->stats, value, err);
}

/* The folk idiom for a graceful stop on TERM, which is what happens here anyway. */
VASSAL_PARSER(vassal_parse_hook)
{
	(void)config, (void)err;
	if (!strstr(value, "gracefully_kill_them_all"))
		option_note(notes, where, "%s: ignored: %s", o->name, o->text);
	return 0;
}

VASSAL_PARSER(vassal_parse_print)
{
	(void)config, (void)o, (void)err;
	option_note(notes, where, "%s", value);
	return 0;
}
