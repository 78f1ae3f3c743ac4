/*
 * registry - see registry.h. At most LIMIT_APPS entries, so plain scans do.
 */
#include "emperor/stats/registry.h"

#include <errno.h>
#include <stdio.h>

#include "shared/err.h"

void app_set_text(char **text, const char *to)
{
	free(*text);
	*text = to[0] ? strdup(to) : NULL;
}

static void app_free(struct app *a)
{
	board_unmap(a->board);
	free(a->reason);
	free(a->last_error);
	free(a);
}

static void remove_at(struct registry *r, size_t i)
{
	app_free(r->apps[i]);
	r->apps_n--;
	memmove(r->apps + i, r->apps + i + 1, (r->apps_n - i) * sizeof(struct app *));
}

struct app *registry_find(const struct registry *r, uint32_t id)
{
	for (size_t i = 0; i < r->apps_n; i++)
		if (r->apps[i]->id == id)
			return r->apps[i];
	return NULL;
}

struct app *registry_find_name(const struct registry *r, const char *name)
{
	for (size_t i = 0; i < r->apps_n; i++)
		if (str_eq(r->apps[i]->name, name))
			return r->apps[i];
	return NULL;
}

void registry_remove(struct registry *r, uint32_t id)
{
	for (size_t i = 0; i < r->apps_n; i++) {
		if (r->apps[i]->id != id)
			continue;
		remove_at(r, i);
		return;
	}
}

static int make_room(struct registry *r, struct err *err)
{
	size_t room = r->room ? r->room * 2 : 16;
	struct app **apps;

	if (r->apps_n < r->room)
		return 0;
	if (r->apps_n >= LIMIT_APPS)
		return err_set(err, -ENOSPC, "more than %d apps", LIMIT_APPS);
	apps = reallocarray(r->apps, room, sizeof(struct app *));
	if (!apps)
		return err_set(err, -ENOMEM, "out of memory");
	r->apps = apps;
	r->room = room;
	return 0;
}

static void insert(struct registry *r, struct app *a)
{
	size_t i = r->apps_n;

	while (i > 0 && strcmp(r->apps[i - 1]->name, a->name) > 0) {
		r->apps[i] = r->apps[i - 1];
		i--;
	}
	r->apps[i] = a;
	r->apps_n++;
}

int registry_add(struct registry *r, uint32_t id, const char *name, int board_fd,
		 struct app **ret_app, struct err *err)
{
	const struct scoreboard *board = NULL;
	struct app *a = registry_find(r, id);
	const struct app *other;
	int res;

	if (!name[0] || strlen(name) >= LIMIT_NAME)
		return err_set(err, -EINVAL, "an app's name has 1 to %d bytes", LIMIT_NAME - 1);
	if (a && !str_eq(a->name, name))
		return err_set(err, -EINVAL, "app %u is called %s, not %s", id, a->name, name);
	res = board_map_readonly(board_fd, &board, err);
	if (res < 0)
		return res;
	if (a) {
		board_unmap(a->board);
		a->board = board;
		*ret_app = a;
		return 0;
	}
	other = registry_find_name(r, name);
	if (other)
		registry_remove(r, other->id);
	res = make_room(r, err);
	a = res == 0 ? calloc(1, sizeof(*a)) : NULL;
	if (!a) {
		board_unmap(board);
		return res < 0 ? res : err_set(err, -ENOMEM, "out of memory");
	}
	a->id = id;
	(void)snprintf(a->name, sizeof(a->name), "%s", name);
	a->board = board;
	insert(r, a);
	*ret_app = a;
	return 0;
}

void registry_done(struct registry *r)
{
	while (r->apps_n > 0)
		remove_at(r, r->apps_n - 1);
	free(r->apps);
	*r = (struct registry){0};
}
