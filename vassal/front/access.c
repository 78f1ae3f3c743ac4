/*
 * access - see access.h.
 */
#include "vassal/front/access.h"

#include "shared/clock.h"
#include "shared/limits.h"
#include "shared/scoreboard.h"

static char *put_u64(char *p, uint64_t v)
{
	char digits[20];
	unsigned n = 0;

	do
		digits[n++] = (char)('0' + v % 10);
	while (v /= 10);
	while (n > 0)
		*p++ = digits[--n];
	return p;
}

static char *put_fixed(char *p, uint64_t v, unsigned width)
{
	for (unsigned i = width; i > 0; i--) {
		p[i - 1] = (char)('0' + v % 10);
		v /= 10;
	}
	return p + width;
}

static char *put_text(char *p, const char *s, size_t max)
{
	size_t n = strnlen(s, max);

	memcpy(p, s, n);
	return p + n;
}

/* Milliseconds with one digit after the point. */
static char *put_ms(char *p, uint64_t ns)
{
	p = put_u64(p, ns / NS_PER_MS);
	*p++ = '.';
	*p++ = (char)('0' + ns / (NS_PER_MS / 10) % 10);
	return put_text(p, "ms", 2);
}

/* A peer's bytes: none of them may end the quotes or command a terminal. */
static char *put_quoted(char *p, const char *s, size_t max)
{
	static const char hex[] = "0123456789abcdef";

	*p++ = '"';
	for (size_t i = 0; i < max && s[i]; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
			*p++ = (char)c;
			continue;
		}
		*p++ = '\\';
		*p++ = 'x';
		*p++ = hex[c >> 4];
		*p++ = hex[c & 15];
	}
	*p++ = '"';
	return p;
}

/* Civil date from days since 1970 in the proleptic Gregorian calendar, era by era of 400 years. */
static char *put_date(char *p, uint64_t days)
{
	uint64_t shifted = days + 719468; /* days since 0000-03-01, so that leap days end a year */
	uint64_t era = shifted / 146097;
	uint64_t of_era = shifted % 146097;
	uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	uint64_t month = (5 * of_year + 2) / 153; /* 0 = March */
	uint64_t day = of_year - (153 * month + 2) / 5 + 1;

	p = put_fixed(p, year + era * 400 + (month >= 10), 4);
	*p++ = '-';
	p = put_fixed(p, month < 10 ? month + 3 : month - 9, 2);
	*p++ = '-';
	return put_fixed(p, day, 2);
}

size_t access_stamp(char buf[ACCESS_STAMP], uint64_t wall_ns)
{
	uint64_t s = wall_ns / NS_PER_S;
	char *p = put_date(buf, s / 86400);

	*p++ = 'T';
	p = put_fixed(p, s / 3600 % 24, 2);
	*p++ = ':';
	p = put_fixed(p, s / 60 % 60, 2);
	*p++ = ':';
	p = put_fixed(p, s % 60, 2);
	*p++ = '.';
	p = put_fixed(p, wall_ns / NS_PER_MS % 1000, 3);
	*p++ = 'Z';
	return (size_t)(p - buf);
}

/* Longest: stamp 24, client 46, line 4 x 160 if all of it is escaped ... hence the cut below. */
size_t access_format(char buf[ACCESS_LINE], const struct access *a)
{
	char quoted[4 * BOARD_LINE + 2];
	size_t quoted_n = (size_t)(put_quoted(quoted, a->line, BOARD_LINE) - quoted);
	char *p = buf + access_stamp(buf, a->wall_ns);

	*p++ = ' ';
	p = a->client[0] ? put_text(p, a->client, 46) : put_text(p, "-", 1);
	*p++ = ' ';
	if (quoted_n > 320) {
		quoted_n = 320;
		quoted[quoted_n - 1] = '"';
	}
	memcpy(p, quoted, quoted_n);
	p += quoted_n;
	*p++ = ' ';
	p = a->status ? put_u64(p, a->status) : put_text(p, "-", 1);
	*p++ = ' ';
	p = put_u64(p, a->bytes);
	p = put_text(p, " queue=", 7);
	p = put_ms(p, a->queue_ns);
	p = put_text(p, " app=", 5);
	p = put_ms(p, a->app_ns);
	p = put_text(p, " worker=", 8);
	p = a->worker ? put_u64(p, a->worker) : put_text(p, "-", 1);
	p = put_text(p, " id=", 4);
	p = put_text(p, a->id[0] ? a->id : "-", LIMIT_REQUEST_ID);
	if (a->logvars && a->logvars[0]) {
		p = put_text(p, " logvars=", 9);
		p = put_quoted(p, a->logvars, LIMIT_LOGVARS);
	}
	*p++ = '\n';
	return (size_t)(p - buf);
}
