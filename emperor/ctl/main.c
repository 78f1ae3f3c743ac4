/*
 * emperorctl - asks a running emperor, and tells it what to do. Exit codes: 0 done; 1 it was asked and did not work; 2
 * wrong usage, or no emperor runs.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <sys/ioctl.h>

#include "emperor/ctl/ctl.h"
#include "shared/clock.h"
#include "shared/err.h"

struct command {
	const char *name;
	const char *usage;
	unsigned args_min, args_max;
	const char *options; /* of -f -n -a (--all) -w (--no-wait): those that mean something */
	bool local;          /* needs no emperor */
	int (*run)(const struct ctl *c);
};

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

	(void)snprintf(verb, sizeof(verb), "%s%s%s", c->command, c->no_wait ? " --no-wait" : "",
		       c->all ? " --all" : "");
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

static int run_history(const struct ctl *c, const char *target,
		       void (*show)(const struct ctl *c, const json_t *answer))
{
	json_t *answer = NULL;
	struct err err = {0};

	if (remote_stats(&c->remote, target, &answer, &err) < 0)
		return fail(err.text);
	if (c->json)
		print_json(c, answer);
	else
		show(c, answer);
	json_decref(answer);
	return CTL_OK;
}

static int run_stats(const struct ctl *c)
{
	char name[256], target[300] = "/";

	quote(name, sizeof(name), c->app);
	if (name[0])
		(void)snprintf(target, sizeof(target), "/apps/%s", name);
	return run_history(c, target, show_stats);
}

static int run_events(const struct ctl *c)
{
	char name[256], target[320];

	quote(name, sizeof(name), c->app);
	(void)snprintf(target, sizeof(target), "/events?n=%u%s%s", c->lines ? c->lines : 50,
		       name[0] ? "&app=" : "", name);
	return run_history(c, target, show_events);
}

static const struct command commands[] = {
	{"status", "status [APP]", 0, 1, "", false, run_status},
	{"stats", "stats [APP]", 0, 1, "", false, run_stats},
	{"events", "events [APP] [-n N]", 0, 1, "n", false, run_events},
	{"check", "check FILE", 1, 1, "", true, ctl_check},
	{"reload", "reload [--no-wait] APP|--all", 0, 1, "aw", false, run_change},
	{"stop", "stop [--no-wait] APP", 1, 1, "w", false, run_change},
	{"start", "start [--no-wait] APP", 1, 1, "w", false, run_change},
	{"logs", "logs APP [-f] [-n N]", 1, 1, "fn", false, ctl_logs},
	{"reopen", "reopen [APP]", 0, 1, "", false, run_change},
	{"version", "version", 0, 0, "", false, run_version},
};

static void print_usage(FILE *out)
{
	(void)fputs("usage: emperorctl [--run-dir DIR] [--json] COMMAND\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		(void)fprintf(out, "       emperorctl %s\n", commands[i].usage);
}

static int usage_error(const char *what)
{
	if (what)
		(void)fprintf(stderr, "emperorctl: %s\n", what);
	print_usage(stderr);
	return CTL_USAGE;
}

static bool parse_lines(const char *text, unsigned *ret)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	*ret = (unsigned)n;
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && n >= 1 && n <= 100000;
}

static size_t terminal_width(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO))
		return 0;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/* Options into *c; given: their letters. 0, or the exit code + 1 where there is no more to do. */
static int parse_options(int argc, char **argv, struct ctl *c, const char **ret_dir, char given[8])
{
	static const struct option options[] = {
		{"run-dir", required_argument, NULL, 'd'},
		{"json", no_argument, NULL, 'j'},
		{"all", no_argument, NULL, 'a'},
		{"no-wait", no_argument, NULL, 'w'},
		{"follow", no_argument, NULL, 'f'},
		{"lines", required_argument, NULL, 'n'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	int o;

	while ((o = getopt_long(argc, argv, "fn:h", options, NULL)) != -1) {
		switch (o) {
		case 'd':
			*ret_dir = optarg;
			continue;
		case 'j':
			c->json = true;
			continue;
		case 'h':
			print_usage(stdout);
			return CTL_OK + 1;
		case 'V':
			(void)printf("emperorctl %s\n", EMPEROR_VERSION);
			return CTL_OK + 1;
		case 'n':
			if (!parse_lines(optarg, &c->lines))
				return usage_error("-n takes a number from 1 to 100000") + 1;
			break;
		case '?':
			return usage_error(NULL) + 1;
		default:
			break;
		}
		c->all |= o == 'a';
		c->no_wait |= o == 'w';
		c->follow |= o == 'f';
		if (!strchr(given, o))
			given[strlen(given)] = (char)o;
	}
	return 0;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (str_eq(commands[i].name, name))
			return &commands[i];
	return NULL;
}

int main(int argc, char **argv)
{
	struct ctl c = {.app = "", .out = stdout};
	struct err err = {0};
	const struct command *cmd;
	const char *dir = NULL;
	char given[8] = "";
	unsigned args;
	int r = parse_options(argc, argv, &c, &dir, given);

	(void)signal(SIGPIPE, SIG_IGN);
	if (r > 0)
		return r - 1;
	if (optind >= argc)
		return usage_error("a command is needed");
	cmd = find_command(argv[optind]);
	if (!cmd)
		return usage_error("unknown command");
	args = (unsigned)(argc - optind - 1);
	if (args < cmd->args_min || args > cmd->args_max || (c.all && args > 0))
		return usage_error("wrong number of arguments");
	if (given[strspn(given, cmd->options)] != '\0')
		return usage_error("this command has no such option");
	c.command = cmd->name;
	c.app = args > 0 ? argv[optind + 1] : "";
	c.width = terminal_width();
	c.wall_ns = clock_wall_ns();
	if (!cmd->local && remote_find(dir, &c.remote, &err) < 0) {
		(void)fail(err.text);
		return CTL_USAGE;
	}
	r = cmd->run(&c);
	return fflush(stdout) == 0 ? r : CTL_FAILED;
}
