/*
 * check_emperor - see check_inner.h. What an ini means depends on who takes it: the emperor's defaults for all apps, what
 * its apps hold already. An emperor that runs is asked; another's emperor.ini can be named.
 */
#include <errno.h>

#include "emperor/app_state.h"
#include "emperor/ctl/check_inner.h"
#include "emperor/ctl/remote.h"
#include "emperor/options.h"
#include "shared/err.h"

void check_ask(struct check *k)
{
	struct remote remote = {0};
	struct err err = {0};
	json_t *answer = NULL;

	if (remote_find(k->run_dir, &remote, &err) < 0)
		return;
	if (remote_command(&remote, "where", "", &k->where, NULL, &err) < 0)
		return;
	if (remote_command(&remote, "status", "", &answer, NULL, &err) == 0)
		k->apps = json_incref(json_object_get(answer, "apps"));
	json_decref(answer);
}

void check_forget(struct check *k)
{
	json_decref(k->where);
	json_decref(k->apps);
}

const char *check_text(const json_t *obj, const char *key)
{
	const char *s = json_string_value(json_object_get(obj, key));

	return s ? s : "";
}

static int defaults_of_file(const struct check *k, struct emperor_options *o, struct err *err)
{
	_cleanup_(freep) char *bytes = NULL;
	struct config_items items = {0};
	struct inifile_notes notes = {0};
	size_t n = 0;
	int r = inifile_read(k->config_path, &bytes, &n, err);

	if (r == 0)
		r = emperor_options_parse(k->config_path, bytes, n, environ, &items, &notes, err);
	if (r == 0)
		r = emperor_options_build(&items, o, &notes, err);
	config_items_done(&items);
	inifile_notes_done(&notes);
	return r;
}

static int defaults_of_answer(const json_t *list, struct emperor_options *o, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < json_array_size(list) && r == 0; i++) {
		const json_t *row = json_array_get(list, i);
		const json_t *value = json_object_get(row, "value");
		json_int_t line = json_integer_value(json_object_get(row, "line"));

		r = config_items_add(&o->vassal_defaults, check_text(row, "key"),
				     json_is_string(value) ? json_string_value(value) : "",
				     check_text(row, "file"), line > 0 ? (unsigned)line : 0,
				     json_is_string(value), err);
	}
	return r;
}

int check_defaults(const struct check *k, struct config_items *items, struct err *err)
{
	struct emperor_options o = {0};
	int r = k->config_path ? defaults_of_file(k, &o, err)
			       : defaults_of_answer(json_object_get(k->where, "defaults"), &o, err);

	if (r == 0)
		r = emperor_options_defaults(&o, items, err);
	emperor_options_done(&o);
	return r;
}

static bool is_shared_port(const struct check *k, const struct address *a, char who[CHECK_WHO])
{
	const json_t *list = json_object_get(k->where, "ports");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));
		struct address port;

		if (!text || address_parse(text, &port, NULL) < 0 || !address_overlaps(&port, a))
			continue;
		(void)snprintf(who, CHECK_WHO, ADDRESSES_SHARED, text);
		return true;
	}
	return false;
}

bool check_holder(const struct check *k, const struct address *a, char who[CHECK_WHO])
{
	char own[CHECK_NAME];
	bool has = false;

	check_name(k, own);
	*who = '\0';
	for (size_t i = 0; i < json_array_size(k->apps); i++) {
		const json_t *app = json_array_get(k->apps, i);
		const json_t *list = json_object_get(app, "listens");
		bool itself = str_eq(check_text(app, "name"), own);

		for (size_t n = 0; n < json_array_size(list); n++) {
			const char *text = json_string_value(json_array_get(list, n));
			struct address other;

			if (!text || address_parse(text, &other, NULL) < 0 ||
			    !address_overlaps(&other, a))
				continue;
			has |= itself && address_equal(&other, a);
			if (itself)
				(void)snprintf(who, CHECK_WHO, ADDRESSES_OWN, text);
			else
				(void)snprintf(who, CHECK_WHO, "the app \"%s\"",
					       check_text(app, "name"));
			if (!itself)
				return true;
		}
	}
	/* what it has already it keeps */
	if (has)
		*who = '\0';
	return has || *who || is_shared_port(k, a, who);
}

void check_name(const struct check *k, char name[CHECK_NAME])
{
	size_t n = strlen(k->file);

	if (n > 4 && str_eq(k->file + n - 4, ".ini"))
		n -= 4;
	(void)snprintf(name, CHECK_NAME, "%.*s", (int)MIN(n, (size_t)CHECK_NAME - 1), k->file);
}
