/*
 * check_python - see check_inner.h. Which engine would run the app, by the same search as its front's; and whether its
 * virtualenv holds, for the app's user, what that engine looks for.
 */
#include <fcntl.h>
#include <stdio.h>

#include "emperor/ctl/check_inner.h"
#include "shared/engines.h"
#include "shared/err.h"

static bool runs_python(const struct vassal_config *c)
{
	return c->module || c->wsgi_file || c->mounts_n > 0;
}

static void check_home(const struct world *w, const struct engine *e)
{
	const char *home = w->k->config.home;
	char lib[64], what[96];

	if (!check_reaches(w, home, "/bin/python3"))
		(void)check_must_open(w, "home", home, "/bin/python", O_PATH,
				      "its bin/python, or the Python that it points to: ");
	(void)snprintf(lib, sizeof(lib), "/lib/python%u.%u", e->version.major, e->version.minor);
	(void)snprintf(what, sizeof(what), "its lib/python%u.%u: ", e->version.major,
		       e->version.minor);
	(void)check_must_open(w, "home", home, lib, O_PATH, what);
}

/* "python27" and "python3" of uWSGI name a plugin of that version; here they are words, python = does it. */
static bool is_other(struct span name, const struct engine_version *runs)
{
	const struct span prefix = SPAN("python");
	const char *slash = memrchr(name.p, '/', name.n);
	unsigned minor = 0;

	if (slash) /* /usr/lib/uwsgi/python39_plugin.so */
		name = span_skip(name, (size_t)(slash + 1 - name.p));
	if (!span_starts(name, prefix))
		return false;
	name = span_skip(name, prefix.n);
	if (name.n == 0 || name.p[0] < '0' || name.p[0] > '9')
		return false;
	if ((unsigned)(name.p[0] - '0') != runs->major)
		return true;
	name = span_skip(name, name.n > 1 && name.p[1] == '.' ? 2 : 1);
	if (name.n == 0 || name.p[0] < '0' || name.p[0] > '9')
		return false;
	for (size_t i = 0; i < MIN(name.n, (size_t)3) && name.p[i] >= '0' && name.p[i] <= '9'; i++)
		minor = minor * 10 + (unsigned)(name.p[i] - '0');
	return minor != runs->minor;
}

static void check_plugins(struct check *k, const struct engine_version *runs)
{
	static const char separators[] = ", \t";

	for (size_t i = 0; i < k->items.n; i++) {
		const struct config_item *item = &k->items.v[i];
		const struct option *o = option_find(vassal_options, vassal_options_n, item->key);

		if (!o || !str_eq(o->name, "plugin"))
			continue;
		for (const char *p = item->value + strspn(item->value, separators); *p;) {
			size_t n = strcspn(p, separators);

			if (is_other(span_of(p, n), runs))
				inifile_notes_add(&k->notes, item->file, item->line,
						  "%s: %.*s: the app runs on Python %u.%u; python "
						  "= or a virtualenv chooses another, a plugin "
						  "does not",
						  item->key, (int)n, p, runs->major, runs->minor);
			p += n;
			p += strspn(p, separators);
		}
	}
}

/* 0, or -errno after it has been told at the line of key. */
static int find(struct check *k, const char *dir, const char *home, const char *key,
		struct engine *ret)
{
	struct err err = {0};
	int r = engine_find(dir, k->config.python, home, ret, &err);

	if (r < 0)
		check_say(k, &k->errors, key, "%s", err.text);
	return r;
}

void check_python(const struct world *w, bool home_is_good)
{
	struct check *k = w->k;
	struct engine e;
	struct err err = {0};
	char dir[PATH_MAX], home[PATH_MAX];

	if (!runs_python(&k->config))
		return;
	if (k->engines)
		(void)snprintf(dir, sizeof(dir), "%s", k->engines);
	else
		engine_find_dir(dir, sizeof(dir));
	if (engine_find(dir, NULL, NULL, &e, &err) < 0) {
		inifile_notes_add(&k->notes, k->file, 0, "which Python would run it: %s", err.text);
		return;
	}
	if (find(k, dir, NULL, "python", &e) < 0)
		return;
	if (k->config.home) {
		if (!home_is_good || !check_resolve(w, k->config.home, "", home) ||
		    find(k, dir, home, "home", &e) < 0)
			return;
		check_home(w, &e);
	}
	check_plugins(k, &e.version);
}
