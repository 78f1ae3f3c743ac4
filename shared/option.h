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

struct option_list { /* a repeated option: its values in order. Owns them. */
	char **v;
	size_t n;
};

enum option_type {
	OPTION_BOOL, /* everything is true but false, off, no, 0 */
	OPTION_UINT, /* unsigned; suffixes k, M, G */
	OPTION_U64,
	OPTION_SECONDS, /* unsigned; suffixes s, m, h, d */
	OPTION_MBYTES,  /* uint64_t bytes; a bare number is MiB as in uWSGI; suffixes K, M, G */
	OPTION_OCTAL,   /* unsigned; 3 or 4 octal digits */
	OPTION_STRING,  /* char *; the last one counts */
	OPTION_LIST,    /* struct option_list; each adds */
	OPTION_CUSTOM,  /* parse() does it */
	OPTION_SILENT,  /* accepted, nothing to do: our default already does it */
	OPTION_IGNORED, /* accepted with a note that it does nothing here */
	OPTION_REFUSED, /* the ini is refused: dropping it silently would change what the app does */
};

enum option_flags {
	OPTION_CLEAN =
		1, /* strings: a trailing " # comment" is dropped and an unset $(NAME) is an error, as for numbers */
	OPTION_ON = 2,     /* numbers: "true" means the default, as people write "threads = true" */
	OPTION_ALWAYS = 4, /* OPTION_SILENT: cannot be turned off; "false" gets a note */
	OPTION_VALUE = 8, /* OPTION_SILENT, _IGNORED, _REFUSED: takes a value on the command line */
	OPTION_ACTIVE = 16, /* stands in the example ini without a comment sign */
	OPTION_MANY = 32,   /* OPTION_CUSTOM: repeating it adds, so that it is no mistake */
};

enum option_reload { RELOAD_GENERATION, RELOAD_LIVE, RELOAD_NONE }; /* what a change costs */

struct option {
	const char *name;
	const char *
		aliases; /* "workers p", separated by blanks, or NULL; "!process": uWSGI has no such name, say so */
	enum option_type type;
	size_t offset;     /* FIELD(): where in the struct */
	const char *def;   /* default as text, or NULL */
	uint64_t min, max; /* numbers only */
	const char *unit;  /* "s", "bytes", "" */
	enum option_reload reload;
	const char *section; /* heading in manuals: "Listening" */
	const char *text;    /* one sentence for people */
	const char *example; /* for the example ini, or NULL: not shown there */
	/* OPTION_CUSTOM: may be called several times; 0 or a negative errno with err. OPTION_IGNORED: NULL, or says the note */
	int (*parse)(void *config, const struct option *o, const char *value, const char *where,
		     struct inifile_notes *notes, struct err *err);
	unsigned flags; /* enum option_flags */
};

/* The offset of a field, with its type checked when it is compiled: OPTION_FIELD(struct emperor_options, char *, db). */
#define OPTION_FIELD(holder, type, field) \
	(offsetof(holder, field) + 0 * sizeof((type *)0 == &((holder *)0)->field))

#define OPTION_COMMAND_LINE "command line" /* the origin of items that come from arguments */

enum option_dump { OPTION_DUMP_HELP, OPTION_DUMP_MDOC, OPTION_DUMP_INI, OPTION_DUMP_DICT };

const struct option *option_find(const struct option *table, size_t n, const char *name);
/* The nearest name by edit distance, or NULL if none is near. */
const char *option_suggest(const struct option *table, size_t n, const char *name);
int option_defaults(const struct option *table, size_t n, void *config, struct err *err);
/* Applies one item ("file:line" in where). Unknown: -ENOENT. */
int option_apply(const struct option *table, size_t n, void *config, const char *key,
		 const char *value, bool has_value, const char *where, struct inifile_notes *notes,
		 struct err *err);
void option_done(const struct option *table, size_t n, void *config);

/* What becomes of keys that are not in the table. */
struct option_unknown {
	bool strict;                              /* an error instead of a note */
	bool (*known_elsewhere)(const char *key); /* a name of uWSGI's that we lack, or NULL */
};

/*
 * Applies all items in order. Errors and notes say "file:line: key: ...". A single-valued option given twice with
 * different values, an unknown key that no %(key) uses (with the nearest name), a known one that we lack: notes.
 */
int option_apply_items(const struct option *table, size_t n, void *config,
		       const struct config_items *items, const struct option_unknown *unknown,
		       struct inifile_notes *notes, struct err *err);

/*
 * The same for who wants to see every error: each is added to errors (bounded as notes are), where its item stands and
 * without "file:line: " in its text, and the walk goes on. 0, or the code of the first error.
 */
int option_check_items(const struct option *table, size_t n, void *config,
		       const struct config_items *items, const struct option_unknown *unknown,
		       struct inifile_notes *notes, struct inifile_notes *errors);

/*
 * "--name value" and "--name=value" as items of origin "command line" (append them after an ini's: the last one
 * counts). What is no option goes to rest, which has room for argc pointers. argv[0] is skipped; "--" ends options.
 */
int option_parse_argv(const struct option *table, size_t n, int argc, char *const *argv,
		      struct config_items *items, char **rest, int *ret_rest_n, struct err *err);

/*
 * For main(), before option_parse_argv: takes "--name value" or "--name=value" out of argv (has_value), or "--name". What
 * stands in no table: --config, --dump-options, --help. NULL: not there; "": there, without a value.
 */
const char *option_take_argv(int *argc, char **argv, const char *name, bool has_value);

/* For parse(): a note at where ("file:line"), a value by the rules of a type, one more string for a list. */
void option_note(struct inifile_notes *notes, const char *where, const char *fmt, ...)
	_printf_(3, 4);
bool option_is_true(const char *value);
int option_number(const struct option *o, const char *value, const char *where,
		  struct inifile_notes *notes, uint64_t *ret, struct err *err);
int option_list_add(struct option_list *list, const char *value, struct err *err);
void option_list_done(struct option_list *list);
/* format: "help", "mdoc", "ini", "dict"; false if it is none of these. */
bool option_dump_format(const char *name, enum option_dump *ret);
/* section: the ini's section, "vassal" or "emperor"; only used by OPTION_DUMP_INI. */
void option_dump(const struct option *table, size_t n, enum option_dump format, const char *section,
		 FILE *out);
