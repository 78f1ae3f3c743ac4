/*
 * load - see load.h.
 *
 * Who an app runs as is decided here, in one place: its own uid, else in tyrant mode its file's owner, else the emperor's
 * default. Under tyrant mode a tenant's file may name nobody but its owner, and may not read other files through us.
 */
#include "emperor/vassals/load.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>

#include "emperor/options.h"
#include "shared/err.h"
#include "shared/inifile.h"

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

static int resolve_identity(const struct load_source *source, const struct load_rules *rules,
			    struct loaded *l, struct inifile_notes *notes, struct err *err)
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
			inifile_notes_add(notes, source->file, 0, "names no uid: runs as \"%s\"",
					  uid);
		}
		r = privs_lookup(uid, gid, c->add_gid.v, c->add_gid.n, &l->privs, err);
		if (r < 0)
			return err_prefix(err, "%s", source->file), r;
	}
	l->uid = l->privs.uid == (uid_t)-1 ? geteuid() : l->privs.uid;
	l->gid = l->privs.gid == (gid_t)-1 ? getegid() : l->privs.gid;
	return 0;
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
		(void)err_prefix(err, "%s: chown-socket = %s", source->file, text);
		return r;
	}
	l->socket_uid = p.uid;
	/* "user" alone leaves the group, as chown(1) does. */
	l->socket_gid = colon ? p.gid : (gid_t)-1;
	return 0;
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

		(void)fprintf(f, "%s%s %s", i > 0 ? ", " : "",
			      l->protocol == LISTENER_HTTP ? "http" : "uwsgi", l->text);
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

static int parse(const struct load_source *source, const struct load_rules *rules, struct loaded *l,
		 struct inifile_notes *notes, struct err *err)
{
	struct inifile_facts facts = {
		.path = source->file,
		.vassals_dir = source->dir,
		.environ = rules->environ_now,
		.cpus = rules->cpus,
		.allow_files = !is_tenants(source),
	};
	struct config_items own = {0};
	int r = inifile_parse(source->bytes, source->n, &facts, &own, notes, err);

	if (r < 0)
		return r;
	l->items = own;
	r = rules->options ? emperor_options_defaults(rules->options, &l->items, err) : 0;
	if (r < 0)
		return r;
	return vassal_config_build(&l->items, &l->config, notes, err);
}

static int build(const struct load_source *source, const struct load_rules *rules, struct loaded *l,
		 struct inifile_notes *notes, struct err *err)
{
	int r = parse(source, rules, l, notes, err);

	if (r == 0)
		r = resolve_identity(source, rules, l, notes, err);
	if (r == 0)
		r = resolve_socket_owner(source, l, err);
	if (r == 0 && l->config.stats) {
		r = address_parse(l->config.stats, &l->stats, err);
		if (r < 0)
			(void)err_prefix(err, "%s: stats = %s", source->file, l->config.stats);
	}
	return r < 0 ? r : describe(l, notes, err);
}

int load_ini(const struct load_source *source, const struct load_rules *rules, struct loaded **ret,
	     struct err *err)
{
	struct inifile_notes notes = {0};
	struct loaded *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return err_set(err, -ENOMEM, "%s: out of memory", source->file);
	l->refs = 1;
	l->roots = source->roots;
	r = build(source, rules, l, &notes, err);
	inifile_notes_done(&notes);
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
