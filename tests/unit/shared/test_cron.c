/*
 * test_cron - fields as uWSGI and crontab(5) write them, the next run over months and leap years, clocks that are changed.
 */
#include "shared/cron.h"
#include "shared/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define BERLIN    "CET-1CEST,M3.5.0,M10.5.0/3"
#define LORD_HOWE "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"

static void zone(const char *tz)
{
	assert_int_equal(setenv("TZ", tz, 1), 0);
	tzset();
}

/* "M H D M W" as an ini says it. */
static int parse(const char *text, struct cron_spec *spec)
{
	char word[CRON_FIELDS][32];
	struct err err = {0};
	int r = 0;

	assert_int_equal(sscanf(text, "%31s %31s %31s %31s %31s", word[0], word[1], word[2],
				word[3], word[4]),
			 5);
	cron_init(spec);
	for (unsigned i = 0; i < CRON_FIELDS && r == 0; i++)
		r = cron_set(spec, (enum cron_field)i, word[i], &err);
	if (r < 0)
		assert_non_null(strstr(err.text, " is no "));
	return r;
}

static time_t at(const char *utc)
{
	struct tm tm = {0};

	assert_int_equal(sscanf(utc, "%d-%d-%d %d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
				&tm.tm_hour, &tm.tm_min),
			 5);
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	return timegm(&tm);
}

static const struct {
	const char *tz, *spec, *after, *next; /* times in UTC; NULL: never */
} nexts[] = {
	/* what N, -N and the signs of crontab mean */
	{"UTC", "-1 -1 -1 -1 -1", "2026-01-01 00:00", "2026-01-01 00:01"},
	{"UTC", "* * * * *", "2025-12-31 23:59", "2026-01-01 00:00"},
	{"UTC", "-5 -1 -1 -1 -1", "2026-01-01 00:56", "2026-01-01 01:00"},
	{"UTC", "-5 -1 -1 -1 -1", "2026-01-01 00:01", "2026-01-01 00:05"},
	{"UTC", "*/20 * * * *", "2026-01-01 00:20", "2026-01-01 00:40"},
	{"UTC", "30 2 -1 -1 -1", "2026-01-01 02:30", "2026-01-02 02:30"},
	{"UTC", "0 -6 -1 -1 -1", "2026-01-01 00:00", "2026-01-01 06:00"},
	{"UTC", "0 0 -2 -1 -1", "2026-01-01 00:00", "2026-01-02 00:00"},
	{"UTC", "0 0 */2 * *", "2026-01-01 00:00", "2026-01-03 00:00"},
	{"UTC", "0 0 1 -3 -1", "2026-01-01 00:00", "2026-03-01 00:00"},
	{"UTC", "0,30 9-17 * * 1-5", "2026-01-02 17:30", "2026-01-05 09:00"},
	{"UTC", "5/25 * * * *", "2026-01-01 00:05", "2026-01-01 00:30"},
	{"UTC", "10-20/5 * * * *", "2026-01-01 00:10", "2026-01-01 00:15"},
	/* Sunday is 0 and 7 */
	{"UTC", "0 3 -1 -1 0", "2026-01-01 00:00", "2026-01-04 03:00"},
	{"UTC", "0 3 -1 -1 7", "2026-01-01 00:00", "2026-01-04 03:00"},
	{"UTC", "0 3 * * 5-7", "2026-01-03 03:00", "2026-01-04 03:00"},
	/* two plain days: either; "every" with a plain one: both */
	{"UTC", "0 0 15 -1 1", "2026-01-01 00:00", "2026-01-05 00:00"},
	{"UTC", "0 0 15 -1 1", "2026-01-12 00:00", "2026-01-15 00:00"},
	{"UTC", "0 0 -2 -1 1", "2026-01-05 00:00", "2026-01-12 00:00"},
	/* months, leap years, what never comes */
	{"UTC", "0 0 31 -1 -1", "2026-01-31 00:00", "2026-03-31 00:00"},
	{"UTC", "0 0 29 2 -1", "2026-01-01 00:00", "2028-02-29 00:00"},
	{"UTC", "0 0 29 2 -1", "2096-02-29 00:00", "2104-02-29 00:00"},
	{"UTC", "0 0 31 2 -1", "2026-01-01 00:00", NULL},
	{"UTC", "0 0 30 2 -1", "2026-01-01 00:00", NULL},
	/* put forward, 02:00 to 03:00 on 29 March: a fixed hour in the gap runs at its end, once */
	{BERLIN, "30 2 -1 -1 -1", "2026-03-28 12:00", "2026-03-29 01:00"},
	{BERLIN, "30 2 -1 -1 -1", "2026-03-29 01:00", "2026-03-30 00:30"},
	{BERLIN, "30 -1 -1 -1 -1", "2026-03-29 00:30", "2026-03-29 01:30"},
	{BERLIN, "0 3 -1 -1 -1", "2026-03-28 12:00", "2026-03-29 01:00"},
	{BERLIN, "0 3 -1 -1 -1", "2026-03-29 01:00", "2026-03-30 01:00"},
	/* put back, 03:00 to 02:00 on 25 October: a fixed hour runs the first time only */
	{BERLIN, "30 2 -1 -1 -1", "2026-10-24 12:00", "2026-10-25 00:30"},
	{BERLIN, "30 2 -1 -1 -1", "2026-10-25 00:30", "2026-10-26 01:30"},
	{BERLIN, "30 -1 -1 -1 -1", "2026-10-25 00:30", "2026-10-25 01:30"},
	{BERLIN, "0 3 -1 -1 -1", "2026-10-24 12:00", "2026-10-25 02:00"},
	/* half an hour, 02:00 to 02:30 on 4 October and 02:00 to 01:30 on 5 April */
	{LORD_HOWE, "15 2 -1 -1 -1", "2026-10-03 00:00", "2026-10-03 15:30"},
	{LORD_HOWE, "45 1 -1 -1 -1", "2026-04-04 00:00", "2026-04-04 14:45"},
	{LORD_HOWE, "45 1 -1 -1 -1", "2026-04-04 14:45", "2026-04-05 15:15"},
};

static void each_job_has_its_next_minute(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(nexts); i++) {
		struct cron_spec spec;
		time_t want = nexts[i].next ? at(nexts[i].next) : 0, got;

		zone(nexts[i].tz);
		assert_int_equal(parse(nexts[i].spec, &spec), 0);
		got = cron_next(&spec, at(nexts[i].after));
		if (got != want)
			fail_msg("%s: %s after %s: %lld, not %lld (%s)", nexts[i].tz, nexts[i].spec,
				 nexts[i].after, (long long)got, (long long)want,
				 nexts[i].next ? nexts[i].next : "never");
		if (got)
			assert_true(cron_matches(&spec, got));
	}
}

/* The jump by half hours leaves nothing out: every minute of a day that changes its clock, looked at one by one. */
static void the_next_minute_is_the_first_that_matches(void **state)
{
	static const char *const specs[] = {"30 2 -1 -1 -1", "-7 -1 -1 -1 -1", "59 1,3 -1 -1 0",
					    "0 -2 -1 -1 -1", "15 2 -1 -1 -1"};
	static const char *const days[] = {"2026-03-28 20:00", "2026-10-24 20:00",
					   "2026-10-03 10:00", "2026-04-04 10:00"};
	static const char *const zones[] = {BERLIN, LORD_HOWE, "UTC"};

	(void)state;
	for (size_t z = 0; z < ARRAY_SIZE(zones); z++)
		for (size_t d = 0; d < ARRAY_SIZE(days); d++)
			for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
				struct cron_spec spec;
				time_t t = at(days[d]), next, end = t + 12 * 3600;

				zone(zones[z]);
				assert_int_equal(parse(specs[i], &spec), 0);
				next = cron_next(&spec, t);
				for (t += 60; t < end; t += 60) {
					assert_int_equal(cron_matches(&spec, t), t == next);
					if (t == next)
						next = cron_next(&spec, t);
				}
			}
}

static void nonsense_is_refused(void **state)
{
	static const char *const bad[] = {
		"60 0 1 1 0",  "0 24 1 1 0",  "0 0 0 1 0",
		"0 0 32 1 0",  "0 0 1 0 0",   "0 0 1 13 0",
		"0 0 1 1 8",   "x 0 1 1 0",   "-0 0 1 1 0",
		"- 0 1 1 0",   "1-x 0 1 1 0", "20-10 0 1 1 0",
		"*/0 0 1 1 0", "1, 0 1 1 0",  ",1 0 1 1 0",
		"1;2 0 1 1 0", "0x1 0 1 1 0", "99999999999999999999 0 1 1 0",
		"--1 0 1 1 0",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct cron_spec spec;

		if (parse(bad[i], &spec) == 0)
			fail_msg("%s was taken", bad[i]);
	}
}

static void a_jump_of_the_clock_runs_nothing_that_it_jumped_over(void **state)
{
	static const struct {
		time_t from, to, first;
	} rows[] = {
		{600, 600, 660}, /* the same minute: none */
		{600, 660, 660}, /* the next */
		{600, 780, 660}, /* late by two: all three */
		{600, 840, 840}, /* put forward: only the minute that it shows */
		{600, 90000, 90000}, {600, 540, 600}, /* put back: none just now */
		{90000, 600, 660},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(cron_first_due(rows[i].from, rows[i].to), rows[i].first);
}

static void a_clock_put_back_repeats_no_job_of_a_fixed_hour(void **state)
{
	struct cron_spec fixed, always;

	(void)state;
	assert_int_equal(parse("30 2 -1 -1 -1", &fixed), 0);
	assert_int_equal(parse("-1 -1 -1 -1 -1", &always), 0);
	assert_true(cron_repeats(&fixed, 72000, 72000));
	assert_true(cron_repeats(&fixed, 72000, 72000 - 3600));
	assert_false(cron_repeats(&fixed, 72000, 72000 + 60));
	assert_false(cron_repeats(&fixed, 72000, 72000 - 4 * 3600));
	assert_false(cron_repeats(&fixed, 0, 72000));
	assert_false(cron_repeats(&always, 72000, 72000 - 60));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_job_has_its_next_minute),
		cmocka_unit_test(the_next_minute_is_the_first_that_matches),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(a_jump_of_the_clock_runs_nothing_that_it_jumped_over),
		cmocka_unit_test(a_clock_put_back_repeats_no_job_of_a_fixed_hour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
