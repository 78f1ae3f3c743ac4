/*
 * includes - what an ini reads beside itself changes an app as the ini does. Every look at the directories compares these
 * files by identity; one that differs has the ini read again, and only what it says then counts: the same values are no
 * reload, limits change in place, anything else is a new generation.
 *
 * The list is that of the last time that the app's file as it is was read, failures included: a file that was missing
 * and comes is a change too. What a tenant's ini may not read is not in it.
 */
#include "emperor/vassals/internal.h"

#include <stdio.h>

#include "shared/err.h"
#include "shared/log.h"

int includes_new(struct app *a)
{
	a->includes = calloc(1, sizeof(*a->includes));
	return a->includes ? 0 : -1;
}

void includes_done(struct app *a)
{
	if (a->includes)
		inifile_sources_done(a->includes);
	free(TAKE_PTR(a->includes));
}

void includes_adopted(struct app *a)
{
	struct loaded *l = NULL;

	if (!a->wanted || !a->includes || app_parse(a, a->wanted, &l, NULL) < 0)
		l = NULL;
	loaded_unref(l);
	a->includes_newer = a->serving && a->includes &&
			    inifile_sources_newer(a->includes, a->serving->serving_wall_ns);
}

bool includes_differ(const struct app *a)
{
	return a->includes && (a->includes_newer || inifile_sources_differ(a->includes));
}

static void follow(struct app *a)
{
	const char *path = inifile_sources_changed(a->includes);
	char what[256], why[320];

	if (!path && !a->includes_newer)
		return;
	a->includes_newer = false;
	if (path)
		(void)snprintf(what, sizeof(what), "%.200s, which its ini reads,", path);
	else
		(void)snprintf(what, sizeof(what), "a file that its ini reads");
	(void)snprintf(why, sizeof(why), "%s has changed", what);
	if (limits_follow(a, what))
		return;
	rollback_forget(a);
	app_event(a, LIFE_CHANGE, why);
}

void includes_follow(struct vassals *v)
{
	for (size_t i = 0; i < v->n; i++)
		if (!v->v[i]->dead && !v->v[i]->gone && v->v[i]->wanted && v->v[i]->includes)
			follow(v->v[i]);
}
