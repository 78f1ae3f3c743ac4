/*
 * option - see option.h: finds rows, applies one value to its field. Values are cleaned before their type reads them,
 * because one real file in seven carries a mistake that uWSGI swallows: "module = app:app  # the app", an unset $(PORT).
 */
#include "shared/option.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "shared/err.h"
#include "shared/inifile.h"
#include "shared/span.h"

/* Walks "workers p !process": false at the end. */
static bool next_alias(const char **at, struct span *ret, bool *ret_foreign)
{
	const char *p = *at;

	if (!p)
		return false;
	while (*p == ' ')
		p++;
	if (!*p)
		return false;
	*ret_foreign = *p == '!';
	if (*ret_foreign)
		p++;
	*ret = span_of(p, strcspn(p, " "));
	*at = p + ret->n;
	return true;
}

static bool has_name(const struct option *o, const char *name, bool *ret_foreign)
{
	const char *at = o->aliases;
	struct span alias;

	*ret_foreign = false;
	if (str_eq(o->name, name))
		return true;
	while (next_alias(&at, &alias, ret_foreign))
		if (span_eq(alias, span_str(name)))
			return true;
	return false;
}

static const struct option *find(const struct option *table, size_t n, const char *name,
				 bool *ret_foreign)
{
	for (size_t i = 0; i < n; i++)
		if (has_name(&table[i], name, ret_foreign))
			return &table[i];
	return NULL;
}

const struct option *option_find(const struct option *table, size_t n, const char *name)
{
	bool foreign;

	return find(table, n, name, &foreign);
}

void option_note(struct inifile_notes *notes, const char *where, const char *fmt, ...)
{
	const char *colon = strrchr(where, ':');
	char text[INIFILE_NOTE_TEXT];
	char file[256];
	unsigned line = 0;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (colon && isdigit((unsigned char)colon[1]))
		line = (unsigned)strtoul(colon + 1, NULL, 10);
	(void)snprintf(file, sizeof(file), "%.*s",
		       (int)(line ? colon - where : (ptrdiff_t)strlen(where)), where);
	inifile_notes_add(notes, file, line, "%s", text);
}

/* -- cleaning ------------------------------------------------------------------------------------------- */

static bool wants_clean(const struct option *o)
{
	switch (o->type) {
	case OPTION_BOOL:
	case OPTION_UINT:
	case OPTION_U64:
	case OPTION_SECONDS:
	case OPTION_MBYTES:
	case OPTION_OCTAL:
		return true;
	default:
		return o->flags & OPTION_CLEAN;
	}
}

/* Where a trailing " # comment" begins; NULL if there is none. "//srv/app" is a path, "/x //note" is not. */
static char *find_comment(char *value)
{
	for (char *p = value; *p; p++) {
		bool slashes = p[0] == '/' && p[1] == '/';
		bool apart = p > value ? p[-1] == ' ' || p[-1] == '\t' : !slashes;

		if (apart && (*p == ';' || *p == '#' || slashes))
			return p;
	}
	return NULL;
}

static void drop_comment(const struct option *o, char *value, const char *where,
			 struct inifile_notes *notes)
{
	char *comment = find_comment(value);

	if (!comment)
		return;
	option_note(notes, where,
		    "%s: \"%s\" is taken for a comment; uWSGI has none at the end of a line, and "
		    "read it as part of the value",
		    o->name, comment);
	while (comment > value && (comment[-1] == ' ' || comment[-1] == '\t'))
		comment--;
	*comment = '\0';
}

/* The name of a $(NAME) that is still there: the variable is not set. */
static bool find_unset(const char *value, struct span *ret)
{
	const char *p = strstr(value, "$(");
	const char *end = p ? strchr(p, ')') : NULL;

	if (!end)
		return false;
	*ret = span_of(p + 2, (size_t)(end - p - 2));
	return true;
}

static int check_unset(const struct option *o, const char *value, const char *where,
		       struct inifile_notes *notes, struct err *err)
{
	struct span name;

	if (!find_unset(value, &name))
		return 0;
	if (wants_clean(o))
		return err_set(err, -EINVAL, "the environment variable %.*s is not set",
			       (int)name.n, name.p);
	option_note(notes, where, "%s: the environment variable %.*s is not set, the text stays",
		    o->name, (int)name.n, name.p);
	return 0;
}

/* -- setting -------------------------------------------------------------------------------------------- */

static int set_octal(const struct option *o, unsigned *field, const char *value, struct err *err)
{
	size_t n = strspn(value, "01234567");

	if (value[n] != '\0' || n < 3 || n > 4)
		return err_set(err, -EINVAL, "\"%s\" is not a mode of 3 or 4 octal digits", value);
	(void)o;
	*field = (unsigned)strtoul(value, NULL, 8);
	return 0;
}

static int set_string(char **field, const char *value, struct err *err)
{
	char *copy = *value ? strdup(value) : NULL;

	if (*value && !copy)
		return err_set(err, -ENOMEM, "out of memory");
	free(*field);
	*field = copy;
	return 0;
}

static int set_number(const struct option *o, void *field, const char *value, const char *where,
		      struct inifile_notes *notes, struct err *err)
{
	uint64_t number;
	int r = option_number(o, value, where, notes, &number, err);

	if (r < 0)
		return r;
	if (o->type == OPTION_U64 || o->type == OPTION_MBYTES)
		*(uint64_t *)field = number;
	else
		*(unsigned *)field = (unsigned)number;
	return 0;
}

static int set_value(const struct option *o, void *config, const char *value, const char *where,
		     struct inifile_notes *notes, struct err *err)
{
	void *field = (char *)config + o->offset;

	switch (o->type) {
	case OPTION_BOOL:
		*(bool *)field = option_is_true(value);
		return 0;
	case OPTION_UINT:
	case OPTION_U64:
	case OPTION_SECONDS:
	case OPTION_MBYTES:
		return set_number(o, field, value, where, notes, err);
	case OPTION_OCTAL:
		return set_octal(o, field, value, err);
	case OPTION_STRING:
		return set_string(field, value, err);
	case OPTION_LIST:
		return option_list_add(field, value, err);
	case OPTION_CUSTOM:
		return o->parse(config, o, value, where, notes, err);
	case OPTION_SILENT:
	case OPTION_IGNORED:
	case OPTION_REFUSED:
		break;
	}
	return 0;
}

/* What uWSGI takes for "not": an ini that says so asks for nothing that is missing here. */
static bool says_no(const char *value)
{
	static const char *const words[] = {"false", "no", "off", "0"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcasecmp(value, words[i]) == 0)
			return true;
	return false;
}

/* Options that set nothing say what they have to say. True: nothing else is to be done. */
static bool only_speaks(const struct option *o, const char *key, const char *value,
			const char *where, struct inifile_notes *notes, int *ret, struct err *err)
{
	*ret = 0;
	if (o->type == OPTION_IGNORED && o->parse) {
		*ret = o->parse(NULL, o, value, where, notes, err);
	} else if (o->type == OPTION_IGNORED) {
		option_note(notes, where, "%s: ignored: %s", key, o->text);
	} else if (o->type == OPTION_REFUSED && says_no(value)) {
		option_note(notes, where, "%s: ignored: it is off", key);
	} else if (o->type == OPTION_REFUSED) {
		*ret = err_set(err, -EOPNOTSUPP, "%s", o->text);
	} else if (o->type == OPTION_SILENT) {
		if ((o->flags & OPTION_ALWAYS) && !option_is_true(value))
			option_note(notes, where, "%s: cannot be turned off here: %s", key,
				    o->text);
	} else {
		return false;
	}
	return true;
}

static int apply(const struct option *o, void *config, const char *key, char *value,
		 const char *where, struct inifile_notes *notes, struct err *err)
{
	void *field = (char *)config + o->offset;
	int r;

	if (only_speaks(o, key, value, where, notes, &r, err))
		return r;
	if (wants_clean(o))
		drop_comment(o, value, where, notes);
	r = check_unset(o, value, where, notes, err);
	if (r < 0)
		return r;
	if (*value == '\0' && o->type != OPTION_BOOL) {
		option_note(notes, where, "%s: has no value%s%s", key,
			    o->def ? ", it stays at " : ", ignored", o->def ? o->def : "");
		if (o->type == OPTION_LIST || o->type == OPTION_CUSTOM)
			return 0;
		if (o->type == OPTION_STRING)
			return set_string(field, o->def ? o->def : "", err);
		return o->def ? set_value(o, config, o->def, where, NULL, err) : 0;
	}
	return set_value(o, config, value, where, notes, err);
}

/* "x" or 'x': people bring them from other formats. */
static bool is_quoted(const char *value)
{
	size_t n = strlen(value);

	return n > 1 && (value[0] == '"' || value[0] == '\'') && value[n - 1] == value[0];
}

int option_apply(const struct option *table, size_t n, void *config, const char *key,
		 const char *value, bool has_value, const char *where, struct inifile_notes *notes,
		 struct err *err)
{
	bool foreign;
	const struct option *o = find(table, n, key, &foreign);
	char *copy;
	int r;

	if (!o) {
		(void)err_set(err, -ENOENT, "%s: %s: unknown option", where, key);
		return -ENOENT;
	}
	copy = strdup(has_value ? value : "");
	if (!copy)
		return err_set(err, -ENOMEM, "out of memory");
	if (foreign)
		option_note(notes, where, "%s: means %s here; uWSGI ignored this", key, o->name);
	r = apply(o, config, key, copy, where, notes, err);
	if (r < 0 && has_value && is_quoted(value))
		(void)err_append(err, "; quotes are part of a value here: leave them out");
	if (r < 0)
		(void)err_prefix(err, "%s: %s", where, key);
	free(copy);
	return r;
}

int option_defaults(const struct option *table, size_t n, void *config, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		const struct option *o = &table[i];
		int r = o->def ? set_value(o, config, o->def, "default", NULL, err) : 0;

		if (r < 0) {
			(void)err_prefix(err, "default: %s", o->name);
			return r;
		}
	}
	return 0;
}

void option_done(const struct option *table, size_t n, void *config)
{
	for (size_t i = 0; i < n; i++) {
		void *field = (char *)config + table[i].offset;

		if (table[i].type == OPTION_STRING) {
			free(*(char **)field);
			*(char **)field = NULL;
		} else if (table[i].type == OPTION_LIST) {
			option_list_done(field);
		}
	}
}
