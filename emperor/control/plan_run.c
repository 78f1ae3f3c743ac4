/*
 * plan_run - "plan" and "plan DIR": looks at the directories as the emperor does, and changes nothing.
 */
#include "emperor/control/client.h"
#include "shared/err.h"

static void add_row(void *arg, const char *name, const char *file, enum plan_kind kind,
		    const char *text)
{
	json_t *row = json_object();

	if (!row)
		return;
	json_put_text(row, "name", name);
	json_put_text(row, "file", file);
	json_put_text(row, "action", plan_kind_name(kind));
	json_put_text(row, "text", text);
	(void)json_array_append_new(arg, row);
}

void plan_run(struct client *c, const struct command *cmd)
{
	const struct control_facts *f = &c->control->facts;
	const char *const staged[] = {cmd->dir};
	const struct plan_dirs dirs = {
		.dirs = cmd->dir[0] ? staged : f->dirs,
		.n = cmd->dir[0] ? 1 : f->dirs_n,
		.tyrant = f->tyrant,
		.staged = cmd->dir[0] != '\0',
	};
	struct err err = {0};
	json_t *root, *apps = json_array();

	if (vassals_plan(c->control->vassals, &dirs, add_row, apps, &err) < 0) {
		json_decref(apps);
		client_reply_error(c, err.text);
		return;
	}
	root = client_make_reply(true);
	if (root)
		json_put(root, "apps", apps);
	else
		json_decref(apps);
	client_reply(c, root);
}
