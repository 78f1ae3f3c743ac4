/*
 * check_all - `emperorctl check INI|DIR...`: one ini after the other, those of a directory by name. Needs no emperor; one
 * that runs is asked, once, for its defaults and what its apps hold.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

#include "emperor/ctl/check.h"
#include "emperor/ctl/ctl.h"
#include "shared/err.h"
#include "shared/json.h"
#include "shared/limits.h"

struct run {
	const struct ctl *c;
	struct check asked;
	json_t *list;      /* with --json, and more than one to be looked at */
	bool many, failed; /* failed: something could not be looked at */
	size_t n, bad;
};

static void print_json(const struct run *run, const json_t *json)
{
	_cleanup_(freep) char *text = json_dump_text(json, true, NULL);

	(void)fputs(text ? text : "", run->c->out);
}

static void check_file(struct run *run, const char *path)
{
	json_t *json = NULL;
	bool good = check_one(&run->asked, path, run->c->json ? &json : NULL, run->c->out);

	run->n++;
	run->bad += !good;
	if (run->list) {
		json_put_text(json, "path", path);
		json_push(run->list, json);
		return;
	}
	if (json)
		print_json(run, json);
	json_decref(json);
}

static int take_ini(const struct dirent *de)
{
	size_t n = strlen(de->d_name);

	return de->d_name[0] != '.' && n > 4 && str_eq(de->d_name + n - 4, ".ini");
}

/* What cannot be looked at has not been found good. */
static void fail(struct run *run, const char *path, const char *why)
{
	(void)fflush(run->c->out);
	(void)fprintf(stderr, "emperorctl: %s: %s\n", path, why);
	run->failed = true;
}

static void check_folder(struct run *run, const char *dir)
{
	struct dirent **found = NULL;
	int n = scandir(dir, &found, take_ini, alphasort);
	char path[PATH_MAX + NAME_MAX + 2];

	if (n < 0)
		fail(run, dir, strerror(errno));
	else if (n == 0)
		fail(run, dir, "there is no ini in it");
	else if (n > LIMIT_APPS)
		fail(run, dir, "there are more inis in it than an emperor takes");
	for (int i = 0; i < n; i++) {
		(void)snprintf(path, sizeof(path), "%.*s/%s", PATH_MAX - 1, dir, found[i]->d_name);
		if (n <= LIMIT_APPS)
			check_file(run, path);
		free(found[i]);
	}
	free(found);
}

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int ctl_check(const struct ctl *c)
{
	struct check_others others = {0};
	struct run run = {.c = c,
			  .asked = {.run_dir = c->run_dir,
				    .config_path = c->config,
				    .engines = c->engines,
				    .others = &others},
			  .many = c->args_n > 1};

	for (size_t i = 0; i < c->args_n; i++)
		run.many |= is_folder(c->args[i]);
	if (c->json && run.many)
		run.list = json_array();
	check_ask(&run.asked);
	for (size_t i = 0; i < c->args_n; i++)
		if (is_folder(c->args[i]))
			check_folder(&run, c->args[i]);
		else
			check_file(&run, c->args[i]);
	if (run.list)
		print_json(&run, run.list);
	else if (run.n > 1)
		(void)fprintf(c->out, "%zu inis, %zu with errors\n", run.n, run.bad);
	json_decref(run.list);
	check_forget(&run.asked);
	check_others_done(&others);
	return run.bad > 0 || run.failed ? CTL_FAILED : CTL_OK;
}
