/*
 * check_files - see check_inner.h. Files that the app is served without when they are not there: no error, for they may come
 * later, but what goes wrong then is said now. They are looked at as the app's processes would.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "emperor/ctl/check_inner.h"
#include "shared/htpasswd_review.h"

/* The line that names the path; values that were refused, and rules, name none. */
static const struct config_item *item_of(const struct check *k, const char *key, const char *path)
{
	const char *last = strrchr(path, '/');
	const char *name = last && last[1] ? last + 1 : path;
	const struct option *o = option_find(vassal_options, vassal_options_n, key);

	for (size_t i = 0; i < k->items.n; i++)
		if (option_find(vassal_options, vassal_options_n, k->items.v[i].key) == o &&
		    strstr(k->items.v[i].value, name))
			return &k->items.v[i];
	return vassal_config_item(&k->items, key);
}

static void note(struct check *k, const char *key, const char *path, const char *text)
{
	const struct config_item *item = item_of(k, key, path);

	inifile_notes_add(&k->notes, item ? item->file : k->file, item ? item->line : 0,
			  "%s: %s: %s", key, path, text);
}

/* 0, or why the app cannot open it; what is not known is no reason. */
static int try_open(const struct world *w, const char *path, int flags)
{
	int fd = check_open(w, path, flags);

	if (fd < 0)
		return fd == -ESTALE ? 0 : fd;
	(void)close(fd);
	return 0;
}

/* then: what comes of it, or NULL. */
static void must_be(const struct world *w, const char *key, const char *path, int flags,
		    const char *then)
{
	int r = try_open(w, path, flags);
	char text[INIFILE_NOTE_TEXT];

	if (r == 0)
		return;
	(void)snprintf(text, sizeof(text), "%s%s%s", strerror(-r), then ? ": " : "",
		       then ? then : "");
	note(w->k, key, path, text);
}

static void check_lists(const struct world *w)
{
	const struct vassal_config *c = &w->k->config;

	for (size_t i = 0; i < c->mimefiles.n; i++)
		must_be(w, "mimefile", c->mimefiles.v[i], O_RDONLY, "types are not known from it");
	for (size_t i = 0; i < c->pythonpath.n; i++)
		if (!strpbrk(c->pythonpath.v[i], "*?[")) /* patterns may match nothing */
			must_be(w, "pythonpath", c->pythonpath.v[i], O_PATH,
				"nothing is imported from there");
	for (size_t i = 0; i < c->touch_reload.n; i++)
		must_be(w, "touch-reload", c->touch_reload.v[i], O_PATH,
			"the app is reloaded when it is made");
	for (size_t i = 0; i < c->fs_reload.n; i++)
		must_be(w, "fs-reload", c->fs_reload.v[i], O_PATH,
			"the app is reloaded when it is made");
	for (size_t i = 0; i < c->error_pages_n; i++) {
		char key[32];

		(void)snprintf(key, sizeof(key), "error-page-%u", c->error_pages[i].status);
		must_be(w, key, c->error_pages[i].file, O_RDONLY, "the built-in text is sent");
	}
	for (size_t i = 0; i < c->static_maps_n; i++)
		must_be(w,
			c->static_maps[i].kind == STATIC_MAP    ? "static-map"
			: c->static_maps[i].kind == STATIC_MAP2 ? "static-map2"
								: "check-static",
			c->static_maps[i].target, O_PATH, NULL);
	for (size_t i = 0; i < c->sendfile_roots_n; i++)
		must_be(w, "sendfile-root", c->sendfile_roots[i].target, O_PATH,
			"what the app hands over from there is a 404");
}

/* -- routing rules -------------------------------------------------------------------------------------- */

_printf_(3, 4) static void note_rule(struct check *k, const struct routing_rule *rule,
				     const char *fmt, ...)
{
	const char *colon = strrchr(rule->where, ':');
	char file[PATH_MAX], text[INIFILE_NOTE_TEXT];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)snprintf(file, sizeof(file), "%.*s",
		       (int)(colon ? (size_t)(colon - rule->where) : strlen(rule->where)),
		       rule->where);
	inifile_notes_add(&k->notes, file, colon ? (unsigned)strtoul(colon + 1, NULL, 10) : 0, "%s",
			  text);
}

struct place {
	struct check *check;
	const struct routing_rule *rule;
};

static void on_remark(void *arg, const char *text)
{
	const struct place *p = arg;

	note_rule(p->check, p->rule, "%s", text);
}

static void check_rules(const struct world *w)
{
	const struct routing *routing = &w->k->config.routing;

	for (size_t i = 0; i < routing->n; i++) {
		const struct routing_rule *rule = &routing->v[i];
		int r;

		if (rule->file) {
			struct place place = {.check = w->k, .rule = rule};
			_cleanup_(fd_closep) int fd = check_open(w, rule->file, O_RDONLY);

			if (fd != -ESTALE)
				htpasswd_review(rule->file, fd, on_remark, &place);
		}
		r = rule->root ? try_open(w, rule->root, O_PATH) : 0;
		if (r < 0)
			note_rule(w->k, rule, "static: %s: %s", rule->root, strerror(-r));
	}
}

void check_files(const struct world *w)
{
	check_lists(w);
	check_rules(w);
}
