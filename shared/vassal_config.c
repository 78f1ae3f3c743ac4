/*
 * vassal_config - see vassal_config.h: builds a config from items and checks what no single option can see. The rows
 * are in vassal_options.c, the values that need more than their type in vassal_sites.c, vassal_files.c and
 * vassal_values.c.
 */
#include "shared/vassal_config.h"

#include <errno.h>
#include <stdio.h>

#include "shared/err.h"
#include "shared/vassal_parse.h"

const struct config_item *vassal_config_item(const struct config_items *items, const char *name)
{
	const struct option *o = option_find(vassal_options, vassal_options_n, name);

	for (size_t i = o ? items->n : 0; i > 0; i--)
		if (option_find(vassal_options, vassal_options_n, items->v[i - 1].key) == o)
			return &items->v[i - 1];
	return NULL;
}

/* The app's own file: the emperor's defaults come before it and arguments behind, both without a line. */
static const char *file_of(const struct config_items *items)
{
	for (size_t i = 0; i < items->n; i++)
		if (items->v[i].line)
			return items->v[i].file;
	return items->n > 0 ? items->v[0].file : "configuration";
}

/* A note where key stands, or at the file if it does not. */
static void note_key(struct inifile_notes *notes, const struct config_items *items, const char *key,
		     const char *text)
{
	const struct config_item *item = vassal_config_item(items, key);

	inifile_notes_add(notes, item ? item->file : file_of(items), item ? item->line : 0,
			  "%s: %s", key, text);
}

/*
 * uWSGI takes a relative path from where it was started; the tutorials that write one start it in the directory that
 * chdir names. An emperor's own directory is nobody's idea of it.
 */
static int make_absolute(char **path, const char *dir, struct err *err)
{
	char *joined;

	if (!*path || **path == '/' || **path == '@' || !dir)
		return 0;
	if (asprintf(&joined, "%s/%s", dir, strncmp(*path, "./", 2) == 0 ? *path + 2 : *path) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	free(*path);
	*path = joined;
	return 0;
}

static int absolute_listener(struct listener_config *l, const char *dir, struct err *err)
{
	char text[ADDRESS_TEXT];
	char *path;
	int r;

	address_format(&l->address, text);
	if (l->address.sa.sa_family != AF_UNIX || text[0] == '/' || text[0] == '@')
		return 0;
	path = strdup(text);
	if (!path)
		return err_set(err, -ENOMEM, "out of memory");
	r = make_absolute(&path, dir, err);
	if (r == 0)
		r = address_parse(path, &l->address, err);
	free(path);
	return r;
}

static int absolute_task(struct task_config *t, const char *dir, struct err *err)
{
	int r = make_absolute(&t->chdir, dir, err);

	for (size_t i = 0; i < t->touch.n && r == 0; i++)
		r = make_absolute(&t->touch.v[i], dir, err);
	return r;
}

static int absolute_paths(struct vassal_config *c, struct err *err)
{
	int r = 0;

	if (!c->chdir || c->chdir[0] != '/')
		return 0;
	for (size_t i = 0; i < c->listeners_n && r == 0; i++)
		r = absolute_listener(&c->listeners[i], c->chdir, err);
	if (r == 0)
		r = vassal_files_absolute(c, make_absolute, err);
	for (size_t i = 0; i < c->tasks_n && r == 0; i++)
		r = absolute_task(&c->tasks[i], c->chdir, err);
	if (r == 0)
		r = make_absolute(&c->logto, c->chdir, err);
	if (r == 0)
		r = make_absolute(&c->pidfile, c->chdir, err);
	return r;
}

static bool has_app(const struct vassal_config *c)
{
	return c->module || c->wsgi_file || c->mounts_n > 0;
}

static void note_mounts(const struct vassal_config *c, const struct config_items *items,
			struct inifile_notes *notes)
{
	for (size_t i = 0; i < c->mounts_n; i++)
		if (c->mounts[i].path[0] == '\0')
			return;
	if (c->mounts_n > 0 && !c->module && !c->wsgi_file && !c->no_default_app)
		note_key(notes, items, "mount",
			 "neither module nor wsgi-file: what no mount claims goes to the first of "
			 "them, as in uWSGI; no-default-app = true answers 404");
}

static int check_app(const struct vassal_config *c, const struct config_items *items,
		     struct inifile_notes *notes, struct err *err)
{
	if (!has_app(c) && c->static_maps_n > 0) {
		inifile_notes_add(notes, file_of(items), 0,
				  "neither module nor wsgi-file: files alone are served, without "
				  "Python");
		return 0;
	}
	if (!has_app(c))
		return err_set(err, -EINVAL,
			       "%s: neither module nor wsgi-file: there is no app to run",
			       file_of(items));
	note_mounts(c, items, notes);
	if (c->module && c->wsgi_file)
		note_key(notes, items, "wsgi-file",
			 "stands beside module: it is used if the module cannot be imported");
	if (c->module && strchr(c->module, ':') && c->callable)
		note_key(notes, items, "callable", "ignored: module already names its object");
	return 0;
}

/*
 * The pool keeps room for replacements, a quarter of the processes and at least one, and each has a lane per thread:
 * all of them are rows of tables of fixed size.
 */
static int check_lanes(const struct vassal_config *c, const struct config_items *items,
		       struct err *err)
{
	unsigned workers = c->processes + MAX(1U, c->processes / 4);

	if (workers * c->threads > LIMIT_LANES)
		return err_set(err, -ERANGE,
			       "%s: %u processes with %u threads are too many: with replacements "
			       "they are %u threads, at most %d are possible",
			       file_of(items), c->processes, c->threads, workers * c->threads,
			       LIMIT_LANES);
	return 0;
}

static void note_pool(const struct vassal_config *c, const struct config_items *items,
		      struct inifile_notes *notes)
{
	if (c->cheaper > 0 && c->cheaper >= c->processes)
		note_key(notes, items, "cheaper",
			 "is not less than processes: all of them run all the time");
	if (c->refork > 0 && (c->threads > 1 || c->lazy_apps))
		note_key(notes, items, "refork",
			 "works with one thread and without lazy-apps alone");
	if (c->lazy_apps && c->idle_s > 0)
		note_key(notes, items, "idle",
			 "with lazy-apps the first request after a nap waits for an import");
}

/* What runs beside an app is there to run: its front stays with it (front/doze.c). */
static void note_sleep(const struct vassal_config *c, const struct config_items *items,
		       struct inifile_notes *notes)
{
	if (c->tasks_n == 0)
		return;
	if (c->sleep_after_s > 0 || c->die_on_idle)
		note_key(notes, items, c->sleep_after_s > 0 ? "sleep-after" : "die-on-idle",
			 "has no effect: an app with daemons or timed jobs does not sleep");
	if (c->on_demand)
		note_key(notes, items, "on-demand",
			 "its daemons and timed jobs run from its first request on");
}

static void settle(struct vassal_config *c)
{
	for (size_t i = 0; i < c->tasks_n; i++)
		if (c->tasks[i].harakiri_s == TASK_HARAKIRI_UNSET)
			c->tasks[i].harakiri_s = c->cron_harakiri_s;
	/* those say more, and sooner */
	if (c->harakiri_s > 0 && c->slow_request_s >= c->harakiri_s)
		c->slow_request_s = 0;
	if (c->interrupt_timeout_s > 0 && c->slow_request_s >= c->interrupt_timeout_s)
		c->slow_request_s = 0;
	if (c->die_on_idle && c->sleep_after_s == 0)
		c->sleep_after_s = c->idle_s;
}

static int check(struct vassal_config *c, const struct config_items *items,
		 struct inifile_notes *notes, struct err *err)
{
	int r = check_app(c, items, notes, err);

	if (r == 0)
		r = check_lanes(c, items, err);
	if (r == 0)
		r = absolute_paths(c, err);
	note_pool(c, items, notes);
	note_sleep(c, items, notes);
	settle(c);
	return r;
}

static struct option_unknown rule_for_unknown(const struct config_items *items)
{
	const char *strict = config_items_get(items, "strict");

	return (struct option_unknown){
		.strict = strict && option_is_true(strict), /* wherever it stands in the file */
		.known_elsewhere = uwsgi_names_has,
	};
}

static int begin(struct vassal_config *ret, struct err *err)
{
	*ret = (struct vassal_config){.protocol = LISTENER_ANY, .umask = (mode_t)-1};
	return option_defaults(vassal_options, vassal_options_n, ret, err);
}

int vassal_config_build(const struct config_items *items, struct vassal_config *ret,
			struct inifile_notes *notes, struct err *err)
{
	struct option_unknown unknown = rule_for_unknown(items);
	int r = begin(ret, err);

	if (r == 0)
		r = option_apply_items(vassal_options, vassal_options_n, ret, items, &unknown,
				       notes, err);
	return r < 0 ? r : check(ret, items, notes, err);
}

int vassal_config_take_live(struct vassal_config *c, const struct config_items *items,
			    struct err *err)
{
	struct inifile_notes notes = {0}; /* told when the items were built */
	int r = 0;

	for (size_t i = 0; i < vassal_options_n && r == 0; i++) {
		const struct option *o = &vassal_options[i];

		if (o->reload != RELOAD_LIVE || !o->def)
			continue;
		r = option_apply(o, 1, c, o->name, o->def, true, "default", &notes, err);
	}
	for (size_t i = 0; i < items->n && r == 0; i++) {
		const struct config_item *item = &items->v[i];
		const struct option *o = option_find(vassal_options, vassal_options_n, item->key);

		if (o && o->reload == RELOAD_LIVE)
			r = option_apply(o, 1, c, o->name, item->value, item->has_value, item->file,
					 &notes, err);
	}
	settle(c);
	inifile_notes_done(&notes);
	return r;
}

/* An error of the whole, where key stands if it does; it names its file, which the note does as well. */
static int keep_error(struct inifile_notes *errors, const struct config_items *items,
		      const char *key, int r, const struct err *err)
{
	const struct config_item *item = vassal_config_item(items, key);
	const char *file = file_of(items);
	const char *text = err->text;
	size_t n = strlen(file);

	if (r == 0)
		return 0;
	if (strncmp(text, file, n) == 0 && strncmp(text + n, ": ", 2) == 0)
		text += n + 2;
	inifile_notes_add(errors, item ? item->file : file, item ? item->line : 0, "%s", text);
	return r;
}

int vassal_config_check(const struct config_items *items, struct vassal_config *ret,
			struct inifile_notes *notes, struct inifile_notes *errors)
{
	struct option_unknown unknown = rule_for_unknown(items);
	struct err err = {0};
	int codes[5] = {0};
	bool tried;

	codes[0] = keep_error(errors, items, "", begin(ret, &err), &err);
	codes[1] = option_check_items(vassal_options, vassal_options_n, ret, items, &unknown, notes,
				      errors);
	/* A line that is wrong has been told of; that it is missing would be told beside it. */
	tried = codes[1] < 0 &&
		(vassal_config_item(items, "module") || vassal_config_item(items, "wsgi-file") ||
		 vassal_config_item(items, "mount"));
	if (has_app(ret) || !tried)
		codes[2] = keep_error(errors, items, "module", check_app(ret, items, notes, &err),
				      &err);
	codes[3] = keep_error(errors, items, "processes", check_lanes(ret, items, &err), &err);
	codes[4] = keep_error(errors, items, "chdir", absolute_paths(ret, &err), &err);
	note_pool(ret, items, notes);
	note_sleep(ret, items, notes);
	settle(ret);
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (codes[i] < 0)
			return codes[i];
	return 0;
}

void vassal_config_done(struct vassal_config *c)
{
	if (!c)
		return;
	option_done(vassal_options, vassal_options_n, c);
	for (size_t i = 0; i < c->listeners_n; i++)
		free(c->listeners[i].text);
	for (size_t i = 0; i < c->domains_n; i++) {
		free(c->domains[i].host);
		free(c->domains[i].path);
	}
	free(c->domains);
	vassal_files_done(c);
	routing_done(&c->routing);
	for (size_t i = 0; i < c->tasks_n; i++)
		vassal_task_done(&c->tasks[i]);
	free(c->tasks);
	for (size_t i = 0; i < c->mounts_n; i++) {
		free(c->mounts[i].path);
		free(c->mounts[i].app);
	}
	free(c->mounts);
	option_list_done(&c->pythonpath);
	option_list_done(&c->env);
	option_list_done(&c->warmup);
	free(c->python);
	free(c->health_check);
	free(c->logto);
	free(c->stats);
	*c = (struct vassal_config){0};
}
