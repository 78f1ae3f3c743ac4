/*
 * release - see release.h.
 */
#include "emperor/vassals/release.h"

#include <errno.h>
#include <stdlib.h>

#include "shared/config_items.h"
#include "shared/err.h"
#include "shared/vassal_config.h"

static bool is_code_path(const char *key)
{
	static const char *const names[] = {"chdir", "pythonpath", "wsgi-file", "home"};
	const struct option *o = option_find(vassal_options, vassal_options_n, key);

	for (size_t i = 0; o && i < ARRAY_SIZE(names); i++)
		if (str_eq(o->name, names[i]))
			return true;
	return false;
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

		if (item->value[0] != '/' || !is_code_path(item->key))
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
