/*
 * check_inner - what the files that look at this machine for `emperorctl check` share. Nobody outside includes it.
 */
#pragma once
#include "emperor/ctl/check.h"
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

/* check_roles.c: no app may run as gate or stats do. */
void check_role_users(struct check *k, uid_t uid);

/* check_log.c: can its log be written where the ini says? Nothing is made or changed. */
void check_log(const struct world *w);
