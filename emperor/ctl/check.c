/*
 * check - see check.h. Reads one ini exactly as the emperor would, and says all there is to say about it, every error of
 * it.
 */
#include "emperor/ctl/check.h"

#include <errno.h>
#include <libgen.h>
#include <unistd.h>

#include "shared/err.h"
#include "shared/json.h"

#define WHERE_TEXT 320 /* "file:line" */

struct remark { /* of an error or a note, as they are printed */
	const struct inifile_note *note;
	bool error;
};

/* What stops the reader stands alone: "file:line: reason" of the dialect, or why there is nothing to read. */
static void add_fatal(struct check *k, const struct err *err)
{
	const char *const names[] = {k->file, k->path};
	const char *text = err->text;
	unsigned line = 0;
	char *end;

	for (size_t i = 0; i < ARRAY_SIZE(names) && text == err->text; i++) {
		size_t n = strlen(names[i]);

		if (strncmp(text, names[i], n) != 0 || text[n] != ':')
			continue;
		text += n + 1;
		line = (unsigned)strtoul(text, &end, 10);
		text = strncmp(end, ": ", 2) == 0 ? end + 2 : text + strspn(text, " ");
	}
	inifile_notes_add(&k->errors, k->file, line, "%s", text);
}

static void read_file(struct check *k)
{
	_cleanup_(freep) char *bytes = NULL;
	_cleanup_(freep) char *copy = strdup(k->path);
	const struct inifile_facts facts = {.path = k->path,
					    .vassals_dir = copy ? dirname(copy) : ".",
					    .environ = environ,
					    .cpus = inifile_count_cpus(),
					    .allow_files = true,
					    .errors = &k->errors};
	struct err err = {0};
	size_t n = 0;
	int r = inifile_read(k->path, &bytes, &n, &err);

	if (r == 0)
		r = inifile_parse(bytes, n, &facts, &k->items, &k->notes, &err);
	if (r == 0)
		r = check_defaults(k, &k->items, &err);
	if (r < 0) {
		add_fatal(k, &err);
		return;
	}
	(void)vassal_config_check(&k->items, &k->config, &k->notes, &k->errors);
	check_world(k);
}

/* By file, then line; what is of no line comes last. */
static int compare(const void *a, const void *b)
{
	const struct inifile_note *x = ((const struct remark *)a)->note;
	const struct inifile_note *y = ((const struct remark *)b)->note;
	int files = strcmp(x->file, y->file);

	if (files != 0)
		return files;
	if (x->line == y->line)
		return x < y ? -1 : x > y;
	/* 0 - 1 is the largest */
	return x->line - 1 < y->line - 1 ? -1 : 1;
}

/* "blog.ini:3", "blog.ini" */
static void say_where(const struct inifile_note *note, char *buf, size_t size)
{
	if (note->line > 0)
		(void)snprintf(buf, size, "%s:%u", note->file, note->line);
	else
		(void)snprintf(buf, size, "%s", note->file);
}

static void print_remarks(const struct check *k, FILE *out)
{
	size_t n = k->errors.n + k->notes.n;
	_cleanup_(freep) struct remark *v = calloc(n ? n : 1, sizeof(*v));

	if (!v)
		return;
	for (size_t i = 0; i < k->errors.n; i++)
		v[i] = (struct remark){&k->errors.v[i], true};
	for (size_t i = 0; i < k->notes.n; i++)
		v[k->errors.n + i] = (struct remark){&k->notes.v[i], false};
	qsort(v, n, sizeof(*v), compare);
	for (size_t i = 0; i < n; i++) {
		const struct inifile_note *note = v[i].note;
		char where[WHERE_TEXT];

		say_where(note, where, sizeof(where));
		(void)fprintf(out, "%s: %s%s\n", where, v[i].error ? "" : "note: ", note->text);
	}
}

static void print_text(const struct check *k, FILE *out)
{
	print_remarks(k, out);
	if (k->errors.n > 0)
		(void)fprintf(out, "%s: %zu error%s\n", k->path, k->errors.n,
			      k->errors.n == 1 ? "" : "s");
	else
		(void)fprintf(out, "%s: good%s\n", k->path, k->notes.n ? ", with notes" : "");
	if (k->errors.n == 0 && check_shows(k))
		check_print_options(k, out);
}

static json_t *list_of(const struct inifile_notes *notes)
{
	json_t *list = json_array();

	for (size_t i = 0; i < notes->n; i++) {
		json_t *note = json_object();

		json_put_text(note, "file", notes->v[i].file);
		json_put_u64(note, "line", notes->v[i].line);
		json_put_text(note, "text", notes->v[i].text);
		json_push(list, note);
	}
	return list;
}

static void push_option(void *arg, const char *name, const char *value, bool by_default)
{
	json_t *option = json_object();

	json_put_text(option, "name", name);
	json_put_text(option, "value", value);
	json_put(option, "default", json_boolean(by_default));
	json_push(arg, option);
}

static json_t *json_of(const struct check *k)
{
	char where[WHERE_TEXT], first[WHERE_TEXT + INIFILE_NOTE_TEXT] = "";
	json_t *root = json_object();

	if (k->errors.n > 0) {
		say_where(&k->errors.v[0], where, sizeof(where));
		(void)snprintf(first, sizeof(first), "%s: %s", where, k->errors.v[0].text);
	}
	json_put(root, "ok", json_boolean(k->errors.n == 0));
	json_put_text(root, "error", first);
	json_put(root, "errors", list_of(&k->errors));
	json_put(root, "notes", list_of(&k->notes));
	if (k->errors.n == 0 && check_shows(k)) {
		json_t *config = json_array();

		check_each_option(k, push_option, config);
		json_put(root, "config", config);
	}
	return root;
}

bool check_one(const struct check *asked, const char *path, json_t **ret_json, FILE *out)
{
	const char *slash = strrchr(path, '/');
	struct check k = *asked;
	bool good;

	k.path = path;
	k.file = slash ? slash + 1 : path;
	read_file(&k);
	good = k.errors.n == 0;
	if (ret_json)
		*ret_json = json_of(&k);
	else
		print_text(&k, out);
	vassal_config_done(&k.config);
	config_items_done(&k.items);
	inifile_notes_done(&k.notes);
	inifile_notes_done(&k.errors);
	return good;
}
