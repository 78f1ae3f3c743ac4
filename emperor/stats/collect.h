/*
 * collect - from scoreboards to records: what happened in a minute, and which events are new. Time is an argument.
 */
#pragma once
#include "emperor/stats/record.h"
#include "emperor/stats/registry.h"

/* An app that writes events in a loop must not fill the database; what is above is counted and told as a gap. */
#define COLLECT_EVENTS_PER_MINUTE 60
/* As many as a ring holds: then an app writes at most 0.4 MB a minute, over and over the same DB_KEEP_BLAMES rows. */
#define COLLECT_BLAMES_PER_MINUTE BOARD_BLAMES
/* A row for an app that did nothing, so that its memory is on record: every so many minutes. */
#define COLLECT_IDLE_MINUTES 10

/* What holds at this moment, summed over the generations that are alive. */
struct collect_now {
	uint64_t workers, busy, queue, queue_size, connections;
	struct board_app_memory memory;
};

/* A new app, or a new board of a known one: what stands on the board is the base, its events are all new. */
void collect_begin(struct app *a, uint64_t now_s);

/* The bank that shows the app best: of its generation, else one that serves, else any that is used. NULL if none. */
const struct board_bank *collect_bank(const struct app *a);
void collect_read_now(const struct scoreboard *b, struct collect_now *ret);

/* to - from, counter by counter; 0 where one went backwards. */
void collect_subtract(const struct board_totals *to, const struct board_totals *from,
		      struct board_totals *ret);
void collect_percentiles(const struct board_totals *t, uint64_t gauges[GAUGE_COUNT]);

/*
 * Ends the minute that began at start_s and begins the next. True if the row is worth keeping. Gives the board's pages
 * back.
 */
bool collect_minute(struct app *a, uint64_t start_s, uint64_t now_s, struct record_minute *ret);

typedef void collect_event_fn(void *arg, const struct record_event *e);
/* Calls fn for each new event of the app's ring, and for a gap. One atomic load if there is none. */
void collect_events(struct app *a, uint64_t now_wall_ns, collect_event_fn *fn, void *arg);

typedef void collect_blame_fn(void *arg, const struct record_blame *b);
/* The same for blame records; a gap is told as an event. */
void collect_blames(struct app *a, uint64_t now_wall_ns, collect_blame_fn *fn,
		    collect_event_fn *gap, void *arg);
