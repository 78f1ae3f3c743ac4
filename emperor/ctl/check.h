/*
 * check - what `emperorctl check` knows of an ini: what it says, and what this machine says to that.
 */
#pragma once
#include "shared/vassal_config.h"
#include <jansson.h>
#include <limits.h>
#include <stdio.h>

struct check_other { /* another ini of the same folder, as far as it can be read */
	char *file;
	struct config_items items;
	struct vassal_config config;
};

struct check_others { /* zeroed = of no folder */
	char dir[PATH_MAX];
	struct check_other *v;
	size_t n;
};

struct check {
	const char *path;
	const char *run_dir;     /* of an emperor that may run; NULL: where one may */
	const char *file;        /* its last part, which is how items call it */
	const char *config_path; /* emperor.ini, for its defaults; NULL: those of one that runs */
	const char *engines;     /* where those stand; NULL: beside this program */
	struct check_others *others; /* kept from one ini to the next */
	json_t *where, *apps;        /* what one that runs says (check_ask); NULL: none does */
	struct config_items items;
	struct vassal_config config;
	struct inifile_notes notes;
	struct inifile_notes errors;
};

/*
 * check.c: all that is said of this ini, into out, or as JSON where ret_json is given. asked: what is the same for every
 * ini. True: it has no errors.
 */
bool check_one(const struct check *asked, const char *path, json_t **ret_json, FILE *out);

/* check_emperor.c: asks one that runs. */
void check_ask(struct check *k);
void check_forget(struct check *k);
/* Puts the defaults for all apps before the items, as an emperor does. */
int check_defaults(const struct check *k, struct config_items *items, struct err *err);

/*
 * check_world.c: what the emperor would refuse although every line is well-formed: users, directories and files that
 * are not there, addresses and names that others have, an ini that is not root's, an app that nobody can reach. config was built without a fatal error.
 */
void check_world(struct check *k);

/* check_names.c */
void check_others_done(struct check_others *others);

/* check_show.c: the options that are in force, as an ini that means the same. True if the ini asks (show-config). */
bool check_shows(const struct check *k);
typedef void check_option_fn(void *arg, const char *name, const char *value, bool by_default);
void check_each_option(const struct check *k, check_option_fn *fn, void *arg);
void check_print_options(const struct check *k, FILE *out);
