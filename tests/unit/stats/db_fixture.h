/*
 * db_fixture - a database in a folder of its own, records to store and what comes back.
 */
#pragma once
#include "emperor/stats/db.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "shared/clock.h"
#include "shared/err.h"

#define NOW_S 1700000040 /* a multiple of 60 */

struct fixture {
	char dir[64], path[96];
	struct err err;
	struct record_minute minutes[8];
	struct record_event events[16];
	unsigned minutes_n, events_n, blames_n;
	struct record_blame newest, oldest;
};

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/emperor-db-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	(void)snprintf(f->path, sizeof(f->path), "%s/h.db", f->dir);
	*state = f;
	return 0;
}

/* Files of the directory whose names begin so; all are removed if asked. */
static inline unsigned files(const struct fixture *f, const char *begin, bool remove)
{
	DIR *d = opendir(f->dir);
	const struct dirent *e;
	unsigned n = 0;

	while (d && (e = readdir(d))) {
		if (strncmp(e->d_name, begin, strlen(begin)) != 0 || e->d_name[0] == '.')
			continue;
		n++;
		if (remove)
			(void)unlinkat(dirfd(d), e->d_name, 0);
	}
	(void)closedir(d);
	return n;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	(void)files(f, "", true);
	(void)rmdir(f->dir);
	free(f);
	return 0;
}

static inline struct db *open_db(struct fixture *f)
{
	struct db *db = NULL;

	f->err = (struct err){0};
	if (db_open(&db, f->path, NOW_S, &f->err) < 0)
		fail_msg("%s", f->err.text);
	return db;
}

static inline void take_minute(void *arg, const struct record_minute *m)
{
	struct fixture *f = arg;

	assert_true(f->minutes_n < ARRAY_SIZE(f->minutes));
	f->minutes[f->minutes_n++] = *m;
}

static inline void take_event(void *arg, const struct record_event *e)
{
	struct fixture *f = arg;

	assert_true(f->events_n < ARRAY_SIZE(f->events));
	f->events[f->events_n++] = *e;
}

static inline struct record_minute minute(const char *app, int64_t start_s, uint64_t n)
{
	struct record_minute m = {.start_s = start_s};

	(void)snprintf(m.app, sizeof(m.app), "%s", app);
	for (size_t i = 0; i < record_counters_n(); i++)
		m.counters[i] = n + i;
	for (size_t i = 0; i < GAUGE_COUNT; i++)
		m.gauges[i] = n * 10 + i;
	return m;
}

static inline struct record_event event(const char *app, uint64_t wall_ns, const char *text)
{
	struct record_event e = {
		.wall_ns = wall_ns, .generation = 3, .kind = EVENT_WORKER_KILLED, .worker = 2};

	(void)snprintf(e.app, sizeof(e.app), "%s", app);
	(void)snprintf(e.text, sizeof(e.text), "%s", text);
	return e;
}

static inline int64_t ask(const char *path, const char *sql)
{
	sqlite3 *h = NULL;
	sqlite3_stmt *st = NULL;
	int64_t n = -1;

	assert_int_equal(sqlite3_open(path, &h), SQLITE_OK);
	if (sqlite3_prepare_v2(h, sql, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	(void)sqlite3_finalize(st);
	(void)sqlite3_close(h);
	return n;
}

static inline void run_sql(const char *path, const char *sql)
{
	sqlite3 *h = NULL;

	assert_int_equal(sqlite3_open(path, &h), SQLITE_OK);
	assert_int_equal(sqlite3_exec(h, sql, NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(h);
}

static inline void take_blame(void *arg, const struct record_blame *b)
{
	struct fixture *f = arg;

	if (f->blames_n == 0)
		f->newest = *b;
	f->oldest = *b;
	f->blames_n++;
}

static inline struct record_blame blame(const char *app, unsigned i)
{
	struct record_blame b = {.r = {.wall_ns = (NOW_S + i) * NS_PER_S,
				       .generation = 3,
				       .age_us = 4,
				       .queue_us = 5,
				       .rss = 6,
				       .rss_growth = -7,
				       .kind = BLAME_CRASHED,
				       .worker = 8,
				       .pid = 9,
				       .status = 502,
				       .signal = 11,
				       .id = "id",
				       .reason = "killed by signal 11",
				       .stacks = "Thread 0x1\n  File \"a.py\"\n",
				       .log = "before\n"}};

	(void)snprintf(b.app, sizeof(b.app), "%s", app);
	(void)snprintf(b.r.request, sizeof(b.r.request), "GET /%u", i);
	return b;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
