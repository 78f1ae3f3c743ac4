/*
 * answers - commands that can be answered at once, and the table of all.
 */
#include "emperor/control/client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "emperor/control/report.h"
#include "shared/config_items.h"
#include "shared/err.h"

static void add_report(void *arg, const struct app_info *info)
{
	(void)json_array_append_new(arg, report_app(info, NULL, NULL));
}

static bool find_app(struct client *c, const char *name, struct app_info *ret)
{
	char text[LIMIT_NAME + 64];

	if (vassals_find(c->control->vassals, name, ret))
		return true;
	(void)snprintf(text, sizeof(text), "%s: there is no such app", name);
	client_reply_error(c, text);
	return false;
}

static void add_detail(struct vassals *vassals, const struct app_info *info, json_t *apps)
{
	_cleanup_(freep) char *notes = vassals_notes(vassals, info->name);
	struct app_release release;

	vassals_release(vassals, info->name, &release);
	(void)json_array_append_new(apps, report_app(info, notes ? notes : "", &release));
}

static void run_status(struct client *c, const struct command *cmd)
{
	struct vassals *vassals = c->control->vassals;
	struct app_info info;
	json_t *root, *apps;

	if (cmd->app[0] && !find_app(c, cmd->app, &info))
		return;
	root = client_make_reply(true);
	apps = json_array();
	if (cmd->app[0])
		add_detail(vassals, &info, apps);
	else
		vassals_visit(vassals, add_report, apps);
	if (root) {
		json_put(root, "apps", apps);
		if (!cmd->app[0])
			json_put(root, "roles", report_roles(vassals));
	} else {
		json_decref(apps);
	}
	client_reply(c, root);
}

static void run_reopen(struct client *c, const struct command *cmd)
{
	struct err err = {0};
	int r = vassals_reopen_logs(c->control->vassals, cmd->app[0] ? cmd->app : NULL, &err);

	if (r < 0)
		client_reply_error(c, err.text[0] ? err.text : strerror(-r));
	else
		client_reply(c, client_make_reply(true));
}

static void run_unfuse(struct client *c, const struct command *cmd)
{
	struct err err = {0};
	int r = vassals_unfuse(c->control->vassals, cmd->app, &err);

	if (r < 0)
		client_reply_error(c, err.text);
	else
		client_reply(c, client_make_reply(true));
}

/* Bytes of people's files: what is no UTF-8 in them is shown as such. */
static void put_bytes(json_t *root, const char *key, struct span bytes)
{
	if (bytes.p)
		json_put(root, key, json_text(bytes.p, bytes.n));
}

static void run_ini(struct client *c, const struct command *cmd)
{
	struct app_info info;
	struct app_inis inis;
	json_t *root;

	if (!find_app(c, cmd->app, &info))
		return;
	vassals_inis(c->control->vassals, cmd->app, &inis);
	root = client_make_reply(true);
	if (root) {
		json_put_text(root, "file", info.file);
		json_put_u64(root, "generation", info.generation);
		put_bytes(root, "ini", inis.serving);
		put_bytes(root, "previous", inis.previous);
	}
	client_reply(c, root);
}

static void run_board(struct client *c, const struct command *cmd)
{
	struct app_info info;
	json_t *root;

	if (!find_app(c, cmd->app, &info))
		return;
	if (info.board_fd >= 0)
		c->pass_fd = fcntl(info.board_fd, F_DUPFD_CLOEXEC, 0);
	if (c->pass_fd < 0) {
		client_reply_error(c, "the app has no scoreboard: it has never run");
		return;
	}
	root = client_make_reply(true);
	if (root)
		json_put_u64(root, "generation", info.generation);
	client_reply(c, root);
}

static void run_version(struct client *c, const struct command *cmd)
{
	json_t *root = client_make_reply(true);

	(void)cmd;
	if (root) {
		json_put_text(root, "version", EMPEROR_VERSION);
		if (c->control->facts.program)
			json_put_text(root, "program", c->control->facts.program);
		json_put_u64(root, "pid", (uint64_t)getpid());
		json_put_u64(root, "keeper_version", c->control->facts.keeper_version);
		json_put_u64(root, "began_ns", c->control->facts.began_wall_ns);
	}
	client_reply(c, root);
}

/* Answered before it happens: whoever asked sees by "version" when another has begun. */
static void run_upgrade(struct client *c, const struct command *cmd)
{
	const struct control_facts *f = &c->control->facts;
	struct err err = {0};

	if (!f->upgrade || f->upgrade(f->upgrade_arg, cmd->dir[0] ? cmd->dir : NULL, &err) < 0)
		client_reply_error(c, err.text[0] ? err.text : "cannot be replaced");
	else
		client_reply(c, client_make_reply(true));
}

static json_t *list_texts(const char *const *texts, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_push(list, json_text(texts[i], strlen(texts[i])));
	return list;
}

/* A key without a value has none. */
static json_t *list_defaults(const struct config_items *items)
{
	json_t *list = json_array();

	for (size_t i = 0; items && i < items->n; i++) {
		const struct config_item *it = &items->v[i];
		json_t *row = json_object();

		json_put_text(row, "key", it->key);
		if (it->has_value)
			json_put_text(row, "value", it->value);
		json_put_text(row, "file", it->file);
		json_put_u64(row, "line", it->line);
		json_push(list, row);
	}
	return list;
}

static void run_where(struct client *c, const struct command *cmd)
{
	const struct control_facts *f = &c->control->facts;
	json_t *root = client_make_reply(true);

	(void)cmd;
	if (root) {
		json_put_text(root, "run_dir", f->run_dir ? f->run_dir : "");
		json_put_text(root, "db", f->db ? f->db : "");
		json_put_text(root, "stats_socket", f->stats_socket ? f->stats_socket : "");
		json_put(root, "vassals", list_texts(f->dirs, f->dirs_n));
		json_put(root, "ports", list_texts(f->ports, f->ports_n));
		json_put(root, "defaults", list_defaults(f->defaults));
		json_put_text(root, "no_cgroup", f->no_cgroup ? f->no_cgroup : "");
		json_put_text(root, "gate_user", f->gate_user ? f->gate_user : "");
		json_put_text(root, "stats_user", f->stats_user ? f->stats_user : "");
	}
	client_reply(c, root);
}

static void (*const runners[COMMAND_COUNT])(struct client *c, const struct command *cmd) = {
	[COMMAND_STATUS] = run_status,   [COMMAND_RELOAD] = waits_run,
	[COMMAND_START] = waits_run,     [COMMAND_STOP] = waits_run,
	[COMMAND_REOPEN] = run_reopen,   [COMMAND_BOARD] = run_board,
	[COMMAND_VERSION] = run_version, [COMMAND_WHERE] = run_where,
	[COMMAND_SCALE] = waits_run,     [COMMAND_PLAN] = plan_run,
	[COMMAND_ROLLBACK] = waits_run,  [COMMAND_INI] = run_ini,
	[COMMAND_UPGRADE] = run_upgrade, [COMMAND_UNFUSE] = run_unfuse,
};

void answers_run_line(struct client *c, struct span line)
{
	const struct control_facts *f = &c->control->facts;
	struct command cmd;
	struct err err = {0};

	if (command_parse(line, &cmd, &err) < 0) {
		client_reply_error(c, err.text);
	} else if (command_looks(&cmd) && f->look && !f->look(f->look_arg)) {
		c->held_n = line.n;
		ev_io_stop(c->control->loop, &c->io);
	} else {
		runners[cmd.verb](c, &cmd);
	}
}

void answers_run_held(struct client *c)
{
	struct span line = span_of(c->in, c->held_n);
	struct command cmd;

	c->held_n = 0;
	if (command_parse(line, &cmd, NULL) == 0)
		runners[cmd.verb](c, &cmd);
}
