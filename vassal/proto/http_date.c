/*
 * http_date - see http_date.h. The name of the day is read and not compared: a wrong one changes no instant.
 */
#include "vassal/proto/http_date.h"

#define DAY_S        86400
#define FIFTY_YEARS  50
#define FIRST_YEAR   1601 /* Gregorian, with room below 1970 for whoever means "long ago" */
#define DAYS_OF_1970 719468

struct date {
	unsigned year, month, day, hour, minute, second; /* month: 1 to 12 */
};

static bool take(struct span *s, struct span literal)
{
	if (!span_starts(*s, literal))
		return false;
	*s = span_skip(*s, literal.n);
	return true;
}

static bool take_digits(struct span *s, unsigned n, unsigned *ret)
{
	unsigned v = 0;

	if (s->n < n)
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return false;
		v = v * 10 + (unsigned)(s->p[i] - '0');
	}
	*s = span_skip(*s, n);
	*ret = v;
	return true;
}

static bool take_name(struct span *s, const char *const *names, unsigned n, unsigned *ret)
{
	for (unsigned i = 0; i < n; i++)
		if (take(s, span_str(names[i]))) {
			*ret = i;
			return true;
		}
	return false;
}

static bool take_month(struct span *s, unsigned *ret)
{
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

	if (!take_name(s, months, ARRAY_SIZE(months), ret))
		return false;
	++*ret;
	return true;
}

static bool take_day_name(struct span *s)
{
	static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
	unsigned day;

	return take_name(s, days, ARRAY_SIZE(days), &day);
}

static bool take_long_day_name(struct span *s)
{
	static const char *const days[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
					   "Friday", "Saturday", "Sunday"};
	unsigned day;

	return take_name(s, days, ARRAY_SIZE(days), &day);
}

static bool take_time(struct span *s, struct date *d)
{
	return take_digits(s, 2, &d->hour) && take(s, SPAN(":")) && take_digits(s, 2, &d->minute) &&
	       take(s, SPAN(":")) && take_digits(s, 2, &d->second);
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static bool fixdate(struct span s, struct date *d)
{
	return take_day_name(&s) && take(&s, SPAN(", ")) && take_digits(&s, 2, &d->day) &&
	       take(&s, SPAN(" ")) && take_month(&s, &d->month) && take(&s, SPAN(" ")) &&
	       take_digits(&s, 4, &d->year) && take(&s, SPAN(" ")) && take_time(&s, d) &&
	       span_eq(s, SPAN(" GMT"));
}

/* Sun Nov  6 08:49:37 1994 */
static bool asctime_date(struct span s, struct date *d)
{
	return take_day_name(&s) && take(&s, SPAN(" ")) && take_month(&s, &d->month) &&
	       take(&s, SPAN(" ")) &&
	       (take(&s, SPAN(" ")) ? take_digits(&s, 1, &d->day) : take_digits(&s, 2, &d->day)) &&
	       take(&s, SPAN(" ")) && take_time(&s, d) && take(&s, SPAN(" ")) &&
	       take_digits(&s, 4, &d->year) && s.n == 0;
}

static int64_t days_from_civil(unsigned year, unsigned month, unsigned day)
{
	/* years that begin in March, so that the leap day comes last */
	unsigned y = year - (month <= 2);
	unsigned era = y / 400;
	unsigned of_era = y % 400;
	unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return (int64_t)era * 146097 + (int64_t)of_era * 365 + of_era / 4 - of_era / 100 + of_year -
	       DAYS_OF_1970;
}

static unsigned days_of(unsigned year, unsigned month)
{
	static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

static int64_t seconds_of(const struct date *d)
{
	if (d->year < FIRST_YEAR || d->day < 1 || d->day > days_of(d->year, d->month) ||
	    d->hour > 23 || d->minute > 59 || d->second > 60)
		return HTTP_DATE_NONE;
	return days_from_civil(d->year, d->month, d->day) * DAY_S + (int64_t)d->hour * 3600 +
	       (int64_t)d->minute * 60 + d->second;
}

/* Sunday, 06-Nov-94 08:49:37 GMT. More than 50 years ahead is the last century (RFC 9110 5.6.7). */
static bool rfc850_date(struct span s, int64_t now_s, struct date *d)
{
	unsigned this_year = (unsigned)(1970 + now_s / (DAY_S * 365 + DAY_S / 4));

	if (!take_long_day_name(&s) || !take(&s, SPAN(", ")) || !take_digits(&s, 2, &d->day) ||
	    !take(&s, SPAN("-")) || !take_month(&s, &d->month) || !take(&s, SPAN("-")) ||
	    !take_digits(&s, 2, &d->year) || !take(&s, SPAN(" ")) || !take_time(&s, d) ||
	    !span_eq(s, SPAN(" GMT")))
		return false;
	d->year += this_year - this_year % 100;
	if (d->year > this_year + FIFTY_YEARS)
		d->year -= 100;
	return true;
}

int64_t http_date_parse(struct span text, int64_t now_s)
{
	struct date d;

	if (fixdate(text, &d) || rfc850_date(text, now_s, &d) || asctime_date(text, &d))
		return seconds_of(&d);
	return HTTP_DATE_NONE;
}
