/*
 * human - see ctl.h.
 */
#include <time.h>

#include "emperor/ctl/ctl.h"

const char *human_bytes(char buf[HUMAN_MAX], uint64_t n)
{
	static const char units[] = "KMGTPE";
	size_t i = 0;
	uint64_t tenths;

	if (n < 1024) {
		(void)snprintf(buf, HUMAN_MAX, "%u", (unsigned)n);
		return buf;
	}
	while (n >= 1024ULL * 1024 && i + 2 < sizeof(units)) {
		n /= 1024;
		i++;
	}
	tenths = n * 10 / 1024;
	if (tenths < 100)
		(void)snprintf(buf, HUMAN_MAX, "%u.%u%c", (unsigned)tenths / 10,
			       (unsigned)tenths % 10, units[i]);
	else
		(void)snprintf(buf, HUMAN_MAX, "%u%c", (unsigned)(tenths / 10), units[i]);
	return buf;
}

const char *human_count(char buf[HUMAN_MAX], uint64_t n)
{
	(void)snprintf(buf, HUMAN_MAX, "%llu", (unsigned long long)n);
	return buf;
}

const char *human_age(char buf[HUMAN_MAX], uint64_t seconds)
{
	unsigned long long s = seconds;

	if (s < 60)
		(void)snprintf(buf, HUMAN_MAX, "%llus", s);
	else if (s < 3600)
		(void)snprintf(buf, HUMAN_MAX, "%llum%02llus", s / 60, s % 60);
	else if (s < 86400)
		(void)snprintf(buf, HUMAN_MAX, "%lluh%02llum", s / 3600, s / 60 % 60);
	else
		(void)snprintf(buf, HUMAN_MAX, "%llud%02lluh", s / 86400, s / 3600 % 24);
	return buf;
}

const char *human_us(char buf[HUMAN_MAX], uint64_t us)
{
	unsigned long long n = us;

	if (n < 1000)
		(void)snprintf(buf, HUMAN_MAX, "%lluus", n);
	else if (n < 10000)
		(void)snprintf(buf, HUMAN_MAX, "%llu.%llums", n / 1000, n / 100 % 10);
	else if (n < 1000000)
		(void)snprintf(buf, HUMAN_MAX, "%llums", n / 1000);
	else
		(void)snprintf(buf, HUMAN_MAX, "%llu.%llus", n / 1000000, n / 100000 % 10);
	return buf;
}

const char *human_time(char buf[HUMAN_MAX], uint64_t wall_s)
{
	time_t t = (time_t)wall_s;
	struct tm tm;

	if (wall_s == 0 || !gmtime_r(&t, &tm) ||
	    strftime(buf, HUMAN_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		(void)snprintf(buf, HUMAN_MAX, "-");
	return buf;
}
