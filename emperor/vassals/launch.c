/*
 * launch - from the bytes of an ini to a candidate: parsed, checked against the other apps' claims, doors and log opened,
 * spawned. Whatever goes wrong on the way is a failure of that generation, never the emperor's.
 */
#include "emperor/vassals/machine.h"

#include <assert.h>
#include <errno.h>

#include "emperor/vassals/logfile.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/log.h"
#include "shared/scoreboard.h"

static void say_notes(struct app *a, const struct loaded *l)
{
	if (a->notes && str_eq(a->notes, l->notes))
		return; /* a retry says nothing new */
	app_put_text(&a->notes, "%s", l->notes);
	for (const char *p = l->notes; *p;) {
		size_t n = strcspn(p, "\n");

		log_warning("%s: %.*s", a->name, (int)n, p);
		p += n + (p[n] == '\n');
	}
}

/* How things are, not a warning: once. */
static void say_user(struct app *a, const struct loaded *l)
{
	if (l->default_user && !a->said_user)
		log_info("%s: names no uid: runs as the default, \"%s\"", a->name,
			 a->v->setup.rules->default_uid);
	a->said_user = l->default_user;
}

int app_parse(const struct app *a, const struct ini *ini, struct loaded **ret, struct err *err)
{
	struct load_source source = {.file = a->file, .dir = a->dir};

	if (!ini)
		return err_set(err, -EINVAL, "%s: %s", a->file,
			       a->problem ? a->problem : "no memory to read it");
	source.bytes = ini->bytes;
	source.n = ini->n;
	source.owner = ini->owner;
	source.roots = ini->roots;
	source.sources = ini == a->wanted ? a->includes : NULL;
	return load_ini(&source, a->v->setup.rules, ret, err);
}

int app_load(struct app *a, struct ini *ini, struct loaded **ret, struct err *err)
{
	struct loaded *l;
	int r = app_parse(a, ini, &l, err);

	if (r < 0)
		return r;
	say_notes(a, l);
	say_user(a, l);
	r = routes_check(a->v, a, l, err);
	if (r < 0) {
		a->conflict = true;
		loaded_unref(l);
		return r;
	}
	*ret = l;
	return 0;
}

/* The message begins with the address, whole or without what a wildcard leaves out. */
static bool is_about(const char *message, const struct address *a)
{
	char text[ADDRESS_TEXT];
	const char *at;

	address_format(a, text);
	at = strstr(message, text);
	return at && at[strlen(text)] == ':';
}

/* Which of its addresses an error is about, as the ini says it; if none of its listeners, then stats. */
static const struct address *find_address(const struct loaded *l, const char *message,
					  const char **ret_text)
{
	const struct vassal_config *c = &l->config;

	for (size_t i = 0; i < c->listeners_n; i++) {
		if (!is_about(message, &c->listeners[i].address))
			continue;
		*ret_text = c->listeners[i].text;
		return &c->listeners[i].address;
	}
	*ret_text = c->stats;
	return &l->stats;
}

/* Says where in the ini it stands that cannot be opened, and which of ours is in the way. */
static void explain(const struct app *a, const struct loaded *l, struct err *err)
{
	const char *text;
	const struct address *at = find_address(l, err->text, &text);
	char place[ERR_TEXT_MAX], who[ADDRESSES_WHO];

	if (err->code == -EADDRINUSE && text && addresses_find_holder(a, at, who))
		(void)err_set(err, err->code, "%s: cannot bind: %s has this address", text, who);
	(void)err_prefix(err, "%s",
			 load_place(l, a->file, NULL, text ? text : a->name, place, sizeof(place)));
}

int app_open_doors(struct app *a, const struct loaded *l, struct door_set *ret, struct err *err)
{
	bool clamped;
	int r;

	handover_doors(a, l);
	r = doors_open(&a->doors, l, ret, &clamped, err);

	if (r < 0)
		explain(a, l, err);
	else if (clamped)
		log_warning("%s: listen = %u is more than net.core.somaxconn allows: clamped",
			    a->name, l->config.listen);
	return r;
}

static int spawn(struct app *a, struct loaded *l, struct ini *ini, uint64_t number, struct err *err)
{
	_cleanup_(fd_closep) int log_fd = -1;
	struct door_set set;
	char place[ERR_TEXT_MAX];
	int r = app_open(a, err);

	if (r == 0)
		r = app_open_doors(a, l, &set, err);
	if (r < 0)
		return r;
	r = logfile_open(l, &log_fd, err);
	if (r < 0) {
		(void)err_prefix(err, "%s",
				 load_place(l, a->file, NULL,
					    l->config.logto ? l->config.logto : "", place,
					    sizeof(place)));
		return r;
	}
	r = app_mend_board(a, err);
	if (r < 0)
		return r;
	r = generation_spawn(a, l, ini, &set, log_fd, number, &a->candidate, err);
	if (r < 0)
		return r;
	a->candidate->next = a->generations;
	a->generations = a->candidate;
	/* Beside one that serves, the old socket stays in use: this candidate may fail. */
	if (!a->serving) {
		tell_stats_door(a);
		app_take_door(a);
	}
	return 0;
}

void app_launch(struct app *a)
{
	struct ini *ini = a->rolled ? rollback_ini(a) : a->use_good ? a->good : a->wanted;
	uint64_t number = a->numbers + 1;
	struct loaded *l = NULL;
	struct door_set set;
	struct err err = {0};
	bool asleep;
	int r;

	/* While older bytes serve for them, the file's still want that name. */
	if (!a->use_good)
		a->conflict = false;
	r = a->rolled ? rollback_load(a, &l, &err) : app_load(a, ini, &l, &err);
	if (r < 0) {
		a->numbers = number;
		app_candidate_failed(a, number, FAIL_CONFIG, err.text);
		return;
	}
	assert(l); /* load's promise */
	/* Before anything serves, the gate must know whose names these are: their clients wait. */
	if (!a->serving) {
		app_show_face(a, l);
		/* what it had may be in the way of what it wants now: "127.0.0.1:80" of ":80" */
		app_prune_doors(a);
	}
	asleep = sleep_begins_asleep(a, l);
	if (asleep) {
		r = app_open(a, &err);
		if (r == 0)
			r = app_open_doors(a, l, &set, &err);
	} else {
		a->numbers = number;
		r = machine_grant(a, l, &err);
		if (r == 0)
			r = spawn(a, l, ini, number, &err);
	}
	loaded_drop_items(l);
	loaded_unref(l);
	if (r == 0 && asleep)
		app_event(a, LIFE_ASLEEP, "it starts with its first connection");
	else if (r < 0)
		app_candidate_failed(a, number, FAIL_SPAWN, err.text);
	else
		tell_change(a, EVENT_NONE, "");
}
