/*
 * cron - see cron.h.
 */
#include "shared/cron.h"

#include <errno.h>
#include <stdlib.h>

#include "shared/err.h"

#define MINUTE_S ((time_t)60)
/* A leap day comes after eight years at most (1896 to 1904, 2096 to 2104). */
#define HORIZON_S ((time_t)9 * 366 * 86400)
/* A loop that was held up for so long is late; a clock that is further ahead was put forward. */
#define LATE_MINUTES 3
/* A clock that was put back by more was wrong before, not now. */
#define PUT_BACK_S ((time_t)3 * 3600)
/* No zone moves its clock further than this; beyond it localtime is not believed. */
#define GAP_MAX_S ((time_t)3 * 3600)

static const struct {
	const char *name;
	unsigned min, max;
	size_t offset;
} fields[CRON_FIELDS] = {
	[CRON_MINUTE] = {"minute", 0, 59, offsetof(struct cron_spec, minute)},
	[CRON_HOUR] = {"hour", 0, 23, offsetof(struct cron_spec, hour)},
	[CRON_DAY] = {"day", 1, 31, offsetof(struct cron_spec, day)},
	[CRON_MONTH] = {"month", 1, 12, offsetof(struct cron_spec, month)},
	[CRON_WEEKDAY] = {"weekday", 0, 7, offsetof(struct cron_spec, weekday)},
};

/* uWSGI's -N is what N divides, counted from 0; crontab's steps count from where they begin. */
static uint64_t every(unsigned from, unsigned to, unsigned step, unsigned base)
{
	uint64_t mask = 0;

	for (unsigned n = from; n <= to; n++)
		if ((n - base) % step == 0)
			mask |= 1ULL << n;
	return mask;
}

static uint64_t all_of(enum cron_field field)
{
	return every(fields[field].min, fields[field].max, 1, 0);
}

/* A number in decimal digits; the end of it in *p. False: none, or a silly one. */
static bool take_number(const char **p, unsigned *ret)
{
	char *end;
	unsigned long n;

	if (**p < '0' || **p > '9')
		return false;
	n = strtoul(*p, &end, 10);
	if (n > 1000)
		return false;
	*p = end;
	*ret = (unsigned)n;
	return true;
}

/* "A", "A-B", "*", "-N", each but the last with an optional "/N". Moves *p behind it. */
static bool take_part(enum cron_field field, const char **p, uint64_t *mask)
{
	unsigned from = fields[field].min, to = fields[field].max, step = 1;

	if (**p == '-') {
		(*p)++;
		if (!take_number(p, &step) || step == 0)
			return false;
		*mask |= every(from, to, step, 0);
		return true;
	}
	if (**p == '*') {
		(*p)++;
	} else {
		if (!take_number(p, &from))
			return false;
		to = from;
		if (**p == '-') {
			(*p)++;
			if (!take_number(p, &to))
				return false;
		} else if (**p == '/') {
			to = fields[field].max;
		}
	}
	if (**p == '/') {
		(*p)++;
		if (!take_number(p, &step) || step == 0)
			return false;
	}
	if (from < fields[field].min || to > fields[field].max || from > to)
		return false;
	*mask |= every(from, to, step, from);
	return true;
}

static uint64_t *mask_of(struct cron_spec *spec, enum cron_field field)
{
	return (uint64_t *)(void *)((char *)spec + fields[field].offset);
}

void cron_init(struct cron_spec *spec)
{
	*spec = (struct cron_spec){0};
	for (unsigned i = 0; i < CRON_FIELDS; i++)
		*mask_of(spec, (enum cron_field)i) = all_of((enum cron_field)i);
}

int cron_set(struct cron_spec *spec, enum cron_field field, const char *text, struct err *err)
{
	const char *p = text;
	uint64_t mask = 0;
	bool ok;

	for (;;) {
		ok = take_part(field, &p, &mask);
		if (!ok || *p != ',')
			break;
		p++;
	}
	if (!ok || *p != '\0')
		return err_set(
			err, -EINVAL,
			"\"%s\" is no %s: a number from %u to %u, -1 for any, -N for every N", text,
			fields[field].name, fields[field].min, fields[field].max);
	if (field == CRON_WEEKDAY && mask & 1ULL << 7)
		mask |= 1; /* Sunday has two numbers; the clock says 0 */
	*mask_of(spec, field) = mask;
	if (field == CRON_DAY)
		spec->plain_day = text[0] != '-' && text[0] != '*';
	if (field == CRON_WEEKDAY)
		spec->plain_weekday = text[0] != '-' && text[0] != '*';
	spec->fixed_hour = spec->hour != all_of(CRON_HOUR);
	return 0;
}

static bool has(uint64_t mask, int n)
{
	return n >= 0 && n < 64 && mask >> n & 1;
}

static bool day_matches(const struct cron_spec *s, const struct tm *tm)
{
	bool day = has(s->day, tm->tm_mday), weekday = has(s->weekday, tm->tm_wday);

	if (!has(s->month, tm->tm_mon + 1))
		return false;
	return s->plain_day && s->plain_weekday ? day || weekday : day && weekday;
}

static bool tm_matches(const struct cron_spec *s, const struct tm *tm)
{
	return day_matches(s, tm) && has(s->hour, tm->tm_hour) && has(s->minute, tm->tm_min);
}

/* The wall clock as it would show t in a zone that is off seconds from UTC. */
static void at_offset(time_t t, long off, struct tm *ret)
{
	time_t shifted = t + off;

	(void)gmtime_r(&shifted, ret);
}

/* Clocks were put forward at t: does it fall among the minutes that they did not show? */
static bool in_gap(const struct cron_spec *s, time_t t, long before, long after)
{
	struct tm tm;

	if (after - before > GAP_MAX_S)
		return false;
	for (time_t u = t; u < t + (after - before); u += MINUTE_S) {
		at_offset(u, before, &tm);
		if (tm_matches(s, &tm))
			return true;
	}
	return false;
}

/* Clocks were put back within the last hours: have they shown this minute before? */
static bool seen_before(time_t t, long off)
{
	struct tm tm;

	for (time_t back = 1800; back <= GAP_MAX_S; back += 1800) {
		time_t u = t - back;

		if (localtime_r(&u, &tm) && tm.tm_gmtoff - off == back)
			return true;
	}
	return false;
}

static bool matches(const struct cron_spec *s, time_t t, const struct tm *now)
{
	struct tm before;
	time_t u = t - MINUTE_S;

	if (!s->fixed_hour)
		return tm_matches(s, now);
	if (tm_matches(s, now))
		return !seen_before(t, now->tm_gmtoff);
	return localtime_r(&u, &before) && before.tm_gmtoff < now->tm_gmtoff &&
	       in_gap(s, t, before.tm_gmtoff, now->tm_gmtoff);
}

bool cron_matches(const struct cron_spec *spec, time_t t)
{
	struct tm now;

	return localtime_r(&t, &now) && matches(spec, t, &now);
}

time_t cron_next(const struct cron_spec *spec, time_t t)
{
	time_t end = t + HORIZON_S;
	struct tm tm;

	t = (t / MINUTE_S + 1) * MINUTE_S;
	while (t < end && localtime_r(&t, &tm)) {
		if (matches(spec, t, &tm))
			return t;
		/* by hours where the hour cannot be right: clocks change at full and half ones */
		if (day_matches(spec, &tm) && has(spec->hour, tm.tm_hour))
			t += MINUTE_S;
		else
			t += (time_t)(tm.tm_min < 30 ? 30 - tm.tm_min : 60 - tm.tm_min) * MINUTE_S;
	}
	return 0;
}

bool cron_repeats(const struct cron_spec *spec, time_t ran, time_t t)
{
	return spec->fixed_hour && ran >= t && ran - t < PUT_BACK_S;
}

time_t cron_first_due(time_t from, time_t to)
{
	if (to <= from) /* the same minute, or put back */
		return to + MINUTE_S;
	return to - from <= LATE_MINUTES * MINUTE_S ? from + MINUTE_S : to;
}
