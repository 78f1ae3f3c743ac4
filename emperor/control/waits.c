/*
 * waits - reload, start and stop: their answer is their outcome, for one app or for all.
 *
 * The outcome comes from the observer, which may run inside the very call that gives the command: a client only notes it
 * there and never goes away before the loop calls again.
 */
#include "emperor/control/client.h"

#include <stdio.h>

#include "shared/err.h"
#include "shared/scoreboard.h"

static enum outcome judge(enum command_verb verb, const struct wait *w, const struct app_info *info,
			  bool gone, unsigned event_kind)
{
	if (verb == COMMAND_SCALE && event_kind == EVENT_LIMITS)
		return DONE;
	if (verb == COMMAND_SCALE)
		return gone || event_kind == EVENT_REFUSED || info->generation != w->generation
			       ? FAILED
			       : PENDING;
	if (verb == COMMAND_STOP)
		return gone || info->state == APP_STOPPED ? DONE : PENDING;
	if (gone || event_kind == EVENT_FAILED || info->state == APP_BACKOFF ||
	    info->state == APP_STOPPED)
		return FAILED;
	/* What a reload finds asleep stays so, its ini checked. */
	if (info->state == APP_SLEEPING)
		return DONE;
	/* Whoever was told "done" gets the new code: so not before the old one has let go of the doors. */
	return info->state == APP_RUNNING && info->generation > w->generation && !info->overlaps
		       ? DONE
		       : PENDING;
}

static const char *why_failed(const struct app_info *info, bool gone, unsigned event_kind,
			      const char *event_text)
{
	if (gone)
		return "the app is gone";
	if (event_kind == EVENT_REFUSED)
		return event_text;
	if (info->last_error && info->last_error[0])
		return info->last_error;
	if (event_text && event_text[0])
		return event_text;
	return info->reason && info->reason[0] ? info->reason : "no reason is known";
}

void waits_reply(struct client *c)
{
	json_t *root, *apps = json_array();
	bool ok = true;

	for (size_t i = 0; i < c->waits_n; i++) {
		json_t *app = client_make_reply(c->waits[i].outcome == DONE);

		ok = ok && c->waits[i].outcome == DONE;
		if (app) {
			json_put_text(app, "name", c->waits[i].name);
			if (c->waits[i].outcome == FAILED)
				json_put_text(app, "error",
					      c->waits[i].text ? c->waits[i].text : "failed");
			if (c->waits[i].outcome == PENDING)
				json_put_text(app, "error", "no outcome yet; still trying");
		}
		(void)json_array_append_new(apps, app);
	}
	root = client_make_reply(ok);
	if (root)
		json_put(root, "apps", apps);
	else
		json_decref(apps);
	client_reply(c, root);
}

static void finish_if_known(struct client *c)
{
	if (c->out || c->calling)
		return;
	for (size_t i = 0; i < c->waits_n; i++)
		if (c->waits[i].outcome == PENDING)
			return;
	waits_reply(c);
}

void waits_on_change(void *arg, const struct app_info *info, bool gone, unsigned event_kind,
		     const char *event_text)
{
	struct control *control = arg;
	struct client *c;

	TAILQ_FOREACH(c, &control->clients, link) {
		bool changed = false;

		for (size_t i = 0; i < c->waits_n && !c->out; i++) {
			struct wait *w = &c->waits[i];

			if (w->id != info->id || w->outcome != PENDING)
				continue;
			w->outcome = judge(c->verb, w, info, gone, event_kind);
			changed = w->outcome != PENDING;
			if (w->outcome == FAILED)
				w->text = strdup(why_failed(info, gone, event_kind, event_text));
		}
		if (changed)
			finish_if_known(c);
	}
}

static void add_wait(void *arg, const struct app_info *info)
{
	struct client *c = arg;
	struct wait *w;

	if (c->waits_n == LIMIT_APPS)
		return;
	if (info->state == APP_STOPPED && c->verb == COMMAND_RELOAD)
		return; /* stopped by command: a reload of all leaves it so */
	w = reallocarray(c->waits, c->waits_n + 1, sizeof(*w));
	if (!w)
		return;
	c->waits = w;
	w += c->waits_n++;
	*w = (struct wait){.id = info->id};
	/* Of one that does not run, whatever runs next will do: it may be starting already. */
	if (c->verb != COMMAND_START)
		w->generation = MAX(info->generation, info->newest);
	(void)snprintf(w->name, sizeof(w->name), "%s", info->name);
}

static int give_command(struct control *control, const struct command *cmd, struct err *err)
{
	const char *name = cmd->all ? NULL : cmd->app;

	switch (cmd->verb) {
	case COMMAND_RELOAD:
		return vassals_reload(control->vassals, name, err);
	case COMMAND_START:
		return vassals_start(control->vassals, name, err);
	case COMMAND_ROLLBACK:
		return vassals_rollback(control->vassals, name, err);
	case COMMAND_SCALE:
		return vassals_scale(control->vassals, name, cmd->number, err);
	default:
		return vassals_stop(control->vassals, name, err);
	}
}

/* An app that is already as wished will not change again: "start" of one that runs, "stop" of one that stands. */
static void judge_now(struct client *c)
{
	for (size_t i = 0; i < c->waits_n; i++) {
		struct app_info info;
		struct wait *w = &c->waits[i];

		if (w->outcome != PENDING)
			continue;
		if (!vassals_find(c->control->vassals, w->name, &info))
			w->outcome = c->verb == COMMAND_STOP ? DONE : FAILED;
		else if (c->verb == COMMAND_START && info.state == APP_RUNNING)
			w->outcome = DONE;
		else if (c->verb == COMMAND_STOP && info.state == APP_STOPPED)
			w->outcome = DONE;
	}
}

void waits_run(struct client *c, const struct command *cmd)
{
	struct vassals *vassals = c->control->vassals;
	struct app_info info;
	struct err err = {0};
	int r;

	c->verb = cmd->verb;
	if (!cmd->no_wait && cmd->all)
		vassals_visit(vassals, add_wait, c);
	else if (!cmd->no_wait && vassals_find(vassals, cmd->app, &info))
		add_wait(c, &info);
	c->calling = true; /* the observer may already hear of it */
	r = give_command(c->control, cmd, &err);
	c->calling = false;
	if (r < 0) {
		client_reply_error(c, err.text[0] ? err.text : strerror(-r));
		return;
	}
	judge_now(c);
	client_rearm(c, CONTROL_WAIT_S);
	client_watch(c, EV_READ); /* the client may leave */
	finish_if_known(c);
}
