/*
 * check_inner - what the files that look at this machine for `emperorctl check` share. Nobody outside includes it.
 */
#pragma once
#include "emperor/ctl/check.h"
#include "shared/address.h"
#include "shared/privs.h"
#include <limits.h>

struct world {
	struct check *k;
	struct privs privs;  /* uid -1: our own eyes */
	const char *guess;   /* the name of privs' user if the ini names none */
	char base[PATH_MAX]; /* where relative paths start; "" = not known */
};

/* check_world.c */
/* Where the last item of key stands, or at the file. */
void check_say(struct check *k, struct inifile_notes *to, const char *key, const char *fmt, ...)
	_printf_(4, 5);
/* May a root emperor believe the ini? */
bool check_is_roots(const struct check *k);

/*
 * Opens it as the app would: a descriptor, or -errno; -ESTALE: where the app would look is not known, which has been told of.
 */
int check_open(const struct world *w, const char *path, int flags);

/* The path as the app's processes see it. False: too long for any file. */
bool check_resolve(const struct world *w, const char *path, const char *rest, char ret[PATH_MAX]);
/* Can the app's user get at what rest names of path? */
bool check_reaches(const struct world *w, const char *path, const char *rest);
/* The same, and tells why not: true if the app gets it. what: what path is not if it is not there. */
bool check_must_open(const struct world *w, const char *key, const char *path, const char *rest,
		     int flags, const char *what);

/* check_python.c: is there an engine for the version that it wants, and can its user reach what that one needs? */
void check_python(const struct world *w, bool home_is_good);

/* check_files.c: files that it would be served without. */
void check_files(const struct world *w);

/* check_emperor.c */
#define CHECK_NAME 256
/* What the app would be called. */
void check_name(const struct check *k, char name[CHECK_NAME]);
#define CHECK_WHO (CHECK_NAME + ADDRESS_TEXT)
/* Does the emperor that runs, or an app of it, listen there? Which one, in words; "": the app itself has just this address. */
bool check_holder(const struct check *k, const struct address *a, char who[CHECK_WHO]);
/* "" if it is not there. */
const char *check_text(const json_t *obj, const char *key);

/* check_doors.c: addresses of its own, and its pidfile. */
void check_doors(const struct world *w);
/* check_names.c: does another app have one of its names? */
void check_names(struct check *k);
/* check_machine.c: does this machine have what it asks for? */
void check_machine(struct check *k);

/* check_roles.c: no app may run as gate or stats do. */
void check_role_users(struct check *k, uid_t uid);

/* check_log.c: can its log be written where the ini says? Nothing is made or changed. */
void check_log(const struct world *w);
/* May this user write the file, or make it if it is not there? Can it make any file beside path? 0 or -errno. */
int check_try_write(const struct privs *p, const char *path);
/* The same by root, who helps in directories of its own alone with inis of its own; -EACCES: not here. */
int check_try_as_root(const struct check *k, const char *path);
int check_try_folder(const struct privs *p, const char *path);
