/*
 * options - what the emperor itself is told: section [emperor] of emperor.ini and the command line, through a table of
 * the same machinery as a vassal's. Order for main: items of the ini, then those of argv (option_parse_argv), then
 * emperor_options_build.
 */
#pragma once
#include "shared/address.h"
#include "shared/config_items.h"
#include "shared/inifile.h"
#include "shared/limits.h"
#include "shared/option.h"

struct emperor_port {
	struct address address;
	char *text; /* as it was written */
};

/* Users that every Debian has and nobody uses. */
#define ROOT_GATE_USER  "uucp"
#define ROOT_STATS_USER "sys"

struct emperor_options {            /* zeroed = empty; owns everything */
	struct option_list vassals; /* directories of inis */
	struct emperor_port http[LIMIT_PORTS];
	size_t http_n;
	struct option_list trusted_proxies; /* "10.0.0.0/8", "::1": checked */

	char *run_dir;         /* never NULL after build */
	char *db;              /* path of the database, "" = no history; never NULL after build */
	char *stats;           /* address of the emperor's own statistics, or NULL */
	unsigned control_mode; /* of the control socket */

	char *gate_user, *stats_user; /* who the roles run as, when the emperor is root */
	char *uid, *gid;              /* of apps that name none; NULL: www-data, else nobody */
	bool tyrant;                  /* apps that name none run as the owner of their ini */
	unsigned rescan_s;
	unsigned max_workers;   /* of all apps; 0 = no limit */
	uint64_t memory_budget; /* bytes of all apps' workers; 0 = none */
	char *cgroup;           /* directory for apps with limit-memory, or NULL: our own */

	struct config_items
		vassal_defaults; /* keys and values for every app; see emperor_options_defaults */

	char *logto;        /* or NULL: stderr */
	unsigned log_level; /* enum log_level */
};

extern const struct option emperor_options_table[];
extern const size_t emperor_options_table_n;

/* The items of section [emperor] of these bytes. */
int emperor_options_parse(const char *path, const char *bytes, size_t n, char *const *environ_now,
			  struct config_items *ret_items, struct inifile_notes *notes,
			  struct err *err);
/* *ret is to be done in any case. */
int emperor_options_build(const struct config_items *items, struct emperor_options *ret,
			  struct inifile_notes *notes, struct err *err);
void emperor_options_done(struct emperor_options *o);

/*
 * Puts the defaults for all apps before an app's items; one whose option the app sets itself, under any of its names,
 * is left out, unless the option adds up (env, domain ...).
 */
int emperor_options_defaults(const struct emperor_options *o, struct config_items *items,
			     struct err *err);

/* Where the emperor of this user lives when nothing is said; emperorctl looks there too. */
void emperor_options_run_dir(char *buf, size_t size);
