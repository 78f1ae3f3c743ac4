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

static void compare_file(const struct names *n, const struct config_items *items,
			 const struct vassal_config *other, const char *file)
{
	const struct vassal_config *c = &n->k->config;
	char who[NAME_MAX + 64];

	for (size_t i = 0; i <= c->domains_n; i++) {
		const char *host = i < c->domains_n ? c->domains[i].host : "";
		const char *path = i < c->domains_n ? c->domains[i].path : "";
		const struct config_item *item;

		if ((i == c->domains_n && !c->default_site) || !has_name(other, host, path))
			continue;
		item = item_of(items, host);
		if (item)
			(void)snprintf(who, sizeof(who), "%s:%u has it too", item->file,
				       item->line);
		else
			(void)snprintf(who, sizeof(who), "%s has it too", file);
		say(n, host, path, who);
	}
}

/* What is wrong with another ini is not ours to tell: what of it can be read counts. */
static void compare_with(const struct names *n, const char *file)
{
	struct config_items items = {0};
	struct vassal_config config = {0};
	struct inifile_notes notes = {0}, errors = {0};
	_cleanup_(freep) char *bytes = NULL;
	char path[PATH_MAX + NAME_MAX + 2];
	const struct inifile_facts facts = {.path = path,
					    .vassals_dir = n->dir,
					    .environ = environ,
					    .cpus = 1,
					    .allow_files = true,
					    .errors = &errors};
	size_t size = 0;

	(void)snprintf(path, sizeof(path), "%s/%s", n->dir, file);
	if (inifile_read(path, &bytes, &size, NULL) < 0)
		return;
	if (inifile_parse(bytes, size, &facts, &items, &notes, NULL) == 0) {
		(void)vassal_config_check(&items, &config, &notes, &errors);
		compare_file(n, &items, &config, file);
	}
	vassal_config_done(&config);
	config_items_done(&items);
	inifile_notes_done(&notes);
	inifile_notes_done(&errors);
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
	struct dirent **found = NULL;
	char own[CHECK_NAME];
	bool emperors;
	int count;

	if (!is_ini(k->file) || (k->config.domains_n == 0 && !k->config.default_site))
		return;
	find_dir(k->path, n.dir);
	emperors = is_emperors(k, n.dir);
	n.to = emperors || !k->where ? &k->errors : &k->notes;
	count = scandir(n.dir, &found, take, alphasort);
	for (int i = 0; i < count; i++) {
		if (i < LIMIT_APPS && !str_eq(found[i]->d_name, k->file))
			compare_with(&n, found[i]->d_name);
		free(found[i]);
	}
	free(found);
	n.to = emperors ? &k->errors : &k->notes;
	check_name(k, own);
	for (size_t i = 0; i < json_array_size(k->apps); i++)
		compare_app(&n, json_array_get(k->apps, i), own);
}
