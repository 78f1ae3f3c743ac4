/*
 * emperorctl - asks a running emperor, and tells it what to do. Exit codes: 0 done; 1 it was asked and did not work; 2
 * wrong usage, or no emperor runs.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#include "emperor/ctl/commands.h"
#include "shared/clock.h"
#include "shared/err.h"

#define USAGE "usage: emperorctl [--run-dir DIR] [--json] COMMAND [ARGUMENT]"

static void print_help(FILE *out)
{
	(void)fprintf(out, "%s\n\nCommands:\n", USAGE);
	ctl_commands_print(out);
	(void)fputs("\nOptions:\n"
		    "  --run-dir DIR  where the emperor's sockets are\n"
		    "  --json         answers as JSON, for programs\n"
		    "  --no-wait      do not wait for the outcome\n"
		    "  -n N           so many lines or events\n"
		    "  -v, --full     of blame: all of the stacks and logs\n"
		    "  --config FILE  of check: whose defaults for all apps count\n"
		    "  --history      of ini: the last ones, and since when\n"
		    "  --generation N of ini: the one of that generation\n"
		    "  --help, --version\n",
		    out);
}

/* What is wrong comes last, where people look. */
_printf_(1, 2) static int usage_error(const char *fmt, ...)
{
	va_list ap;

	(void)fputs(USAGE "; emperorctl --help lists the commands\nemperorctl: ", stderr);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	return CTL_USAGE;
}

static int wrong_arguments(const struct ctl_command *cmd)
{
	return usage_error("%s: wrong number of arguments: emperorctl %s%s%s", cmd->name, cmd->name,
			   cmd->usage[0] ? " " : "", cmd->usage);
}

static bool parse_lines(const char *text, unsigned *ret)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	*ret = (unsigned)n;
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && n <= 100000;
}

static bool parse_generation(const char *text, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *ret > 0 &&
	       *ret <= INT64_MAX;
}

static size_t terminal_width(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO))
		return 0;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/* A short option may stand anywhere in its word, so getopt tells its letter; a long one it tells nothing of. */
static int unknown_option(char **argv)
{
	if (optopt)
		return usage_error("unknown option \"-%c\"", optopt);
	return usage_error("unknown option \"%s\"", argv[optind - 1]);
}

/* Options into *c; given: their letters. 0, or the exit code + 1 where there is no more to do. */
static int parse_options(int argc, char **argv, struct ctl *c, const char **ret_dir, char given[16])
{
	static const struct option options[] = {
		{"run-dir", required_argument, NULL, 'd'},
		{"json", no_argument, NULL, 'j'},
		{"all", no_argument, NULL, 'a'},
		{"no-wait", no_argument, NULL, 'w'},
		{"follow", no_argument, NULL, 'f'},
		{"lines", required_argument, NULL, 'n'},
		{"full", no_argument, NULL, 'v'},
		{"config", required_argument, NULL, 'c'},
		{"history", no_argument, NULL, 'H'},
		{"generation", required_argument, NULL, 'g'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	int o;

	opterr = 0;
	while ((o = getopt_long(argc, argv, ":fn:hv", options, NULL)) != -1) {
		switch (o) {
		case 'd':
			*ret_dir = optarg;
			continue;
		case 'j':
			c->json = true;
			continue;
		case 'h':
			print_help(stdout);
			return CTL_OK + 1;
		case 'V':
			(void)printf("emperorctl %s\n", EMPEROR_VERSION);
			return CTL_OK + 1;
		case 'n':
			if (!parse_lines(optarg, &c->lines))
				return usage_error("-n takes a number up to 100000") + 1;
			c->no_lines = c->lines == 0;
			break;
		case 'c':
			c->config = optarg;
			break;
		case 'g':
			if (!parse_generation(optarg, &c->generation))
				return usage_error("--generation takes a number from 1 on") + 1;
			break;
		case ':':
			return usage_error("%s: a value is missing", argv[optind - 1]) + 1;
		case '?':
			return unknown_option(argv) + 1;
		default:
			break;
		}
		c->all |= o == 'a';
		c->no_wait |= o == 'w';
		c->follow |= o == 'f';
		c->history |= o == 'H';
		c->full |= o == 'v';
		if (!strchr(given, o))
			given[strlen(given)] = (char)o;
	}
	return 0;
}

static int no_emperor(const struct ctl_command *cmd, const struct ctl *c, int r,
		      const struct err *err)
{
	if (cmd->alone)
		cmd->alone(c, err);
	(void)fflush(c->out);
	(void)fprintf(stderr, "emperorctl: %s\n", err->text);
	/* One that we may not ask is there, or may be. */
	return r == -EACCES ? CTL_FAILED : CTL_USAGE;
}

int main(int argc, char **argv)
{
	struct ctl c = {.app = "", .out = stdout};
	struct err err = {0};
	const struct ctl_command *cmd;
	const char *dir = NULL;
	char given[16] = "";
	unsigned args;
	int r = parse_options(argc, argv, &c, &dir, given);

	(void)signal(SIGPIPE, SIG_IGN);
	if (r > 0)
		return r - 1;
	if (optind >= argc)
		return usage_error("a command is needed");
	cmd = ctl_command_find(argv[optind]);
	if (!cmd)
		return usage_error("unknown command \"%s\"", argv[optind]);
	args = (unsigned)(argc - optind - 1);
	if (args < cmd->args_min || args > cmd->args_max || (c.all && args > 0))
		return wrong_arguments(cmd);
	if (given[strspn(given, cmd->options)] != '\0')
		return usage_error("%s: no such option: emperorctl %s%s%s", cmd->name, cmd->name,
				   cmd->usage[0] ? " " : "", cmd->usage);
	if (c.no_lines && !strchr(cmd->options, '0'))
		return usage_error("%s: -n takes a number from 1 to 100000", cmd->name);
	c.command = cmd->name;
	c.run_dir = dir;
	c.args = argv + optind + 1;
	c.args_n = args;
	c.app = args > 0 ? argv[optind + 1] : "";
	c.number = args > 1 ? argv[optind + 2] : "";
	c.width = terminal_width();
	c.wall_ns = clock_wall_ns();
	r = cmd->local ? 0 : remote_find(dir, &c.remote, &err);
	if (r < 0)
		return no_emperor(cmd, &c, r, &err);
	r = cmd->run(&c);
	return fflush(stdout) == 0 ? r : CTL_FAILED;
}
