/*
 * cron - when a timed job runs: five fields as uWSGI writes them, and what follows from them. Pure but for the time zone
 * (localtime_r); time is an argument.
 *
 * A field is N, -N ("every N": what N divides, so -1 is always), or as crontab(5) has it: *, A-B, lists, and steps behind
 * a slash. Where both day and weekday are plain, either is enough, as in uWSGI and in crontab(5). Weekday 0 and 7 are Sunday.
 *
 * Where clocks are put forward, a job of a fixed hour that falls into the gap runs at its end; where they are put back,
 * it runs the first time only. A job of every hour follows the clock as it stands.
 */
#pragma once
#include "shared/base.h"
#include <time.h>

struct err;

struct cron_spec {
	uint64_t minute, hour, day, month, weekday; /* bit n: matches n */
	bool plain_day, plain_weekday; /* they name days: neither "any" nor "every N" */
	bool fixed_hour;               /* not every hour */
};

enum cron_field { CRON_MINUTE, CRON_HOUR, CRON_DAY, CRON_MONTH, CRON_WEEKDAY, CRON_FIELDS };

/* Every minute. */
void cron_init(struct cron_spec *spec);
/* One field; -EINVAL says what is wrong with it. */
int cron_set(struct cron_spec *spec, enum cron_field field, const char *text, struct err *err);

/* Does it run in the minute that begins at t (a multiple of 60)? */
bool cron_matches(const struct cron_spec *spec, time_t t);
/* The first minute after t in which it runs; 0: never within the next nine years (31 February). */
time_t cron_next(const struct cron_spec *spec, time_t t);

/*
 * Which minutes are to be looked at, when the wall clock was last seen in the minute from and now shows the minute to?
 * A late look (a loaded machine) catches up; a clock that was put forward does not run what it jumped over. Returns the
 * first minute to look at; later than to: none.
 */
time_t cron_first_due(time_t from, time_t to);
/* A job of a fixed hour has run in the minute ran, and the clock was put back since: t is not its time again. */
bool cron_repeats(const struct cron_spec *spec, time_t ran, time_t t);
