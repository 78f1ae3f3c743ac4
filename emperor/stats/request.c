/*
 * request - see request.h. Strict: an unknown path, parameter or number is refused, not guessed.
 */
#include "emperor/stats/request.h"

#include "shared/http_head.h"

#define EVENTS_DEFAULT  50
#define MINUTES_DEFAULT 60
#define BLAMES_DEFAULT  10

const char *request_status_text(int status)
{
	static const struct {
		int status;
		const char *text;
	} rows[] = {
		{200, "OK"},
		{400, "Bad Request"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{408, "Request Timeout"},
		{414, "URI Too Long"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{503, "Service Unavailable"},
		{505, "HTTP Version Not Supported"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].status == status)
			return rows[i].text;
	return "Error";
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decodes a name. False if it is empty, too long, or holds NUL or '/'. */
static bool read_name(struct span s, char ret[LIMIT_NAME])
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '%') {
			if (s.n - i < 3 || hex(s.p[i + 1]) < 0 || hex(s.p[i + 2]) < 0)
				return false;
			c = (char)(hex(s.p[i + 1]) * 16 + hex(s.p[i + 2]));
			i += 2;
		}
		if (c == '\0' || c == '/' || n >= LIMIT_NAME - 1)
			return false;
		ret[n++] = c;
	}
	ret[n] = '\0';
	return n > 0;
}

static bool read_number(struct span s, int64_t max, int64_t *ret)
{
	int64_t n = 0;

	if (s.n == 0 || s.n > 18)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		n = n * 10 + (s.p[i] - '0');
	}
	if (n > max)
		return false;
	*ret = n;
	return true;
}

static bool read_parameter(struct span key, struct span value, struct request *ret)
{
	int64_t n = 0;

	if (span_eq(key, SPAN("app")))
		return read_name(value, ret->app);
	if (ret->want == WANT_EVENTS && span_eq(key, SPAN("after")))
		return read_number(value, INT64_MAX, &ret->after_id);
	if (ret->want == WANT_INIS && span_eq(key, SPAN("generation"))) {
		if (!read_number(value, INT64_MAX, &n) || n == 0)
			return false;
		ret->generation = (uint64_t)n;
		return true;
	}
	if (ret->want != WANT_HISTORY && ret->want != WANT_INIS && span_eq(key, SPAN("n"))) {
		int64_t most = ret->want == WANT_BLAME ? LIMIT_STATS_BLAMES : LIMIT_STATS_EVENTS;

		if (!read_number(value, most, &n) || n == 0)
			return false;
		ret->n = (unsigned)n;
		return true;
	}
	if (ret->want == WANT_HISTORY && span_eq(key, SPAN("minutes"))) {
		if (!read_number(value, LIMIT_STATS_MINUTES, &n) || n == 0)
			return false;
		ret->minutes = (unsigned)n;
		return true;
	}
	return false;
}

static bool read_query(struct span query, struct request *ret)
{
	while (query.n > 0) {
		const char *end = memchr(query.p, '&', query.n);
		struct span item = span_of(query.p, end ? (size_t)(end - query.p) : query.n);
		const char *equals = memchr(item.p, '=', item.n);
		size_t key_n = equals ? (size_t)(equals - item.p) : item.n;

		query = span_skip(query, MIN(item.n + 1, query.n));
		if (item.n == 0)
			continue;
		if (!equals ||
		    !read_parameter(span_of(item.p, key_n), span_skip(item, key_n + 1), ret))
			return false;
	}
	return true;
}

static bool read_path(struct span path, struct request *ret)
{
	static const struct {
		struct span path;
		enum request_want want;
	} rows[] = {
		{{"/", 1}, WANT_ROOT},           {{"/events", 7}, WANT_EVENTS},
		{{"/history", 8}, WANT_HISTORY}, {{"/blame", 6}, WANT_BLAME},
		{{"/inis", 5}, WANT_INIS},
	};
	const struct span apps = SPAN("/apps/");

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!span_eq(path, rows[i].path))
			continue;
		ret->want = rows[i].want;
		return true;
	}
	ret->want = WANT_APP;
	return span_starts(path, apps) && read_name(span_skip(path, apps.n), ret->app);
}

static int refuse(int status, const char *why, const char **ret_why)
{
	*ret_why = why;
	return status;
}

int request_parse(const char *p, size_t n, struct request *ret, const char **ret_why)
{
	struct http_head head;
	long r = http_head_parse(p, n, LIMIT_STATS_HEAD, 0, &head);
	bool has_query;

	*ret = (struct request){.after_id = -1, .n = EVENTS_DEFAULT, .minutes = MINUTES_DEFAULT};
	if (r == HTTP_MORE)
		return n >= LIMIT_STATS_HEAD
			       ? refuse(431, "the request's head is too large", ret_why)
			       : 0;
	if (r < 0)
		return refuse(head.status, head.reason ? head.reason : "not HTTP", ret_why);
	ret->head_only = span_eq(head.method, SPAN("HEAD"));
	if (!ret->head_only && !span_eq(head.method, SPAN("GET")))
		return refuse(405, "only GET and HEAD", ret_why);
	if (!read_path(head.path, ret))
		return refuse(404, "no such path", ret_why);
	if (ret->want == WANT_BLAME)
		ret->n = BLAMES_DEFAULT;
	has_query = ret->want != WANT_ROOT && ret->want != WANT_APP;
	if (has_query && !read_query(head.query, ret))
		return refuse(400, "a parameter is unknown or out of range", ret_why);
	return 200;
}
