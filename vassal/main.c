/*
 * vassal - one app's front. With HANDOFF_ENV in the environment the emperor has started it and everything it needs is
 * on descriptors; without, it is alone and its arguments are the configuration:
 *
 *   vassal --http :8000 --module mysite.wsgi [--processes 4]
 *   vassal app.ini [--OPTION VALUE]...
 */
#include "vassal/vassal.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "shared/engines.h"
#include "shared/err.h"
#include "shared/handoff.h"
#include "shared/inifile.h"
#include "shared/log.h"
#include "shared/option.h"
#include "shared/proctitle.h"
#include "vassal/front/handed.h"

#define USAGE                                                                       \
	"usage: vassal [FILE.ini[:SECTION]] [--OPTION VALUE | --OPTION=VALUE]...\n" \
	"       vassal --help | --version | --dump-options=help|mdoc|ini|dict\n"    \
	"\n"                                                                        \
	"Serves one Python web app, for example:\n"                                 \
	"       vassal --http :8000 --module mysite.wsgi --processes 4\n"           \
	"\n"                                                                        \
	"Every option of an ini may be given as an argument:\n\n"

enum { EXIT_USAGE = 2 };

static unsigned count_cpus(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

/* For the app, which may live in another directory: its whole path. */
static int tell_ini(const char *path, struct err *err)
{
	_cleanup_(freep) char *cwd = path[0] == '/' ? strdup("") : getcwd(NULL, 0);
	_cleanup_(freep) char *whole = NULL;

	if (!cwd)
		return err_set(err, -errno, "the current directory: %s", strerror(errno));
	if (asprintf(&whole, "%s%s%s", cwd, cwd[0] ? "/" : "", path) < 0 ||
	    setenv(HANDOFF_INI_ENV, whole, 1) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

static int read_ini(struct vassal *v, const char *arg, struct err *err)
{
	_cleanup_(freep) char *path = strdup(arg);
	_cleanup_(freep) char *bytes = NULL;
	char *colon = path ? strrchr(path, ':') : NULL;
	struct inifile_facts facts = {
		.path = path, .environ = environ, .cpus = count_cpus(), .allow_files = true};
	size_t n;
	int r;

	if (!path)
		return err_set(err, -ENOMEM, "out of memory");
	if (colon && !strchr(colon, '/')) {
		*colon = '\0';
		facts.section = colon + 1;
	}
	r = tell_ini(path, err);
	if (r == 0)
		r = inifile_read(path, &bytes, &n, err);
	return r < 0 ? r : inifile_parse(bytes, n, &facts, &v->items, &v->notes, err);
}

static void show_notes(const struct inifile_notes *notes)
{
	for (size_t i = 0; i < notes->n; i++) {
		const struct inifile_note *note = &notes->v[i];

		if (note->line)
			log_warning("%s:%u: %s", note->file, note->line, note->text);
		else
			log_warning("%s: %s", note->file, note->text);
	}
}

/* Arguments come after the ini's lines, so that they count where only one value can. */
static int configure(struct vassal *v, int argc, char **argv, struct err *err)
{
	_cleanup_(freep) char **rest = calloc((size_t)argc, sizeof(*rest));
	struct config_items args = {0};
	int rest_n = 0;
	int r;

	if (!rest)
		return err_set(err, -ENOMEM, "out of memory");
	r = option_parse_argv(vassal_options, vassal_options_n, argc, argv, &args, rest, &rest_n,
			      err);
	if (r == 0 && rest_n > 1)
		r = err_set(err, -EINVAL, "%s: one ini is enough", rest[1]);
	if (r == 0 && rest_n == 1)
		r = read_ini(v, rest[0], err);
	if (r == 0)
		r = config_items_append(&v->items, &args, err);
	if (r == 0)
		r = vassal_config_build(&v->items, &v->config, &v->notes, err);
	config_items_done(&args);
	show_notes(&v->notes);
	return r;
}

static int run_alone(struct vassal *v, int argc, char **argv, struct err *err)
{
	int r;

	(void)unsetenv(HANDOFF_INI_ENV); /* of whoever has started us */
	r = configure(v, argc, argv, err);
	if (r < 0)
		return r;
	r = alone_open(&v->items, &v->config, &v->setup, v->name, err);
	if (r == 0) {
		v->setup.engine_dir = v->engine_dir;
		r = front_run(&v->setup, err);
	}
	alone_close(&v->config, &v->setup);
	return r;
}

static int run_handed(struct vassal *v, const char *version, struct err *err)
{
	int r;

	if (!str_eq(version, HANDOFF_VERSION))
		return err_set(err, -EPROTO, "handoff version %s, this vassal speaks %s", version,
			       HANDOFF_VERSION);
	/* the app must not take itself for an emperor's child */
	(void)unsetenv(HANDOFF_ENV);
	r = handed_read(&v->items, &v->config, &v->setup, v->name, err);
	if (r < 0)
		return r;
	log_set_subject(v->name);
	proctitle_set("vassal: %s", v->name);
	v->setup.engine_dir = v->engine_dir;
	return front_run(&v->setup, err);
}

/* --help and its kind. Returns an exit code, or -1: go on. */
static int answer_questions(int argc, char **argv)
{
	enum option_dump format;

	if (argc < 2 || str_eq(argv[1], "--help") || str_eq(argv[1], "-h")) {
		FILE *out = argc < 2 ? stderr : stdout;

		(void)fputs(USAGE, out);
		if (argc >= 2)
			option_dump(vassal_options, vassal_options_n, OPTION_DUMP_HELP, "vassal",
				    stdout);
		return argc < 2 ? EXIT_USAGE : 0;
	}
	if (str_eq(argv[1], "--version")) {
		(void)printf("vassal %s\n", EMPEROR_VERSION);
		return 0;
	}
	if (strncmp(argv[1], "--dump-options=", 15) != 0)
		return -1;
	if (!option_dump_format(argv[1] + 15, &format)) {
		(void)fprintf(stderr, "vassal: %s: help, mdoc, ini or dict\n", argv[1]);
		return EXIT_USAGE;
	}
	option_dump(vassal_options, vassal_options_n, format, "vassal", stdout);
	return 0;
}

int main(int argc, char **argv)
{
	static struct vassal v; /* large; one per process */
	const char *version = getenv(HANDOFF_ENV);
	struct err err = {0};
	int r = version ? -1 : answer_questions(argc, argv);

	if (r >= 0)
		return r;
	proctitle_init(argc, argv);
	log_set_subject("vassal");
	engine_find_dir(v.engine_dir, sizeof(v.engine_dir));
	/* workers are forked by a mold that leaves: they must come to us */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	r = version ? run_handed(&v, version, &err) : run_alone(&v, argc, argv, &err);
	if (r < 0) {
		log_error("%s", err.text);
		log_flush(1000);
		return 1;
	}
	return r;
}
