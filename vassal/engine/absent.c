/*
 * absent - see absent.h. The words are CPython's, the same from 3.9 on: an exception's attributes say less before 3.12.
 */
#include "vassal/engine/absent.h"

#include <stdio.h>

#include "shared/base.h"

/* By how a name begins; the first that fits. */
static const struct {
	const char *begins, *instead;
} names[] = {
	{"cache", "caches of uWSGI do not exist here; Redis, memcached or a database holds what "
		  "workers share"},
	{"timer", "timed jobs stand in the ini here: cron = or cron2 ="},
	{"rbtimer", "timed jobs stand in the ini here: cron = or cron2 ="},
	{"cron", "timed jobs stand in the ini here: cron = or cron2 ="},
	{"add_timer", "timed jobs stand in the ini here: cron = or cron2 ="},
	{"add_rb_timer", "timed jobs stand in the ini here: cron = or cron2 ="},
	{"add_cron", "timed jobs stand in the ini here: cron = or cron2 ="},
	{"spool", "work beside requests is a program of its own here: attach-daemon ="},
	{"send_to_spooler", "work beside requests is a program of its own here: attach-daemon ="},
	{"set_spooler", "work beside requests is a program of its own here: attach-daemon ="},
	{"mule", "work beside requests is a program of its own here: attach-daemon ="},
	{"farm", "work beside requests is a program of its own here: attach-daemon ="},
	{"filemon", "the ini names what a reload follows here: touch-reload = or fs-reload ="},
	{"add_file_monitor",
	 "the ini names what a reload follows here: touch-reload = or fs-reload ="},
	{"", "there is no such name here, and nothing in its place"},
};

static bool take(struct span *s, const char *word)
{
	struct span w = span_str(word);

	if (!span_starts(*s, w))
		return false;
	*s = span_skip(*s, w.n);
	return true;
}

/* Up to the next quotation mark, which is skipped too. */
static struct span take_quoted(struct span *s)
{
	const char *end = memchr(s->p, '\'', s->n);
	struct span name = span_of(s->p, end ? (size_t)(end - s->p) : 0);

	*s = span_skip(*s, end ? name.n + 1 : 0);
	return name;
}

static bool is_ours(struct span module)
{
	return span_eq(module, SPAN("uwsgi")) || span_eq(module, SPAN("uwsgidecorators"));
}

static bool find(struct span s, struct span *ret_module, struct span *ret_name)
{
	if (take(&s, "ImportError: cannot import name '")) {
		*ret_name = take_quoted(&s);
		if (!take(&s, " from '"))
			return false;
		*ret_module = take_quoted(&s);
	} else if (take(&s, "AttributeError: module '")) {
		*ret_module = take_quoted(&s);
		if (!take(&s, " has no attribute '"))
			return false;
		*ret_name = take_quoted(&s);
	} else {
		return false;
	}
	return ret_name->n > 0 && is_ours(*ret_module);
}

void absent_explain(struct span reason, char buf[ABSENT_MAX])
{
	struct span module, name;

	buf[0] = '\0';
	if (!find(reason, &module, &name))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!span_starts(name, span_str(names[i].begins)))
			continue;
		(void)snprintf(buf, ABSENT_MAX,
			       "%.*s.%.*s is not offered: %s (vassal.ini(5), The uwsgi module)",
			       (int)module.n, module.p, (int)MIN(name.n, (size_t)64), name.p,
			       names[i].instead);
		return;
	}
}
