/*
 * show - see ctl.h. Fields that an older or newer emperor does not send are shown as nothing.
 */
#include "emperor/ctl/ctl.h"
#include "emperor/ctl/plain.h"
#include "emperor/ctl/table.h"
#include "shared/clock.h"

#include <limits.h>

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

static uint64_t age(const struct ctl *c, uint64_t since_s)
{
	uint64_t now = c->wall_ns / NS_PER_S;

	return since_s > 0 && now > since_s ? now - since_s : 0;
}

/* The reason in one line: what people look for is its last line, where Python says the exception. */
static const char *last_line(const char *s)
{
	size_t n = strlen(s);

	while (n > 0 && s[n - 1] == '\n')
		n--;
	while (n > 0 && s[n - 1] != '\n')
		n--;
	return s + n;
}

static void make_reason(const struct ctl *c, const json_t *app, char *buf, size_t size)
{
	uint64_t next = number(app, "next_try");
	const char *reason = last_line(text(app, "reason"));
	char wait[HUMAN_MAX];

	if (!reason[0])
		reason = last_line(text(app, "last_error"));
	/* Fewer workers than it may have is no failure, but looks like one. */
	if (!reason[0])
		reason = text(app, "pool");
	if (next > 0)
		(void)snprintf(buf, size, "next try in %s%s%.*s",
			       human_age(wait, next - MIN(next, c->wall_ns / NS_PER_S)),
			       reason[0] ? ": " : "", (int)strcspn(reason, "\n"), reason);
	else
		(void)snprintf(buf, size, "%.*s", (int)strcspn(reason, "\n"), reason);
}

/* Those that live, of those that its ini or a command lets it have. An emperor that does not say so: as many. */
static void say_workers(const json_t *app, char *buf, size_t size)
{
	uint64_t allowed = number(app, "workers");
	uint64_t alive = json_object_get(app, "alive") ? number(app, "alive") : allowed;

	(void)snprintf(buf, size, "%u/%u", (unsigned)alive, (unsigned)allowed);
}

static void add_status_row(const struct ctl *c, struct table *t, const json_t *app)
{
	char generation[HUMAN_MAX], pid[HUMAN_MAX], since[HUMAN_MAX], workers[HUMAN_MAX],
		busy[HUMAN_MAX], memory[HUMAN_MAX], requests[HUMAN_MAX], queue[HUMAN_MAX],
		reason[512];
	bool lives = number(app, "pid") > 0;

	say_workers(app, workers, sizeof(workers));
	make_reason(c, app, reason, sizeof(reason));
	table_add(t, (const char *const[]){
			     text(app, "name"), text(app, "state"),
			     human_count(generation, number(app, "generation")),
			     lives ? human_count(pid, number(app, "pid")) : "-",
			     human_age(since, age(c, number(app, "since"))), lives ? workers : "-",
			     lives ? human_count(busy, number(app, "busy")) : "-",
			     lives ? human_bytes(memory, number(app, "memory")) : "-",
			     human_count(requests, number(app, "requests")),
			     lives ? human_count(queue, number(app, "queue")) : "-", reason});
}

static void print_field(FILE *out, const char *name, const char *value)
{
	const char *before = name;

	/* Later lines of a text stand under the first. */
	while (*value) {
		size_t n = strcspn(value, "\n");

		(void)fprintf(out, "%12s  ", before);
		plain_put(out, value, n);
		(void)fputc('\n', out);
		value += n + (value[n] == '\n');
		before = "";
	}
}

/* "daemon celery  running, pid 12, started 3 times, last: exit 1" */
static void show_task(const struct ctl *c, const json_t *task)
{
	char a[HUMAN_MAX], b[HUMAN_MAX], line[256], state[64] = "", end[64] = "", next[64] = "";

	if (number(task, "pid") > 0)
		(void)snprintf(state, sizeof(state), ", pid %u for %s",
			       (unsigned)number(task, "pid"),
			       human_age(a, age(c, number(task, "since"))));
	if (text(task, "last_exit")[0])
		(void)snprintf(end, sizeof(end), ", last: %s", text(task, "last_exit"));
	if (number(task, "next") > 0)
		(void)snprintf(next, sizeof(next), ", next: %s",
			       human_time(a, number(task, "next")));
	(void)snprintf(line, sizeof(line), "%s: %s%s, %s start%s, %s failed%s%s",
		       text(task, "name"), text(task, "state"), state,
		       human_count(a, number(task, "starts")), PLURAL(number(task, "starts")),
		       human_count(b, number(task, "failures")), end, next);
	print_field(c->out, text(task, "kind"), line);
}

static void show_memory(const struct ctl *c, const json_t *app)
{
	char all[HUMAN_MAX], front[HUMAN_MAX], mold[HUMAN_MAX], workers[HUMAN_MAX],
		line[5 * HUMAN_MAX];

	if (number(app, "memory") == 0)
		return;
	(void)human_bytes(all, number(app, "memory"));
	if (!json_object_get(app, "front_memory")) {
		print_field(c->out, "memory", all);
		return;
	}
	(void)snprintf(line, sizeof(line), "%s: front %s, mold %s, workers %s", all,
		       human_bytes(front, number(app, "front_memory")),
		       human_bytes(mold, number(app, "mold_memory")),
		       human_bytes(workers, number(app, "workers_memory")));
	print_field(c->out, "memory", line);
}

/* Which code runs, and which is not started although its ini asks for it. */
static void show_release(const struct ctl *c, const json_t *app)
{
	char at[HUMAN_MAX], line[2 * PATH_MAX], from[PATH_MAX + 64] = "an unknown version";
	uint64_t generation = number(app, "held_generation");
	/* the same code: what is held is what an edit has made of its ini */
	bool same = str_eq(text(app, "held_release"), text(app, "release"));

	if (text(app, "release")[0]) {
		(void)snprintf(line, sizeof(line), "%s since %s", text(app, "release"),
			       human_time(at, number(app, "release_since")));
		print_field(c->out, "release", line);
	}
	if (!json_is_true(json_object_get(app, "held")))
		return;
	if (generation > 0)
		(void)snprintf(from, sizeof(from), "%s (generation %u)",
			       same || !text(app, "held_release")[0] ? "its ini as it was then"
								     : text(app, "held_release"),
			       (unsigned)generation);
	(void)snprintf(line, sizeof(line),
		       "rolled back from %s: not started again until its ini changes or a reload "
		       "is asked for",
		       from);
	print_field(c->out, "held", line);
}

static void show_app(const struct ctl *c, const json_t *app)
{
	char a[HUMAN_MAX], b[HUMAN_MAX], line[128];

	print_field(c->out, "app", text(app, "name"));
	(void)snprintf(line, sizeof(line), "%s since %s (%s)", text(app, "state"),
		       human_time(a, number(app, "since")),
		       human_age(b, age(c, number(app, "since"))));
	print_field(c->out, "state", line);
	print_field(c->out, "reason", text(app, "reason"));
	if (number(app, "next_try") > 0)
		print_field(c->out, "next try", human_time(a, number(app, "next_try")));
	print_field(c->out, "file", text(app, "file"));
	print_field(c->out, "domains", text(app, "domains"));
	print_field(c->out, "addresses", text(app, "addresses"));
	(void)snprintf(line, sizeof(line), "%u, pid %u, uid %u",
		       (unsigned)number(app, "generation"), (unsigned)number(app, "pid"),
		       (unsigned)number(app, "uid"));
	print_field(c->out, "generation", line);
	show_release(c, app);
	say_workers(app, a, sizeof(a));
	(void)snprintf(line, sizeof(line), "%s, %u busy, %u waiting", a,
		       (unsigned)number(app, "busy"), (unsigned)number(app, "queue"));
	print_field(c->out, "workers", line);
	show_memory(c, app);
	print_field(c->out, "pool", text(app, "pool"));
	if (number(app, "scaled") > 0) {
		(void)snprintf(line, sizeof(line),
			       "to %u process%s by command, until the next reload or another "
			       "number in its ini",
			       (unsigned)number(app, "scaled"),
			       number(app, "scaled") == 1 ? "" : "es");
		print_field(c->out, "scaled", line);
	}
	(void)snprintf(line, sizeof(line), "%s, %s exception%s, %s answer%s 5xx",
		       human_count(a, number(app, "requests")),
		       human_count(b, number(app, "exceptions")), PLURAL(number(app, "exceptions")),
		       human_count((char[HUMAN_MAX]){0}, number(app, "errors_5xx")),
		       PLURAL(number(app, "errors_5xx")));
	print_field(c->out, "requests", line);
	print_field(c->out, "restarts", human_count(a, number(app, "restarts")));
	for (size_t i = 0; i < json_array_size(json_object_get(app, "tasks")); i++)
		show_task(c, json_array_get(json_object_get(app, "tasks"), i));
	print_field(c->out, "last error", text(app, "last_error"));
	print_field(c->out, "notes", text(app, "notes"));
}

/* Only of those that have died: else there is nothing to say. */
static void show_roles(const struct ctl *c, const json_t *roles)
{
	for (size_t i = 0; i < json_array_size(roles); i++) {
		const json_t *role = json_array_get(roles, i);
		char n[HUMAN_MAX], since[HUMAN_MAX], line[256];

		if (number(role, "deaths") == 0)
			continue;
		(void)snprintf(line, sizeof(line),
			       "%s has died %s time%s, the last time %s ago: %s",
			       text(role, "name"), human_count(n, number(role, "deaths")),
			       PLURAL(number(role, "deaths")),
			       human_age(since, age(c, number(role, "last_death"))),
			       text(role, "last_death_how"));
		plain_put(c->out, line, strlen(line));
		(void)fputc('\n', c->out);
	}
}

void show_status(const struct ctl *c, const json_t *answer)
{
	const json_t *apps = json_object_get(answer, "apps");
	struct table t = {.columns = 11,
			  .right = 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 |
				   1 << 9};

	if (c->app[0]) {
		show_app(c, json_array_get(apps, 0));
		return;
	}
	table_add(&t, (const char *const[]){"NAME", "STATE", "GEN", "PID", "FOR", "WORKERS", "BUSY",
					    "MEMORY", "REQUESTS", "QUEUE", "REASON"});
	for (size_t i = 0; i < json_array_size(apps); i++)
		add_status_row(c, &t, json_array_get(apps, i));
	(void)table_print(&t, c->out, c->width);
	table_done(&t);
	show_roles(c, json_object_get(answer, "roles"));
}

/* A time that no request of the window has given is no 0us. */
static const char *measured_us(char buf[HUMAN_MAX], const json_t *app, const char *key)
{
	if (number(app, "window_requests") == 0 || !json_object_get(app, key))
		return "-";
	return human_us(buf, number(app, key));
}

static void add_stats_row(struct table *t, const json_t *app)
{
	char requests[HUMAN_MAX], rate[HUMAN_MAX] = "-", p50[HUMAN_MAX], p95[HUMAN_MAX],
				  p99[HUMAN_MAX], queue[HUMAN_MAX], errors[HUMAN_MAX],
				  exceptions[HUMAN_MAX], memory[HUMAN_MAX];
	uint64_t window = number(app, "window_s"), held = number(app, "memory");
	uint64_t tenths = window > 0 ? number(app, "window_requests") * 10 / window : 0;

	if (window > 0)
		(void)snprintf(rate, sizeof(rate), "%llu.%u", (unsigned long long)(tenths / 10),
			       (unsigned)(tenths % 10));
	table_add(t,
		  (const char *const[]){
			  text(app, "name"), human_count(requests, number(app, "requests")), rate,
			  measured_us(p50, app, "p50_us"), measured_us(p95, app, "p95_us"),
			  measured_us(p99, app, "p99_us"), measured_us(queue, app, "queue_p95_us"),
			  human_count(errors, number(app, "status_5xx")),
			  human_count(exceptions, number(app, "exceptions")),
			  held > 0 ? human_bytes(memory, held) : "-"});
}

void show_stats(const struct ctl *c, const json_t *answer)
{
	const json_t *apps = json_object_get(answer, "vassals");
	struct table t = {.columns = 10, .right = 0x3fe};

	table_add(&t, (const char *const[]){"NAME", "REQUESTS", "REQ/S", "P50", "P95", "P99",
					    "QUEUE-P95", "5XX", "EXCEPTIONS", "MEMORY"});
	if (c->app[0])
		add_stats_row(&t, answer);
	for (size_t i = 0; i < json_array_size(apps); i++)
		add_stats_row(&t, json_array_get(apps, i));
	(void)table_print(&t, c->out, c->width);
	table_done(&t);
}

/* Of a text with lines, the later ones: a traceback stands under what failed where one app's events are looked at. */
static void add_lines(struct table *t, const char *lines)
{
	while (*lines) {
		size_t n = strcspn(lines, "\n");
		char line[512];

		(void)snprintf(line, sizeof(line), "  %.*s", (int)n, lines);
		table_add(t, (const char *const[]){"", "", "", "", line});
		lines += n + (lines[n] == '\n');
	}
}

static void add_event(const struct ctl *c, struct table *t, const json_t *e)
{
	char time[HUMAN_MAX], generation[HUMAN_MAX], last[512];
	const char *whole = text(e, "text"), *line = last_line(whole);

	(void)snprintf(last, sizeof(last), "%.*s", (int)strcspn(line, "\n"), line);
	table_add(t, (const char *const[]){human_time(time, number(e, "time")), text(e, "app"),
					   human_count(generation, number(e, "generation")),
					   text(e, "kind"), last});
	if (c->app[0] && line != whole)
		add_lines(t, whole);
}

void show_events(const struct ctl *c, const json_t *answer)
{
	const json_t *events = json_object_get(answer, "events");
	struct table t = {.columns = 5, .right = 1 << 2};

	table_add(&t, (const char *const[]){"TIME", "APP", "GEN", "EVENT", "TEXT"});
	for (size_t i = 0; i < json_array_size(events); i++)
		add_event(c, &t, json_array_get(events, i));
	(void)table_print(&t, c->out, c->width);
	table_done(&t);
}

void show_inis(const struct ctl *c, const json_t *answer)
{
	const json_t *list = json_object_get(answer, "inis");
	struct table t = {.columns = 5, .right = 1 << 1 | 1 << 2};

	table_add(&t, (const char *const[]){"SINCE", "GEN", "BYTES", "DIGEST", "RELEASE"});
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *row = json_array_get(list, i);
		char time[HUMAN_MAX], generation[HUMAN_MAX], bytes[HUMAN_MAX];

		table_add(&t,
			  (const char *const[]){human_time(time, number(row, "time")),
						human_count(generation, number(row, "generation")),
						human_count(bytes, number(row, "bytes")),
						text(row, "digest"), text(row, "release")});
	}
	(void)table_print(&t, c->out, c->width);
	table_done(&t);
}
