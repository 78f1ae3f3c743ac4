/*
 * inifile - uWSGI's ini dialect, exactly (reference of the dialect: README of the option table), read through inih:
 * every physical line is handed to ini_parse_stream() in a safe encoding with its number, so inih stays the parser
 * of sections and errors, while ours are keys, values, magic variables, conditions, loops and includes.
 */
#pragma once
#include "shared/config_items.h"
#include "shared/inifile_sources.h"

struct inifile_facts {       /* what magic variables and conditions refer to; all borrowed */
	const char *path;    /* as given: %o; absolute path %p, %d, %n ... come from it */
	const char *section; /* asked for with file.ini:section, or NULL: [vassal] and [uwsgi] */
	const char *vassals_dir; /* %v */
	char *const *environ;    /* $(NAME), if-env */
	unsigned cpus;           /* %k: what affinity and cgroup allow */
	bool allow_files; /* includes and @(file) may be read (false for tenants' files under a root emperor) */
	struct inifile_notes
		*errors; /* what can be gone on after goes there; NULL: the first ends it */
	struct inifile_sources *sources; /* filled, on failure too; NULL: nobody wants to know */
};

#define INIFILE_NOTE_TEXT 512 /* a note is one line for a terminal; cut, never grown */

struct inifile_note { /* something the operator should know; not an error */
	char *file;
	unsigned line;
	char *text;
};

struct inifile_notes { /* zeroed = empty; owns its strings; bounded (LIMIT_INI_ITEMS) */
	struct inifile_note *v;
	size_t n, room;
};

void inifile_notes_add(struct inifile_notes *notes, const char *file, unsigned line,
		       const char *fmt, ...) _printf_(4, 5);
void inifile_notes_done(struct inifile_notes *notes);

/*
 * Parses these bytes (never re-read from disk; includes are). Refuses: no [vassal] or [uwsgi] section, merge-conflict
 * markers, NUL bytes or other binary, a line or file over its limit, unclosed if/for, include loops: err says
 * "file:line: reason". Unknown keys are no matter here.
 */
int inifile_parse(const char *bytes, size_t n, const struct inifile_facts *facts,
		  struct config_items *ret_items, struct inifile_notes *notes, struct err *err);

/*
 * Each magic variable that has a value, as the ini at facts.path sees them; NULL: those of the machine. fn: 0, or what
 * ends it and is returned.
 */
int inifile_magic(const struct inifile_facts *facts,
		  int (*fn)(void *arg, char name, const char *value), void *arg, struct err *err);

/* Reads a file of at most LIMIT_INI_BYTES. Bytes are the caller's. */
int inifile_read(const char *path, char **ret_bytes, size_t *ret_n, struct err *err);
/* ret_st: of the file that the bytes are from; left alone if there is none. */
int inifile_read_stat(const char *path, char **ret_bytes, size_t *ret_n, struct stat *ret_st,
		      struct err *err);

/* For facts.cpus: what affinity and the cgroup's quota (/sys/fs/cgroup/cpu.max) allow; at least 1. */
unsigned inifile_count_cpus(void);
