/*
 * inifile_parts - what the files of the ini reader share: lines (inifile_lines.c), magic variables (inifile_magic.c),
 * values (inifile_value.c), conditions and loops (inifile_logic.c), and what runs them (inifile.c). Private to them.
 */
#pragma once
#include "shared/buf.h"
#include "shared/inifile.h"
#include "shared/option.h"

/* Budgets of one configuration, so that a file of a tenant cannot keep the emperor busy. */
#define INI_STEPS_MAX       65536 /* lines run, loops included; the largest real file has 300 */
#define INI_EXPANSIONS_MAX  16384 /* %(name)s looked up; each may walk all items */
#define INI_FILES_MAX       64    /* files read by include and @(file) */
#define INI_NESTING_MAX     16    /* if in for in if; parentheses */
#define INI_PARENTHESIS_MAX 512   /* bytes between "$(" and ")": a path, a formula */

/* -- lines ---------------------------------------------------------------------------------------------- */

struct ini_entry { /* an option line, magic variables already replaced */
	char *key, *value;
	const char *section; /* borrowed from ini_lines.sections */
	unsigned line;
	bool has_value;
};

struct ini_section {
	char *name; /* owned */
	unsigned line;
};

struct ini_lines { /* zeroed = empty; owns its strings */
	struct ini_entry *v;
	size_t n, room;
	struct ini_section *sections; /* as often as they open */
	size_t sections_n;
};

struct ini_magic { /* value of %X for each X; NULL: unknown. Owned. */
	char *v[128];
};

/* errors: where a bad line goes, so that the others are read; NULL: the first ends it. */
int ini_lines_read(const char *bytes, size_t n, const char *file, const struct ini_magic *magic,
		   struct ini_lines *ret, struct inifile_notes *notes, struct inifile_notes *errors,
		   struct err *err);
void ini_lines_done(struct ini_lines *lines);

/* Of the file at path. first: where the capitals come from, those of the first file; NULL for that one itself. */
int ini_magic_fill(struct ini_magic *magic, const struct inifile_facts *facts, const char *path,
		   const struct ini_magic *first, struct err *err);
/* Replaces in one line; *ret is the caller's. */
int ini_magic_replace(const struct ini_magic *magic, struct span line, const char *file,
		      unsigned number, char **ret, struct inifile_notes *notes, struct err *err);
void ini_magic_done(struct ini_magic *magic);

/* -- values --------------------------------------------------------------------------------------------- */

struct ini_run { /* one configuration being read */
	const struct inifile_facts *facts;
	struct config_items items;
	struct inifile_notes *notes;
	unsigned steps, expansions, files; /* spent so far */
	size_t bytes; /* of values: as they were collected, then from 0 again as they are expanded */
	unsigned char *state; /* per item, while they are expanded: see inifile_value.c */
};

/*
 * r as it is, unless it is an error that can be gone on after and somebody collects those (facts->errors): then it is told
 * there, and 0. Limits and memory are not forgiven.
 */
int ini_forgive(const struct ini_run *run, int r, struct err *err);
/* "file:line: text" of err as an entry of its own; where it has no such beginning, file. Empties err. */
void ini_note_error(struct inifile_notes *errors, const char *file, struct err *err);

/* n more bytes of values, of LIMIT_CONFIG_BLOB: more could not be handed to the app anyway. */
int ini_value_spend(struct ini_run *run, size_t n, struct err *err);
/* For a value that is needed at once (include, conditions): $(ENV), @(file), %(names so far). The caller's. */
int ini_value_now(struct ini_run *run, const char *value, const char *dir, char **ret,
		  struct err *err);
/* All items, in place, once they are complete. Errors carry file:line. dir: relative @(file)s. */
int ini_value_all(struct ini_run *run, const char *dir, struct err *err);
/* %(_) by item, in a value of a loop's or condition's body. The caller's. */
char *ini_value_underscore(const char *value, const char *item);
/* A file that an ini refers to, its last newline dropped: refuses if files are not allowed. The caller's. */
int ini_value_file(struct ini_run *run, const char *path, const char *dir, char **ret,
		   size_t *ret_n, struct err *err);
/* dir/path unless path is absolute. The caller's; NULL: out of memory. */
char *ini_value_path(const char *path, const char *dir);
/* The configuration depends on this file; st: as it was found, NULL: it was not there. */
void ini_value_source(struct ini_run *run, const char *path, enum inifile_source_use use,
		      const struct stat *st);
const char *ini_value_env(char *const *environ_now, struct span name);

/* -- conditions and loops ------------------------------------------------------------------------------- */

enum ini_word {
	INI_OPTION,
	INI_IF,
	INI_ELSE,
	INI_ENDIF,
	INI_FOR,
	INI_ENDFOR,
	INI_INCLUDE,
	INI_INHERIT,
	INI_SET,
	INI_PLACEHOLDER,
	INI_NOTHING
};

enum ini_word ini_logic_word(const char *key);
/* 1 holds, 0 does not, or an error. key is the if-..., value expanded. *ret_item: what %(_) is; the caller's. */
int ini_logic_test(struct ini_run *run, const char *key, const char *value, const char *dir,
		   char **ret_item, struct err *err);
/* The items of a for...; the caller's (option_list_done). */
int ini_logic_items(struct ini_run *run, const char *key, const char *value, const char *dir,
		    struct option_list *ret, struct err *err);
