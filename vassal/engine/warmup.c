/*
 * warmup - see warmup.h. Every function here holds the GIL.
 */
#include "vassal/engine/engine.h"

#include <stdio.h>

#include "shared/vars.h"
#include "vassal/engine/lane.h"
#include "vassal/engine/warmup.h"

#define PEEK_BYTES 200  /* of an answer, for a reason */
#define VARS_BYTES 8192 /* a path is at most a line of the ini that people typed */

static int hex_digit(char c)
{
	char lower = ascii_lower(c);

	if (c >= '0' && c <= '9')
		return c - '0';
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* PATH_INFO is percent-decoded, as the front does it for real requests. */
static void add_path(struct vars *v, struct span path)
{
	char *p = vars_reserve(v, SPAN("PATH_INFO"), path.n);
	size_t n = 0;

	if (!p)
		return;
	for (size_t i = 0; i < path.n; i++) {
		int high = path.p[i] == '%' && i + 2 < path.n ? hex_digit(path.p[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(path.p[i + 2]) : -1;

		p[n++] = low >= 0 ? (char)(high * 16 + low) : path.p[i];
		i += low >= 0 ? 2 : 0;
	}
	/* It became shorter than the room that was reserved: give the rest back. */
	v->n -= path.n - n;
	memcpy(p - SPAN("PATH_INFO").n - 4, &(uint32_t){(uint32_t)n}, sizeof(uint32_t));
}

/* The app's own name, so that a check of allowed hosts is content; its stars stand for something. */
static void host_name(const struct engine *e, char buf[LIMIT_HOST + 1])
{
	const char *host = e->config.domains_n > 0 ? e->config.domains[0].host : "";

	if (host[0] == '*')
		(void)snprintf(buf, LIMIT_HOST + 1, "www%s", host + 1);
	else
		(void)snprintf(buf, LIMIT_HOST + 1, "%s", host[0] ? host : "localhost");
}

static void make_vars(const struct engine *e, const char *target, struct vars *v)
{
	char host[LIMIT_HOST + 1];
	const char *mark = strchr(target, '?');
	struct span path = mark ? span_of(target, (size_t)(mark - target)) : span_str(target);

	host_name(e, host);
	vars_add(v, SPAN("REQUEST_METHOD"), SPAN("GET"));
	vars_add(v, SPAN("REQUEST_URI"), span_str(target));
	add_path(v, path);
	vars_add(v, SPAN("SCRIPT_NAME"), SPAN(""));
	vars_add(v, SPAN("QUERY_STRING"), mark ? span_str(mark + 1) : SPAN(""));
	vars_add(v, SPAN("SERVER_PROTOCOL"), SPAN("HTTP/1.1"));
	vars_add(v, SPAN("SERVER_NAME"), span_str(host));
	vars_add(v, SPAN("SERVER_PORT"), SPAN("80"));
	vars_add(v, SPAN("REMOTE_ADDR"), SPAN("127.0.0.1"));
	vars_add(v, SPAN("REMOTE_PORT"), SPAN("0"));
	vars_add(v, SPAN("HTTP_HOST"), span_str(host));
	vars_add(v, SPAN("HTTP_USER_AGENT"), SPAN("emperor-warmup"));
}

typedef int judge_fn(const struct lane *l, const char *target, int result, char *text, size_t size);

/* The front would answer 404, and nobody has said anything. */
static bool is_nowhere(const struct lane *l, const char *name, const char *target, char *text,
		       size_t size)
{
	if (!(l->end & FRAME_END_NO_APP))
		return false;
	(void)snprintf(text, size, "%s = %s: no app is mounted there", name, target);
	return true;
}

static int judge_warmup(const struct lane *l, const char *target, int result, char *text,
			size_t size)
{
	if (result < 0) /* text already holds the exception */
		return -1;
	if (is_nowhere(l, "warmup", target, text, size))
		return -1;
	if (l->exiting || l->head.frame.status >= 500) {
		(void)snprintf(text, size, "warmup = %s: the app answered %u", target,
			       l->head.frame.status);
		return -1;
	}
	return 0;
}

/* One line of what the app had to say, for people. */
static int judge_health(const struct lane *l, const char *target, int result, char *text,
			size_t size)
{
	unsigned wanted = l->engine->config.health_check_status;
	size_t n = 0;

	if (result < 0 || is_nowhere(l, "health-check", target, text, size))
		return -1;
	if (!l->exiting && l->head.frame.status == wanted)
		return 0;
	while (n < l->peek_n && l->peek[n] != '\n' && l->peek[n] != '\r')
		n++;
	(void)snprintf(text, size, "health-check = %s: answered %u, not %u%s%.*s", target,
		       l->head.frame.status, wanted, n > 0 ? ": " : "", (int)n, l->peek);
	return -1;
}

static int run_one(struct engine *e, const char *name, const char *target, judge_fn *judge,
		   char *text, size_t size)
{
	uint8_t buf[VARS_BYTES];
	char line[160];
	char peek[PEEK_BYTES];
	struct vars v;
	struct lane l = {.discard = true,
			 .is_main = true,
			 .explain = text,
			 .explain_n = size,
			 .peek = peek,
			 .peek_room = sizeof(peek)};
	struct lane_request r = {.vars = buf, .id = name, .line = line};
	int result;

	vars_init(&v, buf, sizeof(buf));
	make_vars(e, target, &v);
	if (v.overflow) {
		(void)snprintf(text, size, "%s = %.64s...: too long", name, target);
		return -1;
	}
	r.vars_n = v.n;
	(void)snprintf(line, sizeof(line), "GET %.*s", (int)(sizeof(line) - sizeof("GET ")),
		       target);
	result = lane_start(&l, e);
	if (result < 0)
		PyErr_Clear();
	else
		result = lane_run(&l, &r);
	result = judge(&l, target, result, text, size);
	lane_done(&l);
	return result;
}

int warmup_run(struct engine *e, char *text, size_t size)
{
	text[0] = '\0';
	for (size_t i = 0; i < e->config.warmup.n; i++)
		if (run_one(e, "warmup", e->config.warmup.v[i], judge_warmup, text, size) < 0)
			return -1;
	return 0;
}

int health_check(struct engine *e, char *text, size_t size)
{
	text[0] = '\0';
	if (!e->config.health_check)
		return 0;
	return run_one(e, "health-check", e->config.health_check, judge_health, text, size);
}
