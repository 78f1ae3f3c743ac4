/*
 * plan - what is to be done about one program beside the app: start, signal, kill, try again. Pure: time and randomness
 * are arguments, and what it wants done is returned, one action a call.
 *
 * A daemon has one run at a time and is started again with back-off when it ends. A timed job is looked at minute by minute
 * and may have LIMIT_TASK_RUNS runs at once, one if it is unique. A plan serves once, drains once and is over when its last
 * run has ended.
 */
#pragma once
#include "shared/backoff.h"
#include "shared/base.h"
#include "shared/cron.h"
#include "shared/limits.h"

struct plan_config {
	bool cron;
	bool unique;
	unsigned attempts; /* early ends in a row until a daemon is given up; 0 never */
	uint64_t harakiri_ns;
	const struct cron_spec *when; /* borrowed */
	uint64_t mercy_ns; /* a daemon that is started anew: from its stop signal to the end */
};

enum plan_run_state { PLAN_RUN_NONE, PLAN_RUN_RUNNING, PLAN_RUN_STOPPING, PLAN_RUN_KILLING };

struct plan_run {
	enum plan_run_state state;
	uint64_t started_ns;
	uint64_t deadline_ns; /* harakiri or mercy; 0 none */
	bool told;            /* PLAN_SIGNAL was said */
};

enum plan_phase { PLAN_IDLE, PLAN_SERVING, PLAN_DRAINING };

struct plan {
	struct plan_config config;
	enum plan_phase phase;
	struct plan_run run[LIMIT_TASK_RUNS];
	struct backoff backoff;
	unsigned early; /* ends in a row */
	bool broken;
	bool blocked;    /* its predecessor still runs */
	bool wanted;     /* a daemon: now, or when backoff.next_ns has come */
	unsigned due;    /* timed runs to start */
	time_t looked_s; /* the minute up to which timed runs were looked at */
	time_t ran_s;    /* the minute of the last run; 0 none */
};

enum plan_action_kind {
	PLAN_NOTHING,
	PLAN_START,  /* run: which is free. plan_ended() if it does not come to be */
	PLAN_SIGNAL, /* run: its stop signal */
	PLAN_KILL,   /* run: everything of it; why */
	PLAN_SKIP,   /* a timed run that is not made: it still runs */
};

enum plan_why { PLAN_WHY_NONE, PLAN_WHY_HARAKIRI, PLAN_WHY_MERCY, PLAN_WHY_STOP };

struct plan_action {
	enum plan_action_kind kind;
	unsigned run;
	enum plan_why why;
};

void plan_init(struct plan *p, const struct plan_config *config);
/* looked_s: the minute up to which an older generation has run timed jobs. */
void plan_serve(struct plan *p, time_t looked_s);
/* The predecessor runs or has gone. While it runs a daemon waits and a unique job's runs are skipped. */
void plan_block(struct plan *p, bool blocked);
/*
 * No further start. Daemons are told to end and killed when grace_ns are over; so are timed jobs, but for those that may
 * finish. grace 0: all are killed.
 */
void plan_drain(struct plan *p, uint64_t now_ns, uint64_t grace_ns, bool finish);
/* A daemon that runs is told to end, and then started anew at once. */
void plan_renew(struct plan *p, uint64_t now_ns);
/* Returns true if the run was healthy, or was told to end. ok: it exited with 0, or never ran for a reason of ours. */
bool plan_ended(struct plan *p, unsigned run, bool ok, uint64_t now_ns, uint32_t random);

bool plan_next(struct plan *p, uint64_t now_ns, time_t wall_s, struct plan_action *ret);
/* How long until plan_next() may have something to say; UINT64_MAX: nothing by itself. */
uint64_t plan_wait_ns(const struct plan *p, uint64_t now_ns, uint64_t wall_ns);

unsigned plan_running(const struct plan *p);
/* enum task_state of the scoreboard. */
unsigned plan_state(const struct plan *p);
bool plan_over(const struct plan *p);
