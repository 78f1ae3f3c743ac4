/*
 * option_items - whole configurations through an option table: the items of an ini in order, and the command line as
 * items. The walk over items is where mistakes that need more than one line show: a key given twice, a key that is
 * nobody's.
 */
#include <errno.h>
#include <stdio.h>

#include "shared/config_items.h"
#include "shared/err.h"
#include "shared/inifile.h"
#include "shared/option.h"

#define WHERE_TEXT      320 /* "file:line" */
#define SUGGESTIONS_MAX 32  /* of one configuration: each looks at all names; nobody reads more */

struct walk {
	const struct option *table;
	size_t n;
	const struct config_item **seen; /* per row: the item that set it last */
	const struct option_unknown *unknown;
	struct inifile_notes *notes;
	unsigned suggestions; /* made so far */
};

static void say_where(const struct config_item *item, char where[WHERE_TEXT])
{
	if (item->line)
		(void)snprintf(where, WHERE_TEXT, "%s:%u", item->file, item->line);
	else
		(void)snprintf(where, WHERE_TEXT, "%s", item->file);
}

/* A key of nobody's that some %(key) uses is a placeholder: that is how people write "base = /srv". */
static int on_unknown(struct walk *w, const struct config_item *item, const char *where,
		      struct err *err)
{
	const struct option_unknown *unknown = w->unknown;
	const char *near = NULL;

	if (item->used)
		return 0;
	if (unknown->known_elsewhere && unknown->known_elsewhere(item->key)) {
		option_note(w->notes, where, "%s: known to uWSGI, not supported here, ignored",
			    item->key);
		return 0;
	}
	if (w->suggestions++ < SUGGESTIONS_MAX)
		near = option_suggest(w->table, w->n, item->key);
	if (unknown->strict)
		return err_set(err, -EINVAL, "%s: %s: unknown option%s%s%s", where, item->key,
			       near ? ", did you mean " : "", near ? near : "", near ? "?" : "");
	option_note(w->notes, where, "%s: unknown option, ignored%s%s%s", item->key,
		    near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
	return 0;
}

static bool is_single(const struct option *o)
{
	switch (o->type) {
	case OPTION_LIST:
	case OPTION_SILENT:
	case OPTION_IGNORED:
	case OPTION_REFUSED:
		return false;
	default:
		return !(o->flags & OPTION_MANY);
	}
}

static void note_repeated(struct walk *w, size_t row, const struct config_item *item,
			  const char *where)
{
	const struct config_item *first = w->seen[row];

	w->seen[row] = item;
	if (!first || !is_single(&w->table[row]) || str_eq(first->value, item->value))
		return;
	if (str_eq(first->file, item->file) && first->line)
		option_note(w->notes, where, "%s: was \"%s\" in line %u; the last one counts",
			    item->key, first->value, first->line);
	else if (!str_eq(item->file, OPTION_COMMAND_LINE))
		option_note(w->notes, where, "%s: was \"%s\" in %s:%u; the last one counts",
			    item->key, first->value, first->file, first->line);
}

static int walk_item(struct walk *w, void *config, const struct config_item *item, struct err *err)
{
	const struct option *o = option_find(w->table, w->n, item->key);
	char where[WHERE_TEXT];

	say_where(item, where);
	if (!o)
		return on_unknown(w, item, where, err);
	note_repeated(w, (size_t)(o - w->table), item, where);
	return option_apply(w->table, w->n, config, item->key, item->value, item->has_value, where,
			    w->notes, err);
}

int option_apply_items(const struct option *table, size_t n, void *config,
		       const struct config_items *items, const struct option_unknown *unknown,
		       struct inifile_notes *notes, struct err *err)
{
	struct walk w = {.table = table, .n = n, .unknown = unknown, .notes = notes};
	int r = 0;

	w.seen = calloc(n, sizeof(const struct config_item *));
	if (!w.seen)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < items->n && r == 0; i++)
		r = walk_item(&w, config, &items->v[i], err);
	free(w.seen);
	return r;
}

static void keep_error(struct inifile_notes *errors, const struct config_item *item,
		       const struct err *err)
{
	const char *text = err->text;
	char where[WHERE_TEXT];
	size_t n;

	say_where(item, where);
	n = strlen(where);
	if (strncmp(text, where, n) == 0 && strncmp(text + n, ": ", 2) == 0)
		text += n + 2;
	inifile_notes_add(errors, item->file, item->line, "%s", text);
}

int option_check_items(const struct option *table, size_t n, void *config,
		       const struct config_items *items, const struct option_unknown *unknown,
		       struct inifile_notes *notes, struct inifile_notes *errors)
{
	struct walk w = {.table = table, .n = n, .unknown = unknown, .notes = notes};
	int first = 0;

	w.seen = calloc(n, sizeof(const struct config_item *));
	if (!w.seen) {
		inifile_notes_add(errors, NULL, 0, "out of memory");
		return -ENOMEM;
	}
	for (size_t i = 0; i < items->n; i++) {
		struct err err = {0};
		int r = walk_item(&w, config, &items->v[i], &err);

		if (r < 0)
			keep_error(errors, &items->v[i], &err);
		first = first < 0 ? first : r;
	}
	free(w.seen);
	return first;
}

/* -- the command line ----------------------------------------------------------------------------------- */

static bool takes_value(const struct option *o)
{
	switch (o->type) {
	case OPTION_BOOL:
		return false;
	case OPTION_SILENT:
	case OPTION_IGNORED:
	case OPTION_REFUSED:
		return o->flags & OPTION_VALUE;
	default:
		return true;
	}
}

static int argv_unknown(const struct option *table, size_t n, const char *name, struct err *err)
{
	const char *near = option_suggest(table, n, name);

	return err_set(err, -EINVAL, "--%s: unknown option%s%s%s", name,
		       near ? ", did you mean --" : "", near ? near : "", near ? "?" : "");
}

/* One "--name", "--name=value" or "--name value" at *at, which moves past it. */
static int parse_one(const struct option *table, size_t n, int argc, char *const *argv, int *at,
		     struct config_items *items, struct err *err)
{
	const char *arg = argv[*at] + 2;
	const char *equals = strchrnul(arg, '=');
	const char *value = *equals ? equals + 1 : NULL;
	char *name = strndup(arg, (size_t)(equals - arg));
	const struct option *o;
	int r;

	if (!name)
		return err_set(err, -ENOMEM, "out of memory");
	(*at)++;
	o = option_find(table, n, name);
	if (!o) {
		r = argv_unknown(table, n, name, err);
	} else if (!value && takes_value(o) && *at >= argc) {
		r = err_set(err, -EINVAL, "--%s: a value is missing", name);
	} else {
		if (!value && takes_value(o))
			value = argv[(*at)++];
		r = config_items_add(items, name, value, OPTION_COMMAND_LINE, 0, value != NULL,
				     err);
	}
	free(name);
	return r;
}

int option_parse_argv(const struct option *table, size_t n, int argc, char *const *argv,
		      struct config_items *items, char **rest, int *ret_rest_n, struct err *err)
{
	bool options = true;
	int rest_n = 0;
	int at = 1;
	int r;

	while (at < argc) {
		const char *arg = argv[at];

		if (options && str_eq(arg, "--")) {
			options = false;
			at++;
		} else if (options && strncmp(arg, "--", 2) == 0) {
			r = parse_one(table, n, argc, argv, &at, items, err);
			if (r < 0)
				return r;
		} else if (options && arg[0] == '-' && arg[1]) {
			return err_set(err, -EINVAL, "%s: options are written out, with two dashes",
				       arg);
		} else {
			rest[rest_n++] = argv[at++];
		}
	}
	*ret_rest_n = rest_n;
	return 0;
}

/* "--name" and "--name=...": where the name ends, or NULL. */
static const char *match_name(const char *arg, const char *name)
{
	size_t n = strlen(name);

	if (strncmp(arg, "--", 2) != 0 || strncmp(arg + 2, name, n) != 0)
		return NULL;
	return arg[2 + n] == '\0' || arg[2 + n] == '=' ? arg + 2 + n : NULL;
}

const char *option_take_argv(int *argc, char **argv, const char *name, bool has_value)
{
	for (int i = 1; i < *argc && !str_eq(argv[i], "--"); i++) {
		const char *end = match_name(argv[i], name);
		bool apart = end && *end == '\0' && has_value && i + 1 < *argc;
		int taken = apart ? 2 : 1;
		const char *value;

		if (!end)
			continue;
		value = apart ? argv[i + 1] : *end == '=' ? end + 1 : "";
		memmove(&argv[i], &argv[i + taken], (size_t)(*argc - i - taken) * sizeof(*argv));
		*argc -= taken;
		return value;
	}
	return NULL;
}
