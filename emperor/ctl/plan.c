/*
 * plan - `emperorctl plan [DIR]`: what the emperor would do with the inis as they are, or with those of another
 * directory in their place. 1 if one of them would be refused: then a deploy had better not happen.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "emperor/ctl/ctl.h"
#include "emperor/ctl/table.h"
#include "shared/err.h"
#include "shared/json.h"

static const char *text(const json_t *row, const char *key)
{
	const char *s = json_string_value(json_object_get(row, key));

	return s ? s : "";
}

static bool is(const json_t *row, const char *action)
{
	return str_eq(text(row, "action"), action);
}

static void show(const struct ctl *c, const json_t *apps)
{
	struct table t = {.columns = 3};
	size_t same = 0, n = json_array_size(apps);

	table_add(&t, (const char *const[]){"APP", "ACTION", "WHY"});
	for (size_t i = 0; i < n; i++) {
		const json_t *row = json_array_get(apps, i);

		same += is(row, "nothing");
		if (!is(row, "nothing") || *text(row, "text"))
			table_add(&t, (const char *const[]){text(row, "name"), text(row, "action"),
							    text(row, "text")});
	}
	if (same == n)
		(void)fprintf(c->out, "nothing to do\n");
	if (t.rows > 1)
		(void)table_print(&t, c->out, c->width);
	if (same > 0 && same < n)
		(void)fprintf(c->out, "%zu app%s as %s\n", same, same == 1 ? " stays" : "s stay",
			      same == 1 ? "it is" : "they are");
	table_done(&t);
}

static size_t count_refused(const json_t *apps)
{
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(apps); i++)
		n += is(json_array_get(apps, i), "refused");
	return n;
}

int ctl_plan(const struct ctl *c)
{
	char dir[PATH_MAX] = "";
	json_t *answer = NULL;
	struct err err = {0};
	const json_t *apps;
	int code = CTL_OK;

	if (c->app[0] && !realpath(c->app, dir)) {
		(void)fprintf(stderr, "emperorctl: %s: %s\n", c->app, strerror(errno));
		return CTL_FAILED;
	}
	if (remote_command(&c->remote, "plan", dir, &answer, NULL, &err) < 0) {
		(void)fprintf(stderr, "emperorctl: %s\n", err.text);
		return CTL_FAILED;
	}
	apps = json_object_get(answer, "apps");
	if (c->json) {
		(void)json_dumpf(answer, c->out, JSON_INDENT(2));
		(void)fputc('\n', c->out);
	} else if (apps) {
		show(c, apps);
	} else {
		(void)fprintf(stderr, "emperorctl: %s\n", text(answer, "error"));
	}
	if (!apps || count_refused(apps) > 0)
		code = CTL_FAILED;
	json_decref(answer);
	return code;
}
