/*
 * config_diff - see config_diff.h.
 */
#include "shared/config_diff.h"

#include <errno.h>
#include <stdio.h>

#include "shared/err.h"
#include "shared/vassal_config.h"

#define LINES \
	"order of lines" /* the same lines, and some of them mean what those before them say */

static bool is_many(const struct option *o)
{
	return o->type == OPTION_LIST || (o->flags & OPTION_MANY);
}

static bool is_compared(const struct option *o)
{
	return o->reload != RELOAD_NONE;
}

static const char *value_of(const struct config_item *item)
{
	return item->has_value ? item->value : "true";
}

/* Of each item its row in the table; -1: none that is compared. */
static int *rows_of(const struct config_items *items)
{
	int *rows = calloc(items->n + 1, sizeof(*rows));

	for (size_t i = 0; rows && i < items->n; i++) {
		const struct option *o =
			option_find(vassal_options, vassal_options_n, items->v[i].key);

		rows[i] = o && is_compared(o) ? (int)(o - vassal_options) : -1;
	}
	return rows;
}

static char *text_of(const struct config_items *items, const int *rows, int row)
{
	const struct option *o = &vassal_options[row];
	const char *last = o->def ? o->def : "";
	const char *comma = "";
	char *text = NULL;
	size_t n;
	FILE *f;

	for (size_t i = 0; i < items->n; i++)
		if (rows[i] == row)
			last = value_of(&items->v[i]);
	if (!is_many(o))
		return strdup(last);
	f = open_memstream(&text, &n);
	if (!f)
		return NULL;
	for (size_t i = 0; i < items->n; i++) {
		if (rows[i] != row)
			continue;
		(void)fprintf(f, "%s%s", comma, value_of(&items->v[i]));
		comma = ", ";
	}
	if (!*comma)
		(void)fputs(o->def ? o->def : "", f);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

static int add(struct config_diff *d, const char *name, bool live, char *was, char *now)
{
	struct config_change *v = reallocarray(d->v, d->n + 1, sizeof(*v));

	if (!v || !was || !now) {
		d->v = v ? v : d->v;
		free(was);
		free(now);
		return -ENOMEM;
	}
	d->v = v;
	v[d->n++] = (struct config_change){name, was, now, live};
	d->live = d->live && live;
	return 0;
}

static int compare_row(struct config_diff *d, const struct config_items *was, const int *was_rows,
		       const struct config_items *now, const int *now_rows, int row)
{
	const struct option *o = &vassal_options[row];
	char *a = text_of(was, was_rows, row);
	char *b = text_of(now, now_rows, row);

	if (!a || !b || !str_eq(a, b))
		return add(d, o->name, o->reload == RELOAD_LIVE, a, b);
	free(a);
	free(b);
	return 0;
}

/* The next item that may be repeated: "protocol" holds for the "socket" lines after it. */
static size_t next_of_many(const struct config_items *items, const int *rows, size_t i)
{
	while (i < items->n && (rows[i] < 0 || !is_many(&vassal_options[rows[i]])))
		i++;
	return i;
}

static bool same_order(const struct config_items *was, const int *was_rows,
		       const struct config_items *now, const int *now_rows)
{
	size_t a = next_of_many(was, was_rows, 0);
	size_t b = next_of_many(now, now_rows, 0);

	while (a < was->n && b < now->n && was_rows[a] == now_rows[b]) {
		a = next_of_many(was, was_rows, a + 1);
		b = next_of_many(now, now_rows, b + 1);
	}
	return a == was->n && b == now->n;
}

static int compare(const struct config_items *was, const int *was_rows,
		   const struct config_items *now, const int *now_rows, struct config_diff *d)
{
	int r = was_rows && now_rows ? 0 : -ENOMEM;

	for (int row = 0; r == 0 && row < (int)vassal_options_n; row++)
		if (is_compared(&vassal_options[row]))
			r = compare_row(d, was, was_rows, now, now_rows, row);
	if (r == 0 && d->live && !same_order(was, was_rows, now, now_rows))
		r = add(d, LINES, false, strdup("as it was"), strdup("another"));
	return r;
}

int config_diff(const struct config_items *was, const struct config_items *now,
		struct config_diff *ret, struct err *err)
{
	_cleanup_(freep) int *was_rows = rows_of(was);
	_cleanup_(freep) int *now_rows = rows_of(now);
	struct config_diff d = {.live = true};
	int r = compare(was, was_rows, now, now_rows, &d);

	if (r < 0) {
		config_diff_done(&d);
		return err_set(err, r, "out of memory");
	}
	*ret = d;
	return 0;
}

const char *config_diff_text(const struct config_diff *d, char *buf, size_t size)
{
	size_t at = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < d->n && at < size - 1; i++) {
		const struct config_change *c = &d->v[i];
		int n = snprintf(buf + at, size - at, "%s%s: %s -> %s", i > 0 ? ", " : "", c->name,
				 *c->was ? c->was : "(none)", *c->now ? c->now : "(none)");

		at += n > 0 ? (size_t)n : 0;
	}
	return buf;
}

void config_diff_done(struct config_diff *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->v[i].was);
		free(d->v[i].now);
	}
	free(d->v);
	*d = (struct config_diff){0};
}
