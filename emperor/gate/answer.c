/*
 * answer - see answer.h.
 */
#include "emperor/gate/answer.h"

#include <stdio.h>

#include "shared/limits.h"

/* FastCGI 1.0, 3.3 and 5.5 */
#define RECORD_HEAD     8
#define RECORD_END_BODY 8
enum { RECORD_END = 3, RECORD_STDOUT = 6 };

#define DATE_MAX sizeof("Sun, 06 Nov 1994 08:49:37 GMT")

static const struct {
	int status;
	const char *phrase;
} phrases[] = {
	{400, "Bad Request"},
	{404, "Not Found"},
	{408, "Request Timeout"},
	{414, "URI Too Long"},
	{431, "Request Header Fields Too Large"},
	{501, "Not Implemented"},
	{503, "Service Unavailable"},
	{505, "HTTP Version Not Supported"},
};

/* RFC 9110 5.6.7, in English whatever the locale is. */
static void put_date(char buf[DATE_MAX], time_t now)
{
	static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct tm tm;

	if (!gmtime_r(&now, &tm) || tm.tm_year > 9999 - 1900)
		memset(&tm, 0, sizeof(tm));
	(void)snprintf(buf, DATE_MAX, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[tm.tm_wday % 7],
		       (unsigned)tm.tm_mday % 100, months[tm.tm_mon % 12],
		       (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)tm.tm_hour % 100,
		       (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
}

static void put_record(char *p, unsigned type, uint16_t id, size_t n)
{
	const uint8_t head[RECORD_HEAD] = {
		1, (uint8_t)type, (uint8_t)(id >> 8), (uint8_t)id, (uint8_t)(n >> 8), (uint8_t)n, 0,
		0};

	memcpy(p, head, sizeof(head));
}

/* FastCGI 1.0: STDOUT with the n bytes that stand behind its head, END_REQUEST with REQUEST_COMPLETE. */
static size_t put_records(char *buf, size_t n, uint16_t id)
{
	put_record(buf, RECORD_STDOUT, id, n);
	n += RECORD_HEAD;
	put_record(buf + n, RECORD_END, id, RECORD_END_BODY);
	memset(buf + n + RECORD_HEAD, 0, RECORD_END_BODY);
	return n + RECORD_HEAD + RECORD_END_BODY;
}

size_t answer_write(char buf[ANSWER_MAX], const struct answer *a, time_t now)
{
	const size_t before = a->wire == ANSWER_FASTCGI ? RECORD_HEAD : 0;
	const size_t room = ANSWER_MAX - before - (before ? RECORD_HEAD + RECORD_END_BODY : 0);
	bool http = a->wire == ANSWER_HTTP;
	const struct span id =
		span_of(a->request_id.p, MIN(a->request_id.n, (size_t)LIMIT_REQUEST_ID - 1));
	char body[320], date[DATE_MAX], retry[40] = "", field[LIMIT_REQUEST_ID + 20] = "";
	size_t i = 0, n;
	int body_n;

	while (i < ARRAY_SIZE(phrases) && phrases[i].status != a->status)
		i++;
	i = i < ARRAY_SIZE(phrases) ? i : 0;
	put_date(date, now);
	if (a->retry_after_s > 0)
		(void)snprintf(retry, sizeof(retry), "Retry-After: %u\r\n", a->retry_after_s);
	if (id.n > 0)
		(void)snprintf(field, sizeof(field), "X-Request-ID: %.*s\r\n", (int)id.n, id.p);
	body_n = snprintf(body, sizeof(body), "%d %s: %.160s\n%s%.*s%s", phrases[i].status,
			  phrases[i].phrase, a->why, id.n > 0 ? "request " : "", (int)id.n, id.p,
			  id.n > 0 ? "\n" : "");
	n = (size_t)snprintf(buf + before, room,
			     "%s %d %s\r\nDate: %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
			     "Content-Length: %d\r\n%s%s%s\r\n%s",
			     http ? "HTTP/1.1" : "Status:", phrases[i].status, phrases[i].phrase,
			     date, body_n, field, retry, http ? "Connection: close\r\n" : "",
			     a->no_body ? "" : body);
	n = MIN(n, room - 1);
	return before ? put_records(buf, n, a->id) : n;
}
