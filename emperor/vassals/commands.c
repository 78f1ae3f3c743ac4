/*
 * commands - what people and other parts ask of the table: who is there, how is it, reload, stop, start, reopen logs.
 */
#include "emperor/vassals/machine.h"

#include <errno.h>

#include "emperor/vassals/release.h"
#include "shared/err.h"
#include "shared/log.h"

static struct app *find(const struct vassals *v, const char *name)
{
	for (size_t i = 0; i < v->n; i++)
		if (str_eq(v->v[i]->name, name))
			return v->v[i];
	return NULL;
}

void vassals_visit_roles(const struct vassals *v,
			 void (*fn)(void *arg, const struct role_info *info), void *arg)
{
	for (unsigned i = 0; v->setup.roles && i < ROLE_ID_COUNT; i++) {
		struct role_info info;

		roles_fill_info(v->setup.roles, (enum role_id)i, &info);
		fn(arg, &info);
	}
}

void vassals_visit(struct vassals *v, vassals_visit_fn *fn, void *arg)
{
	for (size_t i = 0; i < v->n; i++) {
		struct app_info info;

		if (v->v[i]->dead)
			continue;
		app_fill_info(v->v[i], &info);
		fn(arg, &info);
	}
}

bool vassals_find(struct vassals *v, const char *name, struct app_info *ret_info)
{
	const struct app *a = find(v, name);

	if (!a || a->dead)
		return false;
	app_fill_info(a, ret_info);
	return true;
}

char *vassals_notes(struct vassals *v, const char *name)
{
	const struct app *a = find(v, name);
	const struct generation *g = a ? app_shown(a) : NULL;
	char *text = NULL;

	app_put_text(&text, "%s%s", a && a->notes ? a->notes : "", g && g->notes ? g->notes : "");
	return text;
}

void vassals_inis(struct vassals *v, const char *name, struct app_inis *ret)
{
	const struct app *a = find(v, name);
	const struct ini *previous = a ? rollback_previous(a) : NULL;

	*ret = (struct app_inis){0};
	if (a && a->serving && a->serving->ini)
		ret->serving = span_of(a->serving->ini->bytes, a->serving->ini->n);
	if (previous)
		ret->previous = span_of(previous->bytes, previous->n);
}

void vassals_release(struct vassals *v, const char *name, struct app_release *ret)
{
	const struct app *a = find(v, name);
	const struct generation *g = a ? a->serving : NULL;

	*ret = (struct app_release){0};
	if (g) {
		release_path(span_of(g->config, g->config ? g->config_n : 0), ret->path);
		ret->since_wall_ns = g->serving_wall_ns;
	}
	if (a)
		rollback_held(a, ret);
}

static struct app *find_or_say(const struct vassals *v, const char *name, struct err *err)
{
	struct app *a = find(v, name);

	if (!a || a->dead)
		(void)err_set(err, -ENOENT, "%s: no such app", name);
	return a && !a->dead ? a : NULL;
}

static bool is_stopping(const struct app *a)
{
	return a->state == APP_STOPPED || a->state == APP_STOPPING;
}

int vassals_reload(struct vassals *v, const char *name, struct err *err)
{
	struct app *a;

	if (!name) {
		for (size_t i = 0; i < v->n; i++)
			if (!is_stopping(v->v[i]))
				want_reload(v->v[i], "reload of all was asked for");
		return 0;
	}
	a = find_or_say(v, name, err);
	if (!a)
		return -ENOENT;
	if (is_stopping(a))
		return err_set(err, -EALREADY, "%s: is %s; start it instead", name,
			       app_state_name(a->state));
	want_reload(a, "reload was asked for");
	return 0;
}

int vassals_stop(struct vassals *v, const char *name, struct err *err)
{
	struct app *a = find_or_say(v, name, err);

	if (!a)
		return -ENOENT;
	if (is_stopping(a))
		return err_set(err, -EALREADY, "%s: is %s already", name, app_state_name(a->state));
	app_event(a, LIFE_STOP, "stopped by command");
	return 0;
}

int vassals_start(struct vassals *v, const char *name, struct err *err)
{
	struct app *a = find_or_say(v, name, err);

	if (!a)
		return -ENOENT;
	if (a->gone)
		return err_set(err, -ENOENT, "%s: its ini is gone", name);
	if (a->state == APP_RUNNING || a->state == APP_REPLACING)
		return err_set(err, -EALREADY, "%s: is %s already", name, app_state_name(a->state));
	a->awake = true;
	if (a->state == APP_STARTING)
		return 0; /* by its file, a moment ago: whoever asked waits for that */
	a->begun = false;
	rollback_forget(a);
	app_event(a, LIFE_START, "started by command");
	return 0;
}

int vassals_rollback(struct vassals *v, const char *name, struct err *err)
{
	struct app *a = find_or_say(v, name, err);

	return a ? rollback_by_command(a, err) : -ENOENT;
}

int vassals_scale(struct vassals *v, const char *name, unsigned processes, struct err *err)
{
	struct app *a = find_or_say(v, name, err);
	unsigned room;

	if (!a)
		return -ENOENT;
	room = machine_room(a, processes);
	if (room < processes)
		return err_set(err, -EDQUOT, "%s: max-workers leaves it %u process%s", name, room,
			       room == 1 ? "" : "es");
	return limits_scale(a, processes, "by command", err);
}

int vassals_unfuse(struct vassals *v, const char *name, struct err *err)
{
	const struct app *a = find_or_say(v, name, err);

	if (!a)
		return -ENOENT;
	if (!a->serving)
		return err_set(err, -EAGAIN, "%s: is %s: nothing is fused", name,
			       app_state_name(a->state));
	return generation_unfuse(a->serving, err);
}

static int reopen(const struct app *a, struct err *err)
{
	int first = 0;

	for (const struct generation *g = a->generations; g; g = g->next) {
		int r = generation_reopen(g, first < 0 ? NULL : err);

		if (r < 0 && first == 0)
			first = r;
	}
	return first;
}

int vassals_reopen_logs(struct vassals *v, const char *name, struct err *err)
{
	const struct app *a;

	if (name) {
		a = find_or_say(v, name, err);
		return a ? reopen(a, err) : -ENOENT;
	}
	for (size_t i = 0; i < v->n; i++) {
		struct err one = {0};

		if (reopen(v->v[i], &one) < 0)
			log_error("%s: %s", v->v[i]->name, one.text);
	}
	return 0;
}

int vassals_observe(struct vassals *v, vassals_observer_fn *fn, void *arg)
{
	if (v->observers_n == VASSALS_OBSERVERS)
		return -ENOSPC;
	v->observers[v->observers_n].fn = fn;
	v->observers[v->observers_n++].arg = arg;
	return 0;
}
