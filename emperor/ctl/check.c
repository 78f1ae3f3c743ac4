/*
 * check - `emperorctl check FILE`: reads an ini exactly as the emperor would, and says all there is to say about it. Needs
 * no emperor.
 */
#include <libgen.h>
#include <unistd.h>

#include "emperor/ctl/ctl.h"
#include "shared/err.h"
#include "shared/json.h"
#include "shared/vassal_config.h"

static int read_config(const char *path, struct inifile_notes *notes, struct err *err)
{
	_cleanup_(config_items_done) struct config_items items = {0};
	_cleanup_(vassal_config_done) struct vassal_config config = {0};
	_cleanup_(freep) char *bytes = NULL;
	_cleanup_(freep) char *copy = strdup(path);
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	const struct inifile_facts facts = {.path = path,
					    .vassals_dir = copy ? dirname(copy) : ".",
					    .environ = environ,
					    .cpus = cpus > 0 ? (unsigned)cpus : 1,
					    .allow_files = true};
	size_t n = 0;
	int r = inifile_read(path, &bytes, &n, err);

	if (r == 0)
		r = inifile_parse(bytes, n, &facts, &items, notes, err);
	if (r == 0)
		r = vassal_config_build(&items, &config, notes, err);
	return r;
}

static void print_text(const struct ctl *c, const struct inifile_notes *notes, int r,
		       const struct err *err)
{
	for (size_t i = 0; i < notes->n; i++) {
		const struct inifile_note *note = &notes->v[i];

		if (note->line > 0)
			(void)fprintf(c->out, "%s:%u: %s\n", note->file, note->line, note->text);
		else
			(void)fprintf(c->out, "%s: %s\n", note->file, note->text);
	}
	if (r < 0)
		(void)fprintf(c->out, "%s\n", err->text);
	else
		(void)fprintf(c->out, "%s: good%s\n", c->app, notes->n ? ", with notes" : "");
}

static void print_json(const struct ctl *c, const struct inifile_notes *notes, int r,
		       const struct err *err)
{
	_cleanup_(freep) char *text = NULL;
	json_t *root = json_object(), *list = json_array();

	json_put(root, "ok", json_boolean(r == 0));
	json_put_text(root, "error", r < 0 ? err->text : "");
	for (size_t i = 0; i < notes->n; i++) {
		json_t *note = json_object();

		json_put_text(note, "file", notes->v[i].file);
		json_put_u64(note, "line", notes->v[i].line);
		json_put_text(note, "text", notes->v[i].text);
		(void)json_array_append_new(list, note);
	}
	json_put(root, "notes", list);
	text = json_dump_text(root, true, NULL);
	json_decref(root);
	if (text)
		(void)fputs(text, c->out);
}

int ctl_check(const struct ctl *c)
{
	_cleanup_(inifile_notes_done) struct inifile_notes notes = {0};
	struct err err = {0};
	int r = read_config(c->app, &notes, &err);

	if (c->json)
		print_json(c, &notes, r, &err);
	else
		print_text(c, &notes, r, &err);
	return r < 0 ? CTL_FAILED : CTL_OK;
}
