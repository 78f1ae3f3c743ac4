/*
 * load - see load.h.
 *
 * Who an app runs as is decided here, in one place: its own uid, else in tyrant mode its file's owner, else the emperor's
 * default. Under tyrant mode a tenant's file may name nobody but its owner, and may not read other files through us.
 */
#include "emperor/vassals/load.h"

#include <errno.h>
#include <grp.h>
#include <malloc.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>

#include "emperor/options.h"
#include "emperor/vassals/cgroup.h"
#include "emperor/vassals/release.h"
#include "emperor/vassals/spawn.h"
#include "shared/err.h"
#include "shared/inifile.h"

#define LARGE_BYTES (64 * 1024UL)  /* of an ini; real ones have 300 lines */
#define NO_GROUP    ((gid_t)65534) /* the kernel's own for a group that is none (overflowgid) */

/* A tenant wrote this file and root reads it: it gets no more than its author has. */
static bool is_tenants(const struct load_source *source)
{
	return geteuid() == 0 && !source->roots;
}

static int resolve_owner_only(const struct load_source *source, const struct vassal_config *c,
			      struct privs *ret, struct err *err)
{
	char owner[16];
	int r;

	(void)snprintf(owner, sizeof(owner), "%u", (unsigned)source->owner);
	if (source->owner == 0)
		return err_set(err, -EPERM,
			       "%s: belongs to root but others may write it; not run as anybody",
			       source->file);
	if (c->add_gid.n > 0)
		return err_set(err, -EPERM, "%s: add-gid is not a tenant's to set", source->file);
	r = privs_lookup(owner, NULL, NULL, 0, ret, err);
	if (r == 0 && (c->uid || c->gid)) {
		struct privs asked;

		r = privs_lookup(c->uid ? c->uid : owner, c->gid, NULL, 0, &asked, err);
		if (r == 0 && (asked.uid != ret->uid || asked.gid != ret->gid))
			r = err_set(err, -EPERM,
				    "uid = %s: in tyrant mode an app runs as the owner of its "
				    "file (uid %u)",
				    c->uid ? c->uid : "(none)", (unsigned)source->owner);
	}
	return r < 0 ? err_prefix(err, "%s", source->file), r : 0;
}

const char *load_place(const struct loaded *l, const char *file, const char *key, const char *text,
		       char *buf, size_t size)
{
	const struct config_item *found = config_items_find_text(&l->items, key, text);
	const char *slash = strrchr(file, '/');
	bool own = found && str_eq(found->file, slash ? slash + 1 : file);

	if (found)
		(void)snprintf(buf, size, "%s:%u", own ? file : found->file, found->line);
	else
		(void)snprintf(buf, size, "%s", file);
	return buf;
}

/* A process can be taken apart by any other of its user, unless it defends itself; and it can always be killed. */
static int refuse_role_users(const struct load_source *source, const struct load_rules *rules,
			     const struct loaded *l, struct err *err)
{
	const struct {
		const char *option, *user, *harm;
	} rows[] = {
		{"gate-user", rules->options->gate_user, "the connections of every app"},
		{"stats-user", rules->options->stats_user, "the statistics of every app"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct privs p;

		if (privs_lookup(rows[i].user, NULL, NULL, 0, &p, NULL) == 0 && p.uid == l->uid)
			return err_set(
				err, -EPERM,
				"%s: may not run as \"%s\", the emperor's %s: it could reach "
				"%s; give one of the two another user",
				source->file, rows[i].user, rows[i].option, rows[i].harm);
	}
	return 0;
}

/* Says which line of the ini named the user that cannot be. */
static int blame_identity(const struct load_source *source, const struct loaded *l, struct err *err)
{
	const struct vassal_config *c = &l->config;
	const char *value = c->uid ? c->uid : c->gid ? c->gid : "";
	char place[ERR_TEXT_MAX];

	return err_prefix(
		err, "%s",
		load_place(l, source->file, c->uid ? "uid" : "gid", value, place, sizeof(place)));
}

static int resolve_identity(const struct load_source *source, const struct load_rules *rules,
			    struct loaded *l, struct err *err)
{
	const struct vassal_config *c = &l->config;
	const char *uid = c->uid;
	const char *gid = c->gid;
	int r;

	if (is_tenants(source)) {
		r = resolve_owner_only(source, c, &l->privs, err);
		if (r < 0)
			return r;
	} else {
		if (!uid && geteuid() == 0) {
			uid = rules->default_uid;
			gid = gid ? gid : rules->default_gid;
			l->default_user = true;
		}
		r = privs_lookup(uid, gid, c->add_gid.v, c->add_gid.n, &l->privs, err);
		if (r < 0)
			return blame_identity(source, l, err);
	}
	l->uid = l->privs.uid == (uid_t)-1 ? geteuid() : l->privs.uid;
	l->gid = l->privs.gid == (gid_t)-1 ? getegid() : l->privs.gid;
	return geteuid() == 0 && rules->options ? refuse_role_users(source, rules, l, err) : 0;
}

/* "user:group", "user", ":group", names or numbers. */
static int resolve_socket_owner(const struct load_source *source, struct loaded *l, struct err *err)
{
	const char *text = l->config.chown_socket;
	char user[64];
	const char *colon;
	struct privs p;
	int r;

	l->socket_uid = (uid_t)-1;
	l->socket_gid = (gid_t)-1;
	if (!text || !*text)
		return 0;
	if (is_tenants(source))
		return err_set(err, -EPERM, "%s: chown-socket is not a tenant's to set",
			       source->file);
	colon = strchr(text, ':');
	(void)snprintf(user, sizeof(user), "%.*s",
		       (int)(colon ? (size_t)(colon - text) : strlen(text)), text);
	r = privs_lookup(*user ? user : NULL, colon && colon[1] ? colon + 1 : NULL, NULL, 0, &p,
			 err);
	if (r < 0) {
		char place[ERR_TEXT_MAX];

		(void)err_prefix(err, "%s: chown-socket = %s",
				 load_place(l, source->file, NULL, text, place, sizeof(place)),
				 text);
		return r;
	}
	l->socket_uid = p.uid;
	/* "user" alone leaves the group, as chown(1) does. */
	l->socket_gid = colon ? p.gid : (gid_t)-1;
	return 0;
}

static unsigned first_open_port(void)
{
	FILE *f = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");
	char text[16] = "";
	char *end = text;
	unsigned long port = 0;

	if (!f)
		return IPPORT_RESERVED;
	if (fgets(text, sizeof(text), f))
		port = strtoul(text, &end, 10);
	(void)fclose(f);
	return end > text && port <= UINT16_MAX + 1UL ? (unsigned)port : IPPORT_RESERVED;
}

static bool is_privileged(const struct address *a)
{
	in_port_t port = a->sa.sa_family == AF_INET6 ? a->in6.sin6_port : a->in.sin_port;

	return a->len > 0 && a->sa.sa_family != AF_UNIX && ntohs(port) < first_open_port();
}

/* Root binds for a tenant: no port that the tenant could not have bound itself. */
static int check_ports(const struct load_source *source, const struct loaded *l, struct err *err)
{
	const struct address *bad = is_privileged(&l->stats) ? &l->stats : NULL;
	char text[ADDRESS_TEXT];

	for (size_t i = 0; i < l->config.listeners_n && !bad; i++)
		if (is_privileged(&l->config.listeners[i].address))
			bad = &l->config.listeners[i].address;
	if (!bad || !is_tenants(source))
		return 0;
	address_format(bad, text);
	return err_set(err, -EACCES, "%s: %s: ports below %u are not a tenant's to use",
		       source->file, text, first_open_port());
}

static void note_limits(const struct load_source *source, const struct loaded *l,
			struct inifile_notes *notes)
{
	const struct {
		const char *key;
		struct spawn_limit limit;
	} rows[] = {
		{"max-fd", {RLIMIT_NOFILE, l->config.max_fd}},
		{"limit-nproc", {RLIMIT_NPROC, l->config.limit_nproc}},
		{"limit-as", {RLIMIT_AS, l->config.limit_as_bytes}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct spawn_limit *s = &rows[i].limit;
		rlim_t value = spawn_limit_value(s, !source->roots);

		if (s->value > 0 && value < s->value)
			inifile_notes_add(notes, source->file, 0,
					  "%s = %llu: the hard limit is %llu and may not be "
					  "raised: that is what it gets",
					  rows[i].key, (unsigned long long)s->value,
					  (unsigned long long)value);
	}
}

static void note_cgroup(const struct load_source *source, const struct load_rules *rules,
			const struct loaded *l, struct inifile_notes *notes)
{
	if (l->config.limit_memory_bytes > 0 && rules->cgroup && !rules->cgroup->dir)
		inifile_notes_add(notes, source->file, 0,
				  "limit-memory: not in force: %s; limit-as limits each process",
				  rules->cgroup->why);
}

static char *notes_text(const struct inifile_notes *notes)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		return NULL;
	for (size_t i = 0; i < notes->n; i++) {
		const struct inifile_note *note = &notes->v[i];

		if (note->line > 0)
			(void)fprintf(f, "%s:%u: %s\n", note->file, note->line, note->text);
		else
			(void)fprintf(f, "%s: %s\n", note->file, note->text);
	}
	return fclose(f) == 0 ? text : NULL;
}

static char *domains_text(const struct vassal_config *c)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);
	const char *comma = "";

	if (!f)
		return NULL;
	for (size_t i = 0; i < c->domains_n; i++) {
		const struct domain_config *d = &c->domains[i];

		(void)fprintf(f, "%s%s%s", comma, *d->host ? d->host : "(default)", d->path);
		comma = ", ";
	}
	if (c->default_site)
		(void)fprintf(f, "%s(default)", comma);
	return fclose(f) == 0 ? text : NULL;
}

static char *addresses_text(const struct vassal_config *c)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		return NULL;
	for (size_t i = 0; i < c->listeners_n; i++) {
		const struct listener_config *l = &c->listeners[i];

		(void)fprintf(f, "%s%s %s", i > 0 ? ", " : "", listener_protocol_name(l->protocol),
			      l->text);
	}
	return fclose(f) == 0 ? text : NULL;
}

static int describe(struct loaded *l, const struct inifile_notes *notes, struct err *err)
{
	l->notes = notes_text(notes);
	l->notes_n = (unsigned)notes->n;
	l->domains = domains_text(&l->config);
	l->addresses = addresses_text(&l->config);
	if (!l->notes || !l->domains || !l->addresses)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

/* l->items from its bytes; nothing else is asked of the ini afterwards. */
static int parse(const struct load_source *source, const struct load_rules *rules, struct loaded *l,
		 struct inifile_notes *notes, struct err *err)
{
	struct inifile_facts facts = {
		.path = source->file,
		.vassals_dir = source->dir,
		.environ = rules->environ_now,
		.cpus = rules->cpus,
		.allow_files = !is_tenants(source),
		.sources = source->sources,
	};
	struct config_items own = {0};
	int r = inifile_parse(source->bytes, source->n, &facts, &own, notes, err);

	if (r < 0)
		return r;
	l->items = own;
	r = rules->options ? emperor_options_defaults(rules->options, &l->items, err) : 0;
	/* A tenant's path may lead where looking takes for ever: its own processes go there. */
	return r == 0 && !is_tenants(source) ? release_pin(&l->items, err) : r;
}

static int resolve_stats(const struct load_source *source, struct loaded *l, struct err *err)
{
	char place[ERR_TEXT_MAX];
	int r = l->config.stats ? address_parse(l->config.stats, &l->stats, err) : 0;

	if (r < 0)
		(void)err_prefix(
			err, "%s: stats = %s",
			load_place(l, source->file, NULL, l->config.stats, place, sizeof(place)),
			l->config.stats);
	return r;
}

static int build(const struct load_source *source, const struct load_rules *rules, struct loaded *l,
		 struct inifile_notes *notes, struct err *err)
{
	int r = vassal_config_build(&l->items, &l->config, notes, err);

	if (r == 0)
		r = resolve_identity(source, rules, l, err);
	if (r == 0)
		r = resolve_socket_owner(source, l, err);
	if (r == 0)
		r = resolve_stats(source, l, err);
	if (r == 0)
		r = check_ports(source, l, err);
	if (r < 0)
		return r;
	note_limits(source, l, notes);
	note_cgroup(source, rules, l, notes);
	return describe(l, notes, err);
}

static struct loaded *new_loaded(const struct load_source *source, struct err *err)
{
	struct loaded *l = calloc(1, sizeof(*l));

	if (l)
		*l = (struct loaded){.refs = 1, .roots = source->roots};
	else
		(void)err_set(err, -ENOMEM, "%s: out of memory", source->file);
	return l;
}

int load_ini(const struct load_source *source, const struct load_rules *rules, struct loaded **ret,
	     struct err *err)
{
	struct inifile_notes notes = {0};
	struct loaded *l = new_loaded(source, err);
	int r;

	if (!l)
		return -ENOMEM;
	r = parse(source, rules, l, &notes, err);
	if (r == 0)
		r = build(source, rules, l, &notes, err);
	inifile_notes_done(&notes);
	/* What it took to expand a large one goes back to the system: the emperor stays small. */
	if (source->n > LARGE_BYTES)
		(void)malloc_trim(0);
	if (r < 0) {
		loaded_unref(l);
		return r;
	}
	*ret = l;
	return 0;
}

int load_items(const struct load_source *source, const struct load_rules *rules, struct span config,
	       struct loaded **ret, struct err *err)
{
	struct inifile_notes notes = {0};
	struct loaded *l = new_loaded(source, err);
	int r;

	if (!l)
		return -ENOMEM;
	r = config_items_decode(config.p, config.n, &l->items, err);
	if (r == 0)
		r = build(source, rules, l, &notes, err);
	inifile_notes_done(&notes);
	if (r < 0) {
		loaded_unref(l);
		return r;
	}
	*ret = l;
	return 0;
}

/*
 * What is opened for it is opened as who it is, and not as whom its names mean by now; if they mean nobody any more, with no
 * group's rights. Never as root for one that is not.
 */
static void keep_identity(struct loaded *l, uid_t uid)
{
	char number[16];

	l->uid = uid;
	if (geteuid() != 0) {
		l->privs = (struct privs){.uid = (uid_t)-1, .gid = (gid_t)-1};
		return;
	}
	if (l->privs.uid == uid || (l->privs.uid == (uid_t)-1 && uid == 0))
		return;
	(void)snprintf(number, sizeof(number), "%u", (unsigned)uid);
	if (privs_lookup(number, NULL, NULL, 0, &l->privs, NULL) < 0)
		l->privs = (struct privs){.uid = uid, .gid = NO_GROUP, .set_groups = true};
	l->gid = l->privs.gid;
}

int load_running(const struct load_source *source, const struct load_rules *rules,
		 struct span config, uid_t uid, struct loaded **ret, struct err *err)
{
	struct inifile_notes notes = {0}, errors = {0};
	struct loaded *l = new_loaded(source, err);
	int r;

	if (!l)
		return -ENOMEM;
	r = config_items_decode(config.p, config.n, &l->items, err);
	if (r == 0) {
		/* What is refused here is left out; the front has it all the same. */
		(void)vassal_config_check(&l->items, &l->config, &notes, &errors);
		(void)resolve_identity(source, rules, l, NULL);
		(void)resolve_socket_owner(source, l, NULL);
		(void)resolve_stats(source, l, NULL);
		keep_identity(l, uid);
		r = describe(l, &notes, err);
	}
	inifile_notes_done(&notes);
	inifile_notes_done(&errors);
	if (r < 0) {
		loaded_unref(l);
		return r;
	}
	*ret = l;
	return 0;
}

void loaded_drop_items(struct loaded *l)
{
	config_items_done(&l->items);
}

struct loaded *loaded_ref(struct loaded *l)
{
	if (l)
		l->refs++;
	return l;
}

void loaded_unref(struct loaded *l)
{
	if (!l || --l->refs > 0)
		return;
	vassal_config_done(&l->config);
	config_items_done(&l->items);
	free(l->notes);
	free(l->domains);
	free(l->addresses);
	free(l);
}
