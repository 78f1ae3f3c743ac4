/*
 * load - from the bytes of an ini to what one generation is: configuration, identity, and what people are told about it.
 * Nothing is opened and nothing is started. Immutable once made; shared by reference count.
 */
#pragma once
#include "shared/privs.h"
#include "shared/span.h"
#include "shared/vassal_config.h"

struct cgroup;
struct emperor_options;
struct err;

struct load_rules {                            /* the emperor's; borrowed for its life */
	const char *default_uid, *default_gid; /* of apps that name none, under a root emperor */
	const struct emperor_options *options; /* their defaults for all vassals; an ini wins */
	char *const *environ_now;
	unsigned cpus;
	const struct cgroup *cgroup; /* for limit-memory; NULL: not looked for */
};

struct load_source {
	const char *file; /* path of the ini */
	const char *dir;  /* the vassals directory it stands in */
	const char *bytes;
	size_t n;
	uid_t owner;
	bool roots; /* only root can have written it */
	struct inifile_sources
		*sources; /* what it reads beside itself, on failure too; NULL: no matter */
};

struct loaded {
	unsigned refs;
	struct vassal_config config;
	struct config_items items; /* until loaded_drop_items */
	struct privs privs;        /* uid -1: stay who we are */
	uid_t uid;                 /* who it really runs as */
	gid_t gid;
	uid_t socket_uid; /* chown-socket; -1: leave */
	gid_t socket_gid;
	struct address stats; /* len 0: none */
	unsigned wanted; /* processes, where max-workers has left fewer of them; 0: it has all */
	bool roots;
	bool default_user; /* named no uid */
	char *notes;       /* "file:line: text" one per line */
	unsigned notes_n;
	char *domains;   /* "blog.example, *.blog.example/x" */
	char *addresses; /* its own listeners */
};

int load_ini(const struct load_source *source, const struct load_rules *rules, struct loaded **ret,
	     struct err *err);
/*
 * The same from items that were resolved before (config_items_encode), wherever links, includes and variables lead by now;
 * the bytes of source are not looked at. Checked like an ini.
 */
int load_items(const struct load_source *source, const struct load_rules *rules, struct span config,
	       struct loaded **ret, struct err *err);
/* What a front that runs as uid was started with: taken as it is, whatever this emperor would refuse of it. */
int load_running(const struct load_source *source, const struct load_rules *rules,
		 struct span config, uid_t uid, struct loaded **ret, struct err *err);
/*
 * Where in the ini this stands, for messages: "file:line" of the last item whose value is text, else holds it (and whose key is key,
 * unless that is NULL), else the file. Only while the items are there. Returns buf.
 */
const char *load_place(const struct loaded *l, const char *file, const char *key, const char *text,
		       char *buf, size_t size);
/* The items are only needed until the configuration was written into a handoff. */
void loaded_drop_items(struct loaded *l);
struct loaded *loaded_ref(struct loaded *l);
void loaded_unref(struct loaded *l);
