/*
 * show_blame - blame records for people: newest first, what and why on top, then what the process was doing and what
 * the app had said. Its text is the app's and its clients': made harmless line by line. Short unless all is asked for, and
 * what two records have of one log is shown at the older one.
 */
#include <inttypes.h>

#include "emperor/ctl/ctl.h"
#include "emperor/ctl/plain.h"

/* A record fits on a screen with its neighbour. */
#define STACK_LINES 8
#define LOG_LINES   5

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

static void put_line(FILE *out, const char *before, const char *p, size_t n)
{
	(void)fputs(before, out);
	plain_put(out, p, n);
	(void)fputc('\n', out);
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n' || text[1] == '\0';
	return n;
}

/* Where the last most lines of text begin. */
static const char *last_lines(const char *text, size_t most)
{
	size_t skip = count_lines(text);

	for (skip -= MIN(skip, most); skip > 0; skip--)
		text = strchr(text, '\n') + 1;
	return text;
}

static void put_lines(FILE *out, const char *value, size_t most)
{
	for (; *value && most > 0; most--) {
		size_t n = strcspn(value, "\n");

		put_line(out, "        ", value, n);
		value += n + (value[n] == '\n');
	}
}

static bool begins_thread(const char *line)
{
	return strncmp(line, "Thread 0x", 9) == 0 || strncmp(line, "Current thread ", 15) == 0 ||
	       strncmp(line, "Stack (", 7) == 0;
}

static const char *next_line(const char *text)
{
	text += strcspn(text, "\n");
	return text + (*text == '\n');
}

/* The lines of the first thread, which the front has put there for being the request's; the frames that it hangs in come first. */
static size_t short_stack(const char *stack)
{
	bool begun = begins_thread(stack); /* else it says first why it crashed */
	size_t n = 0;

	for (const char *line = stack; *line && *line != '\n' && n < STACK_LINES; n++) {
		line = next_line(line);
		if (begins_thread(line) && begun)
			return n + 1;
		begun |= begins_thread(line);
	}
	return n;
}

static void put_stacks(const struct ctl *c, const char *stacks)
{
	size_t all = count_lines(stacks);
	size_t most = c->full ? all : short_stack(stacks);

	if (all == 0)
		return;
	(void)fputs("    stacks\n", c->out);
	put_lines(c->out, stacks, most);
	if (most < all)
		(void)fprintf(c->out, "        (%zu more line%s with --full)\n", all - most,
			      PLURAL(all - most));
}

/*
 * Bytes that log begins with and older, the tail that an earlier record has, ends with: those are shown there. Tails are
 * cut by bytes, so that a first line may be a part of one.
 */
static size_t shown_below(const char *log, const char *older)
{
	size_t n = strlen(log), older_n = strlen(older);

	for (size_t k = MIN(n, older_n); k > 0; k--)
		if (memcmp(log, older + older_n - k, k) == 0)
			return k;
	return 0;
}

static void put_log(const struct ctl *c, const char *log, const char *older)
{
	const char *fresh = log + shown_below(log, older);
	const char *from = c->full ? fresh : last_lines(fresh, LOG_LINES);

	if (!*log)
		return;
	if (!*fresh) {
		(void)fputs("    log       nothing since the record below\n", c->out);
		return;
	}
	(void)fprintf(c->out, "    log before it%s\n",
		      fresh > log ? ", since the record below" : "");
	if (from > fresh)
		(void)fprintf(c->out, "        (%zu more line%s with --full)\n",
			      count_lines(fresh) - count_lines(from),
			      PLURAL(count_lines(fresh) - count_lines(from)));
	put_lines(c->out, from, SIZE_MAX);
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
	bool lives = str_eq(text(r, "kind"), "slow");
	const char *none = lives ? "no answer yet; " : "no answer, the client had left; ";
	const char *what = number(r, "status") ? "" : none;
	int n = 0;

	if (number(r, "status"))
		n = snprintf(line, sizeof(line), "%u %s", (unsigned)number(r, "status"),
			     lives ? "begun, no end yet; " : "");
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

/* older: the record below, or NULL. */
static void show_one(const struct ctl *c, const json_t *r, const json_t *older)
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
	put_stacks(c, text(r, "stacks"));
	put_log(c, text(r, "log"), text(older, "log"));
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
		show_one(c, json_array_get(list, i), json_array_get(list, i + 1));
	}
}
