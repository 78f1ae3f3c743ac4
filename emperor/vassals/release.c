/*
 * release - see release.h.
 */
#include "emperor/vassals/release.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/config_items.h"
#include "shared/err.h"
#include "shared/vassal_config.h"

/* The first that is given says best which release it is. */
static const char *const code_paths[] = {"chdir", "wsgi-file", "pythonpath", "home"};

/* Its place in code_paths; -1: is none of them. */
static int code_path_of(const char *key)
{
	const struct option *o = option_find(vassal_options, vassal_options_n, key);

	for (size_t i = 0; o && i < ARRAY_SIZE(code_paths); i++)
		if (str_eq(o->name, code_paths[i]))
			return (int)i;
	return -1;
}

static size_t length_less_slashes(const char *path)
{
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	return n;
}

int release_pin(struct config_items *items, struct err *err)
{
	for (size_t i = 0; i < items->n; i++) {
		struct config_item *item = &items->v[i];
		char *real;

		if (item->value[0] != '/' || code_path_of(item->key) < 0)
			continue;
		real = realpath(item->value, NULL);
		if (!real && errno == ENOMEM)
			return err_set(err, -ENOMEM, "out of memory");
		/* whatever is wrong with it, the app's own process says so */
		if (!real)
			continue;
		if (strlen(real) == length_less_slashes(item->value) &&
		    strncmp(real, item->value, strlen(real)) == 0) {
			free(real);
			continue;
		}
		free(item->value);
		item->value = real;
	}
	return 0;
}

void release_path(struct span config, char buf[PATH_MAX])
{
	struct config_items items = {0};
	const struct config_item *found = NULL;
	int best = (int)ARRAY_SIZE(code_paths);
	char *slash;

	buf[0] = '\0';
	if (config.n == 0 || config_items_decode(config.p, config.n, &items, NULL) < 0)
		return;
	for (size_t i = 0; i < items.n; i++) {
		int at = items.v[i].value[0] == '/' ? code_path_of(items.v[i].key) : -1;

		/* Of pythonpaths the first is looked into first; of all else the last counts. */
		if (at < 0 ||
		    (found && (at > best || (at == best && str_eq(code_paths[at], "pythonpath")))))
			continue;
		best = at;
		found = &items.v[i];
	}
	if (found)
		(void)snprintf(buf, PATH_MAX, "%s", found->value);
	slash = found && str_eq(code_paths[best], "wsgi-file") ? strrchr(buf, '/') : NULL;
	if (slash)
		slash[slash == buf ? 1 : 0] = '\0';
	config_items_done(&items);
}
