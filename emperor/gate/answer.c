/*
 * answer - see answer.h.
 */
#include "emperor/gate/answer.h"

#include <stdio.h>

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

size_t answer_write(char buf[ANSWER_MAX], const struct answer *a, time_t now)
{
	char body[256], date[DATE_MAX], retry[40] = "";
	size_t i = 0;
	int body_n, n;

	while (i < ARRAY_SIZE(phrases) && phrases[i].status != a->status)
		i++;
	i = i < ARRAY_SIZE(phrases) ? i : 0;
	put_date(date, now);
	if (a->retry_after_s > 0)
		(void)snprintf(retry, sizeof(retry), "Retry-After: %u\r\n", a->retry_after_s);
	body_n = snprintf(body, sizeof(body), "%d %s: %.160s\n", phrases[i].status,
			  phrases[i].phrase, a->why);
	n = snprintf(buf, ANSWER_MAX,
		     "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
		     "Content-Length: %d\r\n%sConnection: close\r\n\r\n%s",
		     phrases[i].status, phrases[i].phrase, date, body_n, retry,
		     a->no_body ? "" : body);
	return (size_t)MIN(n, ANSWER_MAX - 1);
}
