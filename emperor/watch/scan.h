/*
 * scan - one look at the vassals directories: every ini with its bytes and fingerprint, or with what is wrong with it.
 *
 * The bytes are those of the fingerprint: both come from one descriptor. A file that cannot be taken (unreadable,
 * too large, not the owner's to write) is an entry all the same, with its problem, so that what runs under that name is
 * told apart from what was deleted. Only regular files are ever read.
 */
#pragma once
#include "emperor/watch/fingerprint.h"
#include "shared/limits.h"
#include <sys/types.h>

struct err;

struct scan_rules {
	bool only_root; /* files and directories that others than root may write are refused (a root emperor) */
	bool tyrant; /* unless in this mode: then a file is its owner's app */
	/*
	 * The path of what runs under a name already, NULL if nothing does; may be NULL itself. As long as that file
	 * exists it keeps its name and its place, whoever else comes with the same name or with very many others.
	 */
	const char *(*known)(void *arg, const char *name);
	void *known_arg;
};

struct scan_entry {
	char name[LIMIT_NAME]; /* file name less ".ini" */
	char *path;            /* owned */
	const char *dir;       /* borrowed from the caller of scan_run */
	char *bytes;           /* owned; NULL if problem */
	size_t n;
	struct fingerprint print;
	uid_t owner;
	bool roots;    /* nobody but root can have written it */
	char *problem; /* owned; NULL if none: why this file is not taken */
};

struct scan { /* zeroed = empty; sorted by name, each name once */
	struct scan_entry *v;
	size_t n, room;
	bool incomplete; /* a directory could not be read: nothing may be taken for deleted */
	char *complaint; /* owned; NULL if none: for the log */
};

/* True for names that are an app's: "*.ini", not hidden, not an editor's or package manager's leftover, not too long. */
bool scan_takes_name(const char *file_name);

/*
 * Of new files the first directory's come first, in the order of their names, until LIMIT_APPS are there; in tyrant mode
 * LIMIT_TENANT_APPS of one owner.
 */
int scan_run(struct scan *ret, const char *const *dirs, size_t dirs_n,
	     const struct scan_rules *rules, struct err *err);
void scan_done(struct scan *s);
