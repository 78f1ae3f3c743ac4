/*
 * commands - see commands.h: asks the emperor, and shows what it says.
 */
#include "emperor/ctl/commands.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>

#include "shared/err.h"
#include "shared/json.h"
#include "shared/limits.h"

#define BLAMES_SHOWN 5 /* a screen or two, with their stacks */

static int fail(const char *text)
{
	(void)fprintf(stderr, "emperorctl: %s\n", text);
	return CTL_FAILED;
}

static void print_json(const struct ctl *c, const json_t *answer)
{
	(void)json_dumpf(answer, c->out, JSON_INDENT(2));
	(void)fputc('\n', c->out);
}

/* Sends the command of c, or verb in its place. CTL_OK: *ret_answer is a good answer. */
static int ask(const struct ctl *c, const char *verb, json_t **ret_answer)
{
	struct err err = {0};
	const char *why;

	if (remote_command(&c->remote, verb, c->app, ret_answer, NULL, &err) < 0)
		return fail(err.text);
	if (json_is_true(json_object_get(*ret_answer, "ok")) || c->json)
		return CTL_OK;
	why = json_string_value(json_object_get(*ret_answer, "error"));
	return why ? fail(why) : CTL_FAILED;
}

static int ok_code(const json_t *answer)
{
	return json_is_true(json_object_get(answer, "ok")) ? CTL_OK : CTL_FAILED;
}

static int run_status(const struct ctl *c)
{
	json_t *answer = NULL;
	int code = ask(c, "status", &answer);

	if (code == CTL_OK && c->json) {
		print_json(c, answer);
		code = ok_code(answer);
	} else if (code == CTL_OK) {
		show_status(c, answer);
	}
	json_decref(answer);
	return code;
}

static void print_outcomes(const struct ctl *c, const json_t *answer)
{
	const json_t *apps = json_object_get(answer, "apps");

	for (size_t i = 0; i < json_array_size(apps); i++) {
		const json_t *app = json_array_get(apps, i);
		const char *name = json_string_value(json_object_get(app, "name"));
		const char *why = json_string_value(json_object_get(app, "error"));

		if (why)
			(void)fprintf(stderr, "emperorctl: %s: %s failed: %s\n", name ? name : "",
				      c->command, why);
		else
			(void)fprintf(c->out, "%s: %s done\n", name ? name : "", c->command);
	}
	if (json_array_size(apps) == 0)
		(void)fprintf(c->out, "%s accepted\n", c->command);
}

static int run_change(const struct ctl *c)
{
	char verb[64];
	json_t *answer = NULL;
	int code;

	(void)snprintf(verb, sizeof(verb), "%s%s%s%s%s", c->command, c->no_wait ? " --no-wait" : "",
		       c->all ? " --all" : "", c->number[0] ? " " : "", c->number);
	if (!c->app[0] && !c->all && !str_eq(c->command, "reopen"))
		return (void)fail("an app's name is needed"), CTL_USAGE;
	code = ask(c, verb, &answer);
	if (answer && c->json)
		print_json(c, answer);
	else if (json_object_get(answer, "apps") || code == CTL_OK)
		print_outcomes(c, answer);
	if (answer)
		code = ok_code(answer);
	json_decref(answer);
	return code;
}

static int run_version(const struct ctl *c)
{
	json_t *answer = NULL;
	const char *theirs;
	int code = ask(c, "version", &answer);

	theirs = json_string_value(json_object_get(answer, "version"));
	if (code == CTL_OK && c->json)
		print_json(c, answer);
	else if (code == CTL_OK)
		(void)fprintf(c->out, "emperorctl %s\nemperor %s, pid %d\n", EMPEROR_VERSION,
			      theirs ? theirs : "?",
			      (int)json_integer_value(json_object_get(answer, "pid")));
	json_decref(answer);
	return code;
}

static void version_alone(const struct ctl *c, const struct err *why)
{
	json_t *root;

	if (!c->json) {
		(void)fprintf(c->out, "emperorctl %s\n", EMPEROR_VERSION);
		return;
	}
	root = json_object();
	json_put(root, "ok", json_false());
	json_put_text(root, "emperorctl", EMPEROR_VERSION);
	json_put_text(root, "error", why->text);
	print_json(c, root);
	json_decref(root);
}

/* An app's name in a URL (RFC 3986 2.1). */
static void quote(char *buf, size_t size, const char *name)
{
	size_t n = 0;

	for (; *name && n + 4 < size; name++) {
		unsigned char c = (unsigned char)*name;
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || strchr("-._~", c);

		n += (size_t)snprintf(buf + n, size - n, plain ? "%c" : "%%%02X", c);
	}
	buf[n] = '\0';
}

static int no_such_app(const struct ctl *c)
{
	char text[LIMIT_NAME + 64];

	(void)snprintf(text, sizeof(text), "%s: there is no such app", c->app);
	return fail(text);
}

static int run_stats(const struct ctl *c)
{
	char name[256], target[300] = "/";
	json_t *answer = NULL;
	struct err err = {0};
	int r;

	quote(name, sizeof(name), c->app);
	if (name[0])
		(void)snprintf(target, sizeof(target), "/apps/%s", name);
	r = remote_stats(&c->remote, target, &answer, &err);
	if (r == -ENOENT && name[0])
		return no_such_app(c);
	if (r < 0)
		return fail(err.text);
	if (c->json)
		print_json(c, answer);
	else
		show_stats(c, answer);
	json_decref(answer);
	return CTL_OK;
}

/* Who must be able to write where. */
static void print_history_advice(const char *path, bool root)
{
	const char *slash = strrchr(path, '/');

	(void)fprintf(stderr,
		      "emperorctl: events are kept in %s: %s must be able to write this file and "
		      "its directory %.*s; or begin another with emperor --db FILE\n",
		      path,
		      root ? "the user of the statistics ([emperor] stats-user, \"sys\" if it "
			     "names none)"
			   : "the user whom the emperor runs as",
		      slash ? (int)MAX(slash - path, (ptrdiff_t)1) : 1, slash ? path : ".");
}

/* why: what the question got for an answer. The emperor's own page says whether there is a history at all. */
static int fail_history(const struct ctl *c, const char *why)
{
	json_t *root = NULL;
	const json_t *history;
	const char *path;

	(void)fail(why);
	if (remote_stats(&c->remote, "/", &root, NULL) < 0)
		return CTL_FAILED;
	history = json_object_get(root, "history");
	path = json_string_value(json_object_get(history, "database"));
	if (path && !path[0])
		(void)fail(
			"the emperor keeps no history: no database was named to it; emperor --db "
			"FILE begins one");
	else if (path && json_integer_value(json_object_get(history, "failing")) != 0)
		print_history_advice(path, json_integer_value(json_object_get(root, "uid")) == 0);
	json_decref(root);
	return CTL_FAILED;
}

/* An app that is gone has a history; one that never was has neither. */
static bool has_app(const struct ctl *c)
{
	json_t *answer = NULL;
	struct err err = {0};
	bool there = remote_command(&c->remote, "status", c->app, &answer, NULL, &err) < 0 ||
		     json_is_true(json_object_get(answer, "ok"));

	json_decref(answer);
	return there;
}

static int run_events(const struct ctl *c)
{
	char name[256], target[320];
	json_t *answer = NULL;
	struct err err = {0};
	int code = CTL_OK;

	quote(name, sizeof(name), c->app);
	(void)snprintf(target, sizeof(target), "/events?n=%u%s%s", c->lines ? c->lines : 50,
		       name[0] ? "&app=" : "", name);
	if (remote_stats(&c->remote, target, &answer, &err) < 0)
		return fail_history(c, err.text);
	if (name[0] && json_array_size(json_object_get(answer, "events")) == 0 && !has_app(c))
		code = no_such_app(c);
	else if (c->json)
		print_json(c, answer);
	else
		show_events(c, answer);
	json_decref(answer);
	return code;
}

static int run_blame(const struct ctl *c)
{
	char name[256], target[320];
	json_t *answer = NULL;
	struct err err = {0};
	unsigned n = c->number[0] ? (unsigned)strtoul(c->number, NULL, 10) : c->lines;
	int code = CTL_OK;

	if (c->number[0] && (strspn(c->number, "0123456789") != strlen(c->number) || n == 0))
		return (void)fail("blame takes a number of records behind the app's name"),
		       CTL_USAGE;
	quote(name, sizeof(name), c->app);
	(void)snprintf(target, sizeof(target), "/blame?n=%u&app=%s",
		       MIN(n ? n : BLAMES_SHOWN, (unsigned)LIMIT_STATS_BLAMES), name);
	if (remote_stats(&c->remote, target, &answer, &err) < 0)
		return fail_history(c, err.text);
	if (json_array_size(json_object_get(answer, "blames")) == 0 && !has_app(c))
		code = no_such_app(c);
	else if (c->json)
		print_json(c, answer);
	else
		show_blame(c, answer);
	json_decref(answer);
	return code;
}

static int run_ini_now(const struct ctl *c)
{
	json_t *answer = NULL;
	int code = ask(c, "ini", &answer);
	const json_t *bytes = json_object_get(answer, "ini");

	if (code == CTL_OK && c->json)
		print_json(c, answer);
	else if (code == CTL_OK && bytes)
		(void)fwrite(json_string_value(bytes), 1, json_string_length(bytes), c->out);
	else if (code == CTL_OK)
		code = fail("nothing of it serves");
	json_decref(answer);
	return code;
}

/* Copies of what was in force, secrets masked: history, which outlives the app. */
static int run_old_inis(const struct ctl *c)
{
	char name[256], target[384], generation[48] = "";
	json_t *answer = NULL;
	const json_t *list, *bytes;
	struct err err = {0};
	int code = CTL_OK;

	quote(name, sizeof(name), c->app);
	if (c->generation > 0)
		(void)snprintf(generation, sizeof(generation), "&generation=%" PRIu64,
			       c->generation);
	(void)snprintf(target, sizeof(target), "/inis?app=%s%s", name, generation);
	if (remote_stats(&c->remote, target, &answer, &err) < 0)
		return fail_history(c, err.text);
	list = json_object_get(answer, "inis");
	bytes = json_object_get(json_array_get(list, 0), "ini");
	if (json_array_size(list) == 0 && !has_app(c))
		code = no_such_app(c);
	else if (c->generation > 0 && json_array_size(list) == 0)
		code = fail("its ini of that generation is not in the history: ini --history lists "
			    "what is");
	else if (c->json)
		print_json(c, answer);
	else if (bytes)
		(void)fwrite(json_string_value(bytes), 1, json_string_length(bytes), c->out);
	else
		show_inis(c, answer);
	json_decref(answer);
	return code;
}

static int run_ini(const struct ctl *c)
{
	if (c->history && c->generation > 0)
		return (void)fail("--history lists all, --generation shows one"), CTL_USAGE;
	if (c->history || c->generation > 0)
		return run_old_inis(c);
	return run_ini_now(c);
}

static const struct ctl_command commands[] = {
	{"status", "[APP]", "what every app does and why, or all about one", 0, 1, "", false,
	 run_status, NULL},
	{"stats", "[APP]", "requests, times, errors and memory", 0, 1, "", false, run_stats, NULL},
	{"events", "[APP] [-n N]", "what happened: starts, reloads, failures, kills", 0, 1, "n",
	 false, run_events, NULL},
	{"blame", "APP [N] [--full]", "requests that were slow, or went down with a worker", 1, 2,
	 "nv", false, run_blame, NULL},
	{"check", "[--config FILE] INI|DIR...", "every error and note of inis", 1, UINT_MAX, "c",
	 true, ctl_check, NULL},
	{"plan", "[DIR]", "what the inis, or those of DIR, would change; changes nothing", 0, 1, "",
	 false, ctl_plan, NULL},
	{"ini", "APP [--history | --generation N]", "the bytes that it runs, or ran before", 1, 1,
	 "Hg", false, run_ini, NULL},
	{"reload", "[--no-wait] APP|--all", "a new generation beside the old, then swap", 0, 1,
	 "aw", false, run_change, NULL},
	{"stop", "[--no-wait] APP", "finish the requests in hand and stop", 1, 1, "w", false,
	 run_change, NULL},
	{"start", "[--no-wait] APP", "start what is stopped, or waits after a failure", 1, 1, "w",
	 false, run_change, NULL},
	{"rollback", "[--no-wait] APP", "what served before the last reload comes back", 1, 1, "w",
	 false, run_change, NULL},
	{"scale", "[--no-wait] APP N", "run N processes until the next reload", 2, 2, "w", false,
	 run_change, NULL},
	{"unfuse", "APP", "let requests through again that had killed workers", 1, 1, "", false,
	 run_change, NULL},
	{"logs", "APP [-f] [-n N]", "its last lines; -f: and what follows", 1, 1, "fn0", false,
	 ctl_logs, NULL},
	{"reopen", "[APP]", "open log files anew, after rotation", 0, 1, "", false, run_change,
	 NULL},
	{"upgrade", "[PROGRAM]", "the emperor becomes another build; apps, gate and stats run on",
	 0, 1, "", false, ctl_upgrade, NULL},
	{"version", "", "of emperorctl, and of the emperor that runs", 0, 0, "", false, run_version,
	 version_alone},
};

const struct ctl_command *ctl_command_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (str_eq(commands[i].name, name))
			return &commands[i];
	return NULL;
}

void ctl_commands_print(FILE *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		(void)fprintf(out, "  %-9s%-34s%s\n", commands[i].name, commands[i].usage,
			      commands[i].help);
}
