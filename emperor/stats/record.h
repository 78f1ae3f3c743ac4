/*
 * record - what is kept of the past: one row per app and minute, one per event, one per blame
 * record, one per ini that was in force. Plain values, filled in by collect,
 * carried by store, written and read back by db.
 */
#pragma once
#include "shared/scoreboard.h"

/* Room for every row of board_fields[]; record_counters_n() of them are used. */
#define RECORD_COUNTERS 40
#define RECORD_TEXT     1024 /* ROLE_TEXT, and more than BOARD_EVENT_TEXT */

#define RECORD_NO_APP "#emperor" /* whose events are no app's: no ini of that name is taken */

enum record_gauge {
	GAUGE_WORKERS,
	GAUGE_BUSY,
	GAUGE_RSS,
	GAUGE_P50, /* microseconds in the app */
	GAUGE_P95,
	GAUGE_P99,
	GAUGE_QUEUE_P50,
	GAUGE_QUEUE_P95,
	GAUGE_QUEUE_P99,
	GAUGE_COUNT,
};

struct record_minute {
	char app[LIMIT_NAME];
	int64_t start_s;                    /* unix time, a multiple of 60 */
	uint64_t counters[RECORD_COUNTERS]; /* in this minute, in the order of board_fields[] */
	uint64_t gauges[GAUGE_COUNT];       /* at its end; percentiles of the whole minute */
};

struct record_event {
	int64_t id; /* given by the database */
	uint64_t wall_ns, generation;
	uint32_t kind, worker;
	char app[LIMIT_NAME];
	char text[RECORD_TEXT];
};

struct record_blame {
	int64_t id; /* given by the database */
	char app[LIMIT_NAME];
	struct board_blame r; /* its number means nothing here */
};

struct record_ini { /* the bytes stand behind it */
	int64_t id; /* given by the database */
	uint64_t wall_ns, generation, digest;
	char app[LIMIT_NAME];
	char release[RECORD_TEXT]; /* where its code lies; "" unknown */
	size_t n;
	char bytes[];
};

extern const char *const record_gauge_names[GAUGE_COUNT]; /* also the columns' and JSON names */

static inline size_t record_counters_n(void)
{
	return MIN(board_fields_n, (size_t)RECORD_COUNTERS);
}
