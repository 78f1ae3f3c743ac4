/*
 * check_names - see check_inner.h. A name belongs to one app. The other inis of the folder are read for theirs, and an
 * emperor that runs is asked; where the folder is not one of its own, what its apps have is only worth a note.
 */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>

#include "emperor/ctl/check_inner.h"
#include "shared/err.h"
#include "shared/limits.h"

struct names {
	struct check *k;
	struct inifile_notes *to; /* what would really happen, or what might */
	char dir[PATH_MAX];
};

static bool is_ini(const char *name)
{
	size_t n = strlen(name);

	return name[0] != '.' && n > 4 && str_eq(name + n - 4, ".ini");
}

static int take(const struct dirent *de)
{
	return is_ini(de->d_name);
}

static void find_dir(const char *path, char dir[PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	(void)snprintf(dir, PATH_MAX, "%.*s", slash ? (int)MAX(slash - path, (ptrdiff_t)1) : 1,
		       slash ? path : ".");
}

static bool is_emperors(const struct check *k, const char *dir)
{
	const json_t *list = json_object_get(k->where, "vassals");
	char ours[PATH_MAX], theirs[PATH_MAX];

	for (size_t i = 0; i < json_array_size(list) && realpath(dir, ours); i++) {
		const char *path = json_string_value(json_array_get(list, i));

		if (path && realpath(path, theirs) && str_eq(ours, theirs))
			return true;
	}
	return false;
}

/* Where the items name this host; NULL: nowhere in words. */
static const struct config_item *item_of(const struct config_items *items, const char *host)
{
	for (size_t i = items->n; i-- > 0;)
		if (str_eq(items->v[i].key, *host ? "domain" : "default") &&
		    strcasestr(items->v[i].value, host))
			return &items->v[i];
	return NULL;
}

static void say(const struct names *n, const char *host, const char *path, const char *who)
{
	const struct check *k = n->k;
	const struct config_item *item = item_of(&k->items, host);

	inifile_notes_add(n->to, item ? item->file : k->file, item ? item->line : 0,
			  "%s%s: %s: one of the two will be refused",
			  *host ? host : "the default site", path, who);
}

static bool has_name(const struct vassal_config *c, const char *host, const char *path)
{
	for (size_t i = 0; i < c->domains_n; i++)
		if (str_eq(c->domains[i].host, host) && str_eq(c->domains[i].path, path))
			return true;
	return c->default_site && !*host && !*path;
}

static void compare_file(const struct names *n, const struct check_other *other)
{
	const struct vassal_config *c = &n->k->config;
	char who[NAME_MAX + 64];

	for (size_t i = 0; i <= c->domains_n; i++) {
		const char *host = i < c->domains_n ? c->domains[i].host : "";
		const char *path = i < c->domains_n ? c->domains[i].path : "";
		const struct config_item *item;

		if ((i == c->domains_n && !c->default_site) ||
		    !has_name(&other->config, host, path))
			continue;
		item = item_of(&other->items, host);
		if (item)
			(void)snprintf(who, sizeof(who), "%s:%u has it too", item->file,
				       item->line);
		else
			(void)snprintf(who, sizeof(who), "%s has it too", other->file);
		say(n, host, path, who);
	}
}

/* -- the other inis of the folder, read once for all that are looked at ------------------------------------ */

static void forget_one(struct check_other *o)
{
	vassal_config_done(&o->config);
	config_items_done(&o->items);
	free(o->file);
}

void check_others_done(struct check_others *others)
{
	for (size_t i = 0; i < others->n; i++)
		forget_one(&others->v[i]);
	free(others->v);
	*others = (struct check_others){0};
}

/* What is wrong with another ini is not ours to tell: what of it can be read counts. False: nothing can. */
static bool read_other(const char *dir, const char *file, struct check_other *ret)
{
	struct check_other o = {.file = strdup(file)};
	struct inifile_notes notes = {0}, errors = {0};
	_cleanup_(freep) char *bytes = NULL;
	char path[PATH_MAX + NAME_MAX + 2];
	const struct inifile_facts facts = {.path = path,
					    .vassals_dir = dir,
					    .environ = environ,
					    .cpus = 1,
					    .allow_files = true,
					    .errors = &errors};
	size_t size = 0;
	bool good;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, file);
	good = o.file && inifile_read(path, &bytes, &size, NULL) == 0 &&
	       inifile_parse(bytes, size, &facts, &o.items, &notes, NULL) == 0;
	if (good)
		(void)vassal_config_check(&o.items, &o.config, &notes, &errors);
	inifile_notes_done(&notes);
	inifile_notes_done(&errors);
	if (good)
		*ret = o;
	else
		forget_one(&o);
	return good;
}

static void read_others(struct check_others *others, const char *dir)
{
	struct dirent **found = NULL;
	int count;

	if (str_eq(others->dir, dir))
		return;
	check_others_done(others);
	count = scandir(dir, &found, take, alphasort);
	others->v = count > 0 ? calloc((size_t)MIN(count, LIMIT_APPS), sizeof(*others->v)) : NULL;
	for (int i = 0; i < count; i++) {
		if (i < LIMIT_APPS && others->v &&
		    read_other(dir, found[i]->d_name, &others->v[others->n]))
			others->n++;
		free(found[i]);
	}
	free(found);
	(void)snprintf(others->dir, sizeof(others->dir), "%s", dir);
}

/* "a.test, *.b.test/x, (default)" */
static bool lists_name(const char *list, const char *host, const char *path)
{
	char name[512];
	size_t n = (size_t)snprintf(name, sizeof(name), "%s%s", *host ? host : "(default)", path);

	while (*list) {
		size_t k = strcspn(list, ",");

		if (k == n && strncmp(list, name, n) == 0)
			return true;
		list += k;
		list += strspn(list, ", ");
	}
	return false;
}

static bool is_beside(const struct names *n, const char *app)
{
	char path[PATH_MAX + NAME_MAX + 8];

	(void)snprintf(path, sizeof(path), "%s/%s.ini", n->dir, app);
	return access(path, F_OK) == 0;
}

static void compare_app(const struct names *n, const json_t *app, const char *own)
{
	const struct vassal_config *c = &n->k->config;
	const char *name = check_text(app, "name");
	char who[LIMIT_NAME + 64];

	/* The file beside this one says what will be, and the app itself is no other. */
	if (str_eq(name, own) || is_beside(n, name))
		return;
	(void)snprintf(who, sizeof(who), "the app \"%s\" of the emperor that runs has it", name);
	for (size_t i = 0; i < c->domains_n; i++)
		if (lists_name(check_text(app, "domains"), c->domains[i].host, c->domains[i].path))
			say(n, c->domains[i].host, c->domains[i].path, who);
	if (c->default_site && lists_name(check_text(app, "domains"), "", ""))
		say(n, "", "", who);
}

void check_names(struct check *k)
{
	struct names n = {.k = k};
	char own[CHECK_NAME];
	bool emperors;

	if (!is_ini(k->file) || (k->config.domains_n == 0 && !k->config.default_site))
		return;
	find_dir(k->path, n.dir);
	emperors = is_emperors(k, n.dir);
	n.to = emperors || !k->where ? &k->errors : &k->notes;
	read_others(k->others, n.dir);
	for (size_t i = 0; i < k->others->n; i++)
		if (!str_eq(k->others->v[i].file, k->file))
			compare_file(&n, &k->others->v[i]);
	n.to = emperors ? &k->errors : &k->notes;
	check_name(k, own);
	for (size_t i = 0; i < json_array_size(k->apps); i++)
		compare_app(&n, json_array_get(k->apps, i), own);
}
