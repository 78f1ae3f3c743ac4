/*
 * option - the machinery behind option tables: one row per option, typed fields of a struct. Used by vassal_config.c
 * and emperor/options.c. Pure, but for allocation of strings.
 */
#pragma once
#include "shared/base.h"
#include <stdio.h>

struct config_items;
struct err;
struct inifile_notes;

enum option_type {
	OPTION_BOOL,   /* everything is true but false, off, no, 0 */
	OPTION_UINT,   /* unsigned; suffixes k, M, G */
	OPTION_U64,
	OPTION_SECONDS, /* unsigned; suffixes s, m, h, d */
	OPTION_MBYTES, /* uint64_t bytes; a bare number is MiB as in uWSGI; suffixes K, M, G */
	OPTION_OCTAL,  /* unsigned; 3 or 4 octal digits */
	OPTION_STRING, /* char *; the last one counts */
	OPTION_LIST,   /* struct option_list; each adds */
	OPTION_CUSTOM, /* parse() does it */
	OPTION_SILENT, /* accepted, nothing to do: our default already does it */
	OPTION_IGNORED, /* accepted with a note that it does nothing here */
	OPTION_REFUSED, /* the ini is refused: dropping it silently would change what the app does */
};

enum option_reload { RELOAD_GENERATION, RELOAD_LIVE, RELOAD_NONE }; /* what a change costs */

struct option {
	const char *name;
	const char *aliases; /* "workers p", separated by blanks, or NULL */
	enum option_type type;
	size_t offset;	     /* FIELD(): where in the struct */
	const char *def;     /* default as text, or NULL */
	uint64_t min, max;   /* numbers only */
	const char *unit;    /* "s", "bytes", "" */
	enum option_reload reload;
	const char *section; /* heading in manuals: "Listening" */
	const char *text;    /* one sentence for people */
	const char *example; /* for the example ini, or NULL: not shown there */
	/* OPTION_CUSTOM: may be called several times; 0 or a negative errno with err */
	int (*parse)(void *config, const struct option *o, const char *value, const char *where,
		     struct inifile_notes *notes, struct err *err);
};

enum option_dump { OPTION_DUMP_HELP, OPTION_DUMP_MDOC, OPTION_DUMP_INI, OPTION_DUMP_DICT };

const struct option *option_find(const struct option *table, size_t n, const char *name);
/* The nearest name by edit distance, or NULL if none is near. */
const char *option_suggest(const struct option *table, size_t n, const char *name);
int option_defaults(const struct option *table, size_t n, void *config, struct err *err);
/* Applies one item ("file:line" in where). Unknown: -ENOENT. */
int option_apply(const struct option *table, size_t n, void *config, const char *key, const char *value,
		 bool has_value, const char *where, struct inifile_notes *notes, struct err *err);
void option_done(const struct option *table, size_t n, void *config);
void option_dump(const struct option *table, size_t n, enum option_dump format, FILE *out);
