/*
 * check - what `emperorctl check` knows of an ini: what it says, and what this machine says to that.
 */
#pragma once
#include "shared/vassal_config.h"
#include <stdio.h>

struct check {
	const char *path;
	const char *run_dir; /* of an emperor that may run; NULL: where one may */
	const char *file;    /* its last part, which is how items call it */
	struct config_items items;
	struct vassal_config config;
	struct inifile_notes notes;
	struct inifile_notes errors;
};

/*
 * check_world.c: what the emperor would refuse although every line is well-formed: users, directories and files that
 * are not there, an ini that is not root's, an app that nobody can reach. config was built without a fatal error.
 */
void check_world(struct check *k);

/* check_show.c: the options that are in force, as an ini that means the same. True if the ini asks (show-config). */
bool check_shows(const struct check *k);
typedef void check_option_fn(void *arg, const char *name, const char *value, bool by_default);
void check_each_option(const struct check *k, check_option_fn *fn, void *arg);
void check_print_options(const struct check *k, FILE *out);
