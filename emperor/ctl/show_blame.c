/*
 * show_blame - blame records for people: newest first, what and why on top, then what the process was doing and what
 * the app had said. Its text is the app's and its clients': made harmless line by line.
 */
#include <inttypes.h>

#include "emperor/ctl/ctl.h"
#include "shared/utf8.h"

static uint64_t number(const json_t *obj, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(obj, key));

	return n > 0 ? (uint64_t)n : 0;
}

static const char *text(const json_t *obj, const char *key)
{
	const char *s = json_string_value(json_object_get(obj, key));

	return s ? s : "";
}

/* No byte of it may command a terminal. */
static void put_line(FILE *out, const char *before, const char *p, size_t n)
{
	_cleanup_(freep) char *copy = strndup(p, n);

	if (!copy)
		return;
	for (char *c = copy; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = ' ';
	utf8_clean(copy, "");
	(void)fprintf(out, "%s%s\n", before, copy);
}

static void put_lines(FILE *out, const char *heading, const char *value)
{
	if (!value[0])
		return;
	(void)fprintf(out, "    %s\n", heading);
	while (*value) {
		size_t n = strcspn(value, "\n");

		put_line(out, "        ", value, n);
		value += n + (value[n] == '\n');
	}
}

static void put_field(FILE *out, const char *name, const char *value)
{
	char before[32];

	(void)snprintf(before, sizeof(before), "    %-9s ", name);
	if (value[0])
		put_line(out, before, value, strlen(value));
}

static void put_answer(FILE *out, const json_t *r)
{
	char age[HUMAN_MAX], queue[HUMAN_MAX], line[160];
	/* one that is only slow may still end well */
	const char *none = str_eq(text(r, "kind"), "slow") ? "no answer yet; "
							   : "no answer, the client had left; ";
	const char *what = number(r, "status") ? "" : none;
	int n = 0;

	if (number(r, "status"))
		n = snprintf(line, sizeof(line), "%u ", (unsigned)number(r, "status"));
	n += snprintf(line + n, sizeof(line) - (size_t)n, "%safter %s", what,
		      human_us(age, number(r, "age_us")));
	if (number(r, "worker"))
		n += snprintf(line + n, sizeof(line) - (size_t)n, " in worker %u (pid %u)",
			      (unsigned)number(r, "worker"), (unsigned)number(r, "pid"));
	(void)snprintf(line + n, sizeof(line) - (size_t)n, ", %s in the queue",
		       human_us(queue, number(r, "queue_us")));
	put_field(out, "answered", line);
}

static void put_memory(FILE *out, const json_t *r)
{
	char rss[HUMAN_MAX], growth[HUMAN_MAX], line[128];
	json_int_t grown = json_integer_value(json_object_get(r, "rss_growth"));

	if (!number(r, "rss"))
		return;
	(void)human_bytes(rss, number(r, "rss"));
	(void)human_bytes(growth, (uint64_t)(grown < 0 ? -grown : grown));
	if (grown == 0)
		(void)snprintf(line, sizeof(line), "%s resident", rss);
	else
		(void)snprintf(line, sizeof(line), "%s resident, %s %s than before the request",
			       rss, growth, grown < 0 ? "less" : "more");
	put_field(out, "memory", line);
}

static void show_one(const struct ctl *c, const json_t *r)
{
	char time[HUMAN_MAX], line[128];

	(void)fprintf(c->out, "%s  %s  ", human_time(time, number(r, "time")), text(r, "kind"));
	put_line(c->out, "", text(r, "request"), strlen(text(r, "request")));
	put_field(c->out, "why", text(r, "reason"));
	put_answer(c->out, r);
	put_memory(c->out, r);
	if (number(r, "signal")) {
		(void)snprintf(line, sizeof(line), "%u (%s)", (unsigned)number(r, "signal"),
			       strsignal((int)number(r, "signal")));
		put_field(c->out, "signal", line);
	}
	(void)snprintf(line, sizeof(line), "%s of generation %" PRIu64, text(r, "request_id"),
		       number(r, "generation"));
	put_field(c->out, "request", line);
	put_lines(c->out, "stacks", text(r, "stacks"));
	put_lines(c->out, "log before it", text(r, "log"));
}

void show_blame(const struct ctl *c, const json_t *answer)
{
	const json_t *list = json_object_get(answer, "blames");
	size_t n = json_array_size(list);

	if (n == 0)
		(void)fputs("nothing is on record\n", c->out);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			(void)fputc('\n', c->out);
		show_one(c, json_array_get(list, i));
	}
}
