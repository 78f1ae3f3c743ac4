/*
 * check_show - see check.h. What the emperor would take from the ini after includes, variables and placeholders; the
 * defaults stand as comments, so that what is printed is an ini with the same meaning.
 */
#include "emperor/ctl/check.h"

static bool does_something(const struct option *o)
{
	return o->type != OPTION_SILENT && o->type != OPTION_IGNORED && o->type != OPTION_REFUSED;
}

static bool is_many(const struct option *o)
{
	return o->type == OPTION_LIST || (o->flags & OPTION_MANY);
}

static const char *value_of(const struct config_item *item)
{
	return item->has_value ? item->value : "true";
}

bool check_shows(const struct check *k)
{
	const struct config_item *item = vassal_config_item(&k->items, "show-config");

	return item && option_is_true(value_of(item));
}

static void each_value(const struct check *k, const struct option *o, check_option_fn *fn,
		       void *arg)
{
	for (size_t i = 0; i < k->items.n; i++) {
		const struct config_item *item = &k->items.v[i];

		if (option_find(vassal_options, vassal_options_n, item->key) == o)
			fn(arg, o->name, value_of(item), false);
	}
}

void check_each_option(const struct check *k, check_option_fn *fn, void *arg)
{
	for (size_t i = 0; i < vassal_options_n; i++) {
		const struct option *o = &vassal_options[i];
		const struct config_item *last = vassal_config_item(&k->items, o->name);

		if (!does_something(o))
			continue;
		if (last && is_many(o))
			each_value(k, o, fn, arg);
		else if (last)
			fn(arg, o->name, value_of(last), false);
		else if (o->def)
			fn(arg, o->name, o->def, true);
	}
}

static void print_option(void *arg, const char *name, const char *value, bool by_default)
{
	(void)fprintf(arg, "%s%s = %s\n", by_default ? "; " : "", name, value);
}

void check_print_options(const struct check *k, FILE *out)
{
	(void)fputs("[vassal]\n", out);
	check_each_option(k, print_option, out);
}
