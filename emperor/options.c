/*
 * options - see options.h.
 */
#include "emperor/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "emperor/role.h"
#include "shared/err.h"
#include "shared/log.h"
#include "shared/vassal_config.h"

#define SEPARATORS          ", \t"
#define DEFAULT_VASSALS_DIR "/etc/emperor/vassals.d"
#define ROOT_RUN_DIR        "/run/emperor"
#define ROOT_DB             "/var/lib/emperor/history.db"
/*
 * Two users that every Debian has from its first minute and that run and own nothing: an app as nobody, which others use
 * too, would have the same rights over a role as the role itself. Two, so that neither role can harm the other.
 */

#define PARSER(name)                                                             \
	static int name(void *config, const struct option *o, const char *value, \
			const char *where, struct inifile_notes *notes, struct err *err)

PARSER(parse_http)
{
	struct emperor_options *e = config;
	struct emperor_port *port = &e->http[e->http_n];
	struct address address;
	int r = address_parse(value, &address, err);

	(void)o, (void)where, (void)notes;
	if (r < 0)
		return r;
	for (size_t i = 0; i < e->http_n; i++)
		if (address_equal(&e->http[i].address, &address))
			return err_set(err, -EEXIST, "%s is already a shared port", value);
	if (e->http_n == LIMIT_PORTS)
		return err_set(err, -E2BIG, "more than %d shared ports", LIMIT_PORTS);
	port->text = strdup(value);
	if (!port->text)
		return err_set(err, -ENOMEM, "out of memory");
	port->address = address;
	e->http_n++;
	return 0;
}

PARSER(parse_stats)
{
	struct emperor_options *e = config;
	struct address address;
	int r = address_parse(value, &address, err);

	(void)o, (void)where, (void)notes;
	if (r < 0)
		return r;
	free(e->stats);
	e->stats = strdup(value);
	return e->stats ? 0 : err_set(err, -ENOMEM, "out of memory");
}

/* "10.0.0.0/8", "::1". */
static bool is_network(const char *text)
{
	char host[INET6_ADDRSTRLEN];
	unsigned char bits[sizeof(struct in6_addr)];
	size_t n = strcspn(text, "/");
	const char *digits = text[n] ? text + n + 1 : "0";
	size_t digits_n = strlen(digits);
	bool six = memchr(text, ':', n) != NULL;

	if (n >= sizeof(host) || digits_n == 0 || digits_n > 3 ||
	    strspn(digits, "0123456789") != digits_n)
		return false;
	memcpy(host, text, n);
	host[n] = '\0';
	return strtoul(digits, NULL, 10) <= (six ? 128 : 32) &&
	       inet_pton(six ? AF_INET6 : AF_INET, host, bits) == 1;
}

/* The gate is told all of them at once: what it did not know it would take for one person's, and apps for a proxy's. */
static int check_trusted(const struct option_list *l, struct err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += strlen(l->v[i]) + 1;
	return n <= ROLE_TEXT ? 0
			      : err_set(err, -E2BIG, "longer than %d bytes: name larger networks",
					ROLE_TEXT);
}

/* The gate's, and every app's: who sends to a shared port speaks to an app in the end. */
PARSER(parse_trusted)
{
	struct emperor_options *e = config;
	const char *p = value + strspn(value, SEPARATORS);
	int r = config_items_add(&e->vassal_defaults, o->name, value, where, 0, true, err);

	(void)notes;
	while (*p && r == 0) {
		size_t n = strcspn(p, SEPARATORS);
		char *one = strndup(p, n);

		if (!one)
			return err_set(err, -ENOMEM, "out of memory");
		if (is_network(one))
			r = option_list_add(&e->trusted_proxies, one, err);
		else
			r = err_set(err, -EINVAL,
				    "\"%s\" is neither an address nor a network like "
				    "10.0.0.0/8",
				    one);
		free(one);
		p += n;
		p += strspn(p, SEPARATORS);
	}
	return r < 0 ? r : check_trusted(&e->trusted_proxies, err);
}

PARSER(parse_log_level)
{
	static const char *const names[] = {
		[LOG_LEVEL_ERROR] = "error",
		[LOG_LEVEL_WARNING] = "warning",
		[LOG_LEVEL_INFO] = "info",
		[LOG_LEVEL_DEBUG] = "debug",
	};
	struct emperor_options *e = config;

	(void)o, (void)where, (void)notes;
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcasecmp(names[i], value) == 0) {
			e->log_level = i;
			return 0;
		}
	}
	return err_set(err, -EINVAL, "\"%s\" is none of error, warning, info, debug", value);
}

PARSER(parse_db)
{
	struct emperor_options *e = config;
	char *copy = strdup(strcasecmp(value, "none") == 0 ? "" : value);

	(void)o, (void)where, (void)notes;
	if (!copy)
		return err_set(err, -ENOMEM, "out of memory");
	free(e->db);
	e->db = copy;
	return 0;
}

/* "harakiri = 60". Its place goes along, so that a bad value is said where it stands. */
PARSER(parse_default)
{
	struct emperor_options *e = config;
	const char *equals = strchrnul(value, '=');
	struct span key = span_trim(span_of(value, (size_t)(equals - value)));
	struct span text = *equals ? span_trim(span_str(equals + 1)) : span_of(equals, 0);
	char *name = strndup(key.p, key.n);
	char *setting = strndup(text.p, text.n);
	int r;

	(void)o, (void)notes;
	if (!name || !setting)
		r = err_set(err, -ENOMEM, "out of memory");
	else if (!option_find(vassal_options, vassal_options_n, name))
		r = err_set(err, -EINVAL, "\"%s\" is no option of an app", name);
	else
		r = config_items_add(&e->vassal_defaults, name, setting, where, 0, *equals == '=',
				     err);
	free(name);
	free(setting);
	return r;
}

#define FIELD(type, field) OPTION_FIELD(struct emperor_options, type, field)

/* clang-format off */
#define CUSTOM(name, aliases, parse, def, unit, section, text, example, flags) \
	{name, aliases, OPTION_CUSTOM, 0, def, 0, 0, unit, RELOAD_GENERATION, section, text, example, parse, flags}
#define TEXT(name, aliases, type, field, def, unit, section, text, example) \
	{name, aliases, OPTION_STRING, FIELD(type, field), def, 0, 0, unit, RELOAD_GENERATION, section, text, \
	 example, NULL, OPTION_CLEAN}

const struct option emperor_options_table[] = {
	{"vassals", "emperor", OPTION_LIST, FIELD(struct option_list, vassals), NULL, 0, 0, "directory",
	 RELOAD_GENERATION, "Apps",
	 "A directory whose *.ini files are the apps; " DEFAULT_VASSALS_DIR " if nothing is said",
	 "/etc/emperor/vassals.d", NULL, OPTION_CLEAN},
	TEXT("uid", NULL, char *, uid, NULL, "user", "Apps",
	     "User of apps that name none; www-data, else nobody, if nothing is said", "www-data"),
	TEXT("gid", NULL, char *, gid, NULL, "group", "Apps",
	     "Group of apps that name none; the group of that user if nothing is said", "www-data"),
	{"tyrant", "emperor-tyrant", OPTION_BOOL, FIELD(bool, tyrant), "false", 0, 0, NULL, RELOAD_GENERATION, "Apps",
	 "Apps that name no user run as the owner of their ini, which others than root may then write", "false",
	 NULL, 0},
	{"rescan", "emperor-freq", OPTION_SECONDS, FIELD(unsigned, rescan_s), "10", 1, 3600, NULL, RELOAD_GENERATION,
	 "Apps", "How often the directories are looked through, beside being told of changes", "10", NULL, 0},
	{"max-workers", NULL, OPTION_UINT, FIELD(unsigned, max_workers), "0", 0, 0, NULL, RELOAD_GENERATION, "Apps",
	 "Processes of all apps together: who starts beyond it is given fewer, one at least; 0 is no limit", "64", NULL, 0},
	{"memory-budget", NULL, OPTION_MBYTES, FIELD(uint64_t, memory_budget), "0", 0, 0, NULL, RELOAD_GENERATION, "Apps",
	 "Memory of all apps together: beyond it, and when the kernel tells of stalls, idle apps that may sleep do (the "
	 "longest idle first), then the fattest idle process is replaced; 0 is none", "4G", NULL, 0},
	TEXT("cgroup", NULL, char *, cgroup, NULL, "directory", "Apps",
	     "A cgroup v2 directory with the memory controller for apps with limit-memory; one called emperor below "
	     "the root if nothing is said", "/sys/fs/cgroup/emperor"),
	CUSTOM("vassal-default", "vassal-set vassals-set", parse_default, NULL, "option=value", "Apps",
	       "An option for every app; what an app says itself counts more", "harakiri=120", OPTION_MANY),

	CUSTOM("http", NULL, parse_http, NULL, "address", "Shared ports",
	       "An address where all apps answer by name: PORT, HOST:PORT, [IPV6]:PORT, /path/of.sock", ":8000",
	       OPTION_CLEAN | OPTION_MANY),
	CUSTOM("trusted-proxies", "trusted-proxy", parse_trusted, NULL, "networks", "Shared ports",
	       "Addresses and networks of proxies in front, separated by commas: they may speak for their clients, here "
	       "and to every app", "127.0.0.1, 10.0.0.0/8",
	       OPTION_CLEAN | OPTION_MANY),
	TEXT("gate-user", NULL, char *, gate_user, ROOT_GATE_USER, "user", "Shared ports",
	     "User of the process that accepts on the shared ports, when the emperor is root; no app may run as it",
	     ROOT_GATE_USER),

	TEXT("run-dir", NULL, char *, run_dir, NULL, "directory", "Files",
	     "Directory of sockets and state; " ROOT_RUN_DIR " for root, else one in XDG_RUNTIME_DIR", ROOT_RUN_DIR),
	{"control-mode", NULL, OPTION_OCTAL, FIELD(unsigned, control_mode), "600", 0, 0777, "mode",
	 RELOAD_GENERATION, "Files", "Mode of the control socket", "600", NULL, 0},
	TEXT("logto", "log daemonize", char *, logto, NULL, "file", "Files", "The log file; stderr if nothing is said",
	     "/var/log/emperor.log"),
	CUSTOM("log-level", NULL, parse_log_level, "info", "level", "Files", "error, warning, info or debug", "info",
	       OPTION_CLEAN),

	CUSTOM("stats", "emperor-stats emperor-stats-server", parse_stats, NULL, "address", "Statistics",
	       "An address that tells the statistics of all apps", "127.0.0.1:9190", OPTION_CLEAN),
	CUSTOM("db", NULL, parse_db, NULL, "file", "Statistics",
	       "The database of history; none is none; " ROOT_DB " for root, else in run-dir", ROOT_DB, OPTION_CLEAN),
	TEXT("stats-user", NULL, char *, stats_user, ROOT_STATS_USER, "user", "Statistics",
	     "User of the process that keeps statistics, when the emperor is root; no app may run as it", ROOT_STATS_USER),
};
/* clang-format on */

const size_t emperor_options_table_n = ARRAY_SIZE(emperor_options_table);

void emperor_options_run_dir(char *buf, size_t size)
{
	const char *base = getenv("XDG_RUNTIME_DIR");

	if (geteuid() == 0)
		(void)snprintf(buf, size, "%s", ROOT_RUN_DIR);
	else if (base && base[0] == '/')
		(void)snprintf(buf, size, "%s/emperor", base);
	else
		(void)snprintf(buf, size, "/tmp/emperor-%u", (unsigned)geteuid());
}

/* Defaults that depend on who we are, or on another option. */
static int complete(struct emperor_options *e, struct err *err)
{
	char dir[256];

	if (!e->run_dir) {
		emperor_options_run_dir(dir, sizeof(dir));
		e->run_dir = strdup(dir);
	}
	if (e->run_dir && !e->db && geteuid() == 0)
		e->db = strdup(ROOT_DB);
	else if (e->run_dir && !e->db && asprintf(&e->db, "%s/history.db", e->run_dir) < 0)
		e->db = NULL;
	if (!e->run_dir || !e->db)
		return err_set(err, -ENOMEM, "out of memory");
	return e->vassals.n > 0 ? 0 : option_list_add(&e->vassals, DEFAULT_VASSALS_DIR, err);
}

/* A default that no app could use is the emperor.ini's mistake, not each app's. */
static int check_defaults(const struct emperor_options *e, struct err *err)
{
	struct vassal_config probe = {0};
	int r = option_defaults(vassal_options, vassal_options_n, &probe, err);

	for (size_t i = 0; i < e->vassal_defaults.n && r == 0; i++) {
		const struct config_item *it = &e->vassal_defaults.v[i];

		r = option_apply(vassal_options, vassal_options_n, &probe, it->key, it->value,
				 it->has_value, it->file, NULL, err);
	}
	vassal_config_done(&probe);
	return r;
}

int emperor_options_parse(const char *path, const char *bytes, size_t n, char *const *environ_now,
			  struct config_items *ret_items, struct inifile_notes *notes,
			  struct err *err)
{
	const struct inifile_facts facts = {
		.path = path,
		.section = "emperor",
		.environ = environ_now,
		.cpus = 1,
		.allow_files = true,
	};

	return inifile_parse(bytes, n, &facts, ret_items, notes, err);
}

int emperor_options_build(const struct config_items *items, struct emperor_options *ret,
			  struct inifile_notes *notes, struct err *err)
{
	const struct option_unknown unknown = {.strict = false, .known_elsewhere = uwsgi_names_has};
	int r;

	*ret = (struct emperor_options){0};
	r = option_defaults(emperor_options_table, emperor_options_table_n, ret, err);
	if (r == 0)
		r = option_apply_items(emperor_options_table, emperor_options_table_n, ret, items,
				       &unknown, notes, err);
	if (r == 0)
		r = complete(ret, err);
	return r < 0 ? r : check_defaults(ret, err);
}

void emperor_options_done(struct emperor_options *o)
{
	if (!o)
		return;
	option_done(emperor_options_table, emperor_options_table_n, o);
	for (size_t i = 0; i < o->http_n; i++)
		free(o->http[i].text);
	option_list_done(&o->trusted_proxies);
	config_items_done(&o->vassal_defaults);
	free(o->stats);
	free(o->db);
	*o = (struct emperor_options){0};
}

static bool adds_up(const struct option *o)
{
	return o->type == OPTION_LIST || (o->flags & OPTION_MANY);
}

/* Under whichever name: "workers = 8" answers a default of processes. */
static bool says(const struct config_items *items, const struct option *o)
{
	for (size_t i = 0; i < items->n; i++)
		if (option_find(vassal_options, vassal_options_n, items->v[i].key) == o)
			return true;
	return false;
}

int emperor_options_defaults(const struct emperor_options *o, struct config_items *items,
			     struct err *err)
{
	struct config_items all = {0};
	int r = 0;

	for (size_t i = 0; i < o->vassal_defaults.n && r == 0; i++) {
		const struct config_item *it = &o->vassal_defaults.v[i];
		const struct option *row = option_find(vassal_options, vassal_options_n, it->key);

		if (row && (adds_up(row) || !says(items, row)))
			r = config_items_add(&all, it->key, it->value, it->file, it->line,
					     it->has_value, err);
	}
	if (r == 0)
		r = config_items_append(&all, items, err);
	if (r < 0) {
		config_items_done(&all);
		return r;
	}
	config_items_done(items);
	*items = all;
	return 0;
}
