/*
 * plan_run - "plan" and "plan DIR": looks at the directories as the emperor does, and changes nothing.
 */
#include <errno.h>

#include "emperor/control/client.h"
#include "emperor/vassals/plan.h"
#include "emperor/watch/scan.h"
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

static const char *file_of(void *arg, const char *name)
{
	return vassals_file_of(arg, name);
}

static int look(struct client *c, const struct command *cmd, struct scan *ret, struct err *err)
{
	const struct control_facts *f = &c->control->facts;
	const char *const staged[] = {cmd->dir};
	const struct scan_rules rules = {
		.only_root = geteuid() == 0,
		.tyrant = f->tyrant,
		.known = cmd->dir[0] ? NULL : file_of,
		.known_arg = c->control->vassals,
	};

	if (cmd->dir[0])
		return scan_run(ret, staged, 1, &rules, err);
	return scan_run(ret, f->dirs, f->dirs_n, &rules, err);
}

void plan_run(struct client *c, const struct command *cmd)
{
	struct scan scan = {0};
	struct err err = {0};
	json_t *root, *apps;

	if (look(c, cmd, &scan, &err) < 0) {
		client_reply_error(c, err.text);
		return;
	}
	if (cmd->dir[0] && scan.incomplete) {
		client_reply_error(c, scan.complaint ? scan.complaint : "cannot be read");
		scan_done(&scan);
		return;
	}
	root = client_make_reply(true);
	apps = json_array();
	vassals_plan(c->control->vassals, &scan, cmd->dir[0] != '\0', add_row, apps);
	scan_done(&scan);
	if (root)
		json_put(root, "apps", apps);
	else
		json_decref(apps);
	client_reply(c, root);
}
