/*
 * scoreboard - what an app is doing, in shared memory: one size-sealed memfd per app that outlives every process
 * of it. Made by the emperor (or by a front alone), mapped writable by front and workers, read-only by emperor,
 * stats and emperorctl.
 *
 * Each field has exactly one writer, named below. Writers store relaxed and never lock; readers may see a value a
 * moment old. Counters only grow, also across generations: a generation writes its own bank (handoff.bank) on top
 * of what an earlier one left there, and an app's total is the sum over banks. For emperor, stats and emperorctl
 * all of it is untrusted input: use the board_read_* functions, which clamp, bound and terminate.
 */
#pragma once
#include "shared/limits.h"
#include "shared/span.h"
#include <stdatomic.h>

struct err;

#define BOARD_MAGIC   0x44524142u /* "BARD" */
#define BOARD_VERSION 4

#define BOARD_BUCKETS    48  /* histogram: see board_bucket() */
#define BOARD_EVENTS     128 /* ring of events; stats records gaps */
#define BOARD_EVENT_TEXT 480
#define BOARD_BLAMES     32 /* ring of blame records: every worker of an ordinary app stuck at once */
#define BOARD_LOG_BYTES  (64UL * 1024) /* ring of the app's last log lines, for emperorctl logs */
#define BOARD_LINE       160           /* "GET /path": what a lane is busy with; cut */
/* Of a blame record: enough of a URL to ask again, 60 to 100 frames, some 20 lines of a log. */
#define BOARD_BLAME_REQUEST 1024
#define BOARD_BLAME_REASON  256
#define BOARD_BLAME_STACKS  7168
#define BOARD_BLAME_LOG     2048

typedef _Atomic uint64_t board_u64;
typedef _Atomic uint32_t board_u32;

enum front_state {
	FRONT_NONE,
	FRONT_STARTING,
	FRONT_READY,
	FRONT_SERVING,
	FRONT_DRAINING,
	FRONT_GONE,
	FRONT_STATE_COUNT
};
enum worker_state {
	WORKER_NONE,
	WORKER_STARTING,
	WORKER_IDLE,
	WORKER_BUSY,
	WORKER_RETIRING,
	WORKER_DEAD,
	WORKER_STATE_COUNT
};

/* Counters of a bank. Written by the front. Names, units and texts: board_fields[] in scoreboard_names.c. */
struct board_counters {
	board_u64 connections;     /* accepted or received from the gate */
	board_u64 requests;        /* answered, by whomever */
	board_u64 responses[6];    /* by class: [1] 1xx ... [5] 5xx; [0] none could be sent */
	board_u64 bad_requests;    /* 400, 408, 413, 414, 431 made by the front */
	board_u64 rejected;        /* 503: queue full or too old */
	board_u64 read_timeouts;   /* 408: header-timeout, body-timeout, min-rate */
	board_u64 write_timeouts;  /* socket-timeout, min-rate: the answer was not read */
	board_u64 queue_timeouts;  /* of the rejected: waited longer than queue-timeout */
	board_u64 crowded;         /* closed or refused at the limit of connections, for new ones */
	board_u64 idle_timeouts;   /* connections without a request: keepalive, header-timeout */
	board_u64 timeouts;        /* 504: harakiri, interrupt-timeout */
	board_u64 interrupts;      /* of those, interrupted in the app */
	board_u64 fused;           /* 503: it had killed two workers (vassal/front/fuse.h) */
	board_u64 worker_deaths;   /* 502: died while it held a request */
	board_u64 exceptions;      /* 500: the app raised */
	board_u64 client_gone;     /* the client left before its answer */
	board_u64 static_requests; /* answered from files */
	board_u64 handed_back;     /* connections returned to the gate */
	board_u64 bytes_in, bytes_out; /* on the wire, heads included */
	board_u64 queue_us, app_us;    /* sums */
	board_u64 queue_hist
		[BOARD_BUCKETS]; /* microseconds from complete request to a worker's hands */
	board_u64 app_hist
		[BOARD_BUCKETS]; /* microseconds in the app, until the last byte came back */
	board_u64 spawned, recycled, killed, crashed; /* workers */
	board_u64 log_dropped;                        /* log lines that found no room */
};

/* One process. The first group is written by the front, the second by the worker itself. */
struct board_worker {
	board_u32 state; /* enum worker_state */
	board_u32 pid;
	board_u64 spawned_wall_ns;
	board_u64 respawns; /* of this number, all time */
	board_u64 harakiris;
	board_u64 rss, vsz, pss; /* bytes, measured by the front */

	board_u64 requests __attribute__((aligned(64))); /* of this number, all time */
	board_u64 delta_requests;                        /* of this process */
	board_u64 exceptions;
	board_u64 running_us; /* in the app, all time */
	board_u64 tx;         /* body bytes given back */
	board_u64 avg_us;     /* smoothed time of a request */
};

/* Of the front itself, or of the mold. Written by the front; 0: not measured, or there is none. */
struct board_process {
	board_u64 rss, pss; /* bytes */
};

/* One thread of a worker, index = worker * threads + thread. Written by the worker. */
struct board_lane {
	board_u32 busy;       /* 1 while a request is in the app */
	board_u32 sequence;   /* odd while line is being written */
	board_u64 started_ns; /* CLOCK_MONOTONIC */
	board_u64 requests;
	char line[BOARD_LINE]; /* method and target, NUL-terminated */
	char request_id[LIMIT_REQUEST_ID];
};

enum board_task_kind { BOARD_TASK_DAEMON, BOARD_TASK_CRON };
enum task_state {
	TASK_NONE,
	TASK_WAITING, /* for the generation to serve, or a timed job for its time */
	TASK_QUEUED,  /* for its predecessor of an older generation to end */
	TASK_RUNNING,
	TASK_BACKOFF,  /* ended; the next try is known */
	TASK_STOPPING, /* was told to end */
	TASK_BROKEN,   /* ended too early too often: not started again */
	TASK_STOPPED,
	TASK_STATE_COUNT
};

/* A program beside the app. Written by the front. */
struct board_task {
	board_u32 kind;  /* enum board_task_kind */
	board_u32 state; /* enum task_state */
	board_u32 pid;   /* of the newest run; 0 none */
	board_u32 running;
	board_u32 has_ended;   /* 1: last_status is one */
	board_u32 last_status; /* of the last end, as wait() gives it */
	board_u64 starts, failures;
	board_u64 started_wall_ns, ended_wall_ns;
	board_u64 next_wall_ns;  /* the next run or try; 0 unknown */
	board_u64 looked_wall_s; /* timed jobs: up to this minute, nothing is left to be run */
	board_u32 minder[LIMIT_TASK_RUNS]; /* pids: for the next generation, which waits for them */
	char name[LIMIT_TASK_NAME];        /* written once, before kind and state */
};

#define BOARD_STAMP 24 /* "2026-11-21T06:52:09.123Z" */

struct board_log {      /* written by the front */
	board_u64 head; /* bytes ever written; the ring holds the last BOARD_LOG_BYTES */
	char ring[BOARD_LOG_BYTES];
};

struct board_bank {
	/* the front */
	board_u64 generation; /* who writes here now; 0 = never used */
	board_u32 state;      /* enum front_state */
	board_u32 pid;
	board_u32 workers, threads; /* as configured */
	board_u32 queue;            /* requests waiting now */
	board_u32 queue_size;
	board_u32 connections; /* open now */
	board_u32 busy;        /* workers with a request, now */
	board_u32 room;        /* processes that it can be scaled to */
	board_u64 started_wall_ns;
	struct board_process front, mold;
	char pool
		[BOARD_LINE]; /* what its workers are up to, if that is not all of them serving; else "" */
	struct board_counters counters;
	struct board_log log;
	board_u32 tasks; /* rows in use */
	struct board_task task[LIMIT_TASKS];

	struct board_worker worker[LIMIT_WORKERS];
	struct board_lane lane[LIMIT_LANES];
};

enum board_event_kind {
	EVENT_NONE,
	/* made by the emperor, sent to stats over its link */
	EVENT_STARTED,
	EVENT_RELOADED,
	EVENT_FAILED,
	EVENT_STOPPED,
	EVENT_BACKOFF,
	/* made by a front, in the ring */
	EVENT_WORKER_SPAWNED,
	EVENT_WORKER_RECYCLED,
	EVENT_WORKER_KILLED,
	EVENT_WORKER_CRASHED,
	EVENT_HARAKIRI,
	EVENT_NOTE,
	EVENT_FUSED,
	/* the emperor's again; history stores numbers, so that new kinds come last */
	EVENT_ASLEEP,
	EVENT_WOKEN,
	EVENT_BUDGET, /* the machine's limits: what was put to sleep, retired, or made to wait */
	/* made by the emperor again */
	EVENT_LIMITS,      /* changed in place */
	EVENT_REFUSED,     /* what a command asked for */
	EVENT_ROLLED_BACK, /* an older version of it serves again */
	EVENT_TASK,        /* a daemon or timed job started, ended, was killed */
	EVENT_ROLE_DIED,   /* gate, stats or keeper: of no app */
	EVENT_KIND_COUNT,
};

struct board_event {
	board_u64
		number; /* 1, 2, ...; 0 while it is being written; the slot is (number - 1) % BOARD_EVENTS */
	uint64_t wall_ns;
	uint64_t generation;
	uint32_t kind;   /* enum board_event_kind */
	uint32_t worker; /* 1-based; 0 none */
	char text[BOARD_EVENT_TEXT];
};

enum board_blame_kind {
	BLAME_NONE,
	BLAME_SLOW,        /* slow-request: it may still end well */
	BLAME_TIMEOUT,     /* harakiri */
	BLAME_INTERRUPTED, /* interrupt-timeout: an exception was raised in the app */
	BLAME_KILLED, /* its worker was killed for something else: memory, mercy, deadlock, broken frames */
	BLAME_CRASHED, /* its worker died by itself, or by somebody's signal */
	BLAME_LIMIT,   /* a limit of its own: CPU, file size, address space */
	BLAME_LOST,    /* a worker wrote over the memory that says who has it */
	BLAME_KIND_COUNT,
};

/* What was known of a request when it went wrong. Written by a front, in one piece, when all of it is known. */
struct board_blame {
	board_u64 number; /* as of an event; the slot is (number - 1) % BOARD_BLAMES */
	uint64_t wall_ns; /* when it went wrong */
	uint64_t generation;
	uint64_t age_us, queue_us; /* in the worker's hands; before that */
	uint64_t rss;              /* bytes, of the worker; 0 unknown */
	int64_t rss_growth;        /* since the request began; 0 unknown */
	uint32_t kind;             /* enum board_blame_kind */
	uint32_t worker, pid;      /* 1-based; 0 none */
	uint32_t status;           /* that the client got; 0: none yet, or it had gone */
	uint32_t signal;           /* that ended the worker; 0 none */
	uint32_t reserved;
	char id[LIMIT_REQUEST_ID];
	char request[BOARD_BLAME_REQUEST]; /* "GET /path?query" */
	char reason[BOARD_BLAME_REASON];
	char stacks
		[BOARD_BLAME_STACKS]; /* as faulthandler prints them; the last frames may be cut */
	char log[BOARD_BLAME_LOG];    /* the app's last lines before it */
};

struct scoreboard {
	uint32_t magic, version;
	uint64_t size; /* sizeof(struct scoreboard): readers refuse any other */
	char name[LIMIT_NAME];
	board_u64
		events; /* number of the last event; taken by fetch_add, since two fronts may write at a swap */
	struct board_event event[BOARD_EVENTS];
	board_u64 blames; /* number of the last blame record; taken as that of events */
	struct board_blame blame[BOARD_BLAMES];
	struct board_bank bank[LIMIT_BANKS];
};

/* -- writers -------------------------------------------------------------------------------------------- */

/* A new board: sealed in size (SHRINK, GROW, SEAL), never against writing. */
int board_create(int *ret_fd, struct scoreboard **ret_board, const char *name, struct err *err);
/* Maps one that was handed over, for writing. Checks size, seals, magic. */
int board_map(int fd, struct scoreboard **ret_board, struct err *err);
void board_unmap(const struct scoreboard *b);

void board_event(struct scoreboard *b, uint64_t wall_ns, uint64_t generation,
		 enum board_event_kind kind, unsigned worker, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
/* r's number is not looked at; texts are copied up to their end only. */
void board_blame_write(struct scoreboard *b, const struct board_blame *r);
void board_log_write(struct board_bank *bank, const char *text, size_t n);
/* The mark of a generation that begins to write behind an earlier one. stamp: BOARD_STAMP bytes, as lines begin with. */
void board_log_begin(struct board_bank *bank, const char *stamp);

/* A counter with one writer needs no locked instruction. */
static inline void board_add(board_u64 *c, uint64_t n)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

static inline void board_set(board_u64 *c, uint64_t n)
{
	atomic_store_explicit(c, n, memory_order_relaxed);
}

static inline uint64_t board_get(const board_u64 *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

/*
 * Histogram of microseconds: two buckets for each power of two, so a percentile is right to within 25 %.
 * Bucket 0 holds 0 to 1 us; the last everything above about 16 s.
 */
static inline unsigned board_bucket(uint64_t us)
{
	unsigned top;
	unsigned b;

	if (us < 2)
		return 0;
	top = 63U - (unsigned)__builtin_clzll(us);
	b = 2 * top - 1 + (unsigned)((us >> (top - 1)) & 1);
	return b < BOARD_BUCKETS ? b : BOARD_BUCKETS - 1;
}

/* -- readers -------------------------------------------------------------------------------------------- */

/* Maps read-only through an O_RDONLY reopen, after checking size and seals. The content is still untrusted. */
int board_map_readonly(int fd, const struct scoreboard **ret_board, struct err *err);

/* Gives back the pages that this process has touched (they stay with the board): a reader of many boards stays small. */
void board_trim(const struct scoreboard *b);

/* Lower bound in microseconds of bucket b, and the p-th percentile (0..100) of a histogram, interpolated. */
uint64_t board_bucket_floor_us(unsigned b);
uint64_t board_percentile_us(const uint64_t hist[BOARD_BUCKETS], double p);

/* Plain copy of counters, summed over all banks. */
struct board_totals {
	uint64_t connections, requests, responses[6], bad_requests, rejected, timeouts, interrupts,
		read_timeouts, write_timeouts, queue_timeouts, crowded, idle_timeouts, fused,
		worker_deaths, exceptions, client_gone, static_requests, handed_back, bytes_in,
		bytes_out, queue_us, app_us, spawned, recycled, killed, crashed, log_dropped;
	uint64_t queue_hist[BOARD_BUCKETS], app_hist[BOARD_BUCKETS];
};
void board_read_totals(const struct scoreboard *b, struct board_totals *ret);

/* The bank that this generation writes, or NULL. */
const struct board_bank *board_find_bank(const struct scoreboard *b, uint64_t generation);

/* How many worker rows of this bank may be in use: reading more would touch pages that nobody has. */
unsigned board_worker_rows(const struct board_bank *bank);
bool board_worker_lives(const struct board_worker *w);

/*
 * Bytes of processes. rss counts what they share once in each; held is the share of each (PSS) where that was measured, else
 * what is resident: that is what the machine gets back without them.
 */
struct board_memory {
	uint64_t rss, pss, held;
};
struct board_app_memory {
	struct board_memory front, mold, workers;
};
uint64_t board_worker_held(const struct board_worker *w);
/* Adds what this bank's front has measured of itself, its mold and its workers. */
void board_add_memory(const struct board_bank *bank, struct board_app_memory *sum);
struct board_memory board_memory_of_all(const struct board_app_memory *m);

/* What a lane is busy with: copies a consistent, terminated line; false if it changed too fast or is idle. */
bool board_read_lane(const struct board_lane *lane, char line[BOARD_LINE],
		     char id[LIMIT_REQUEST_ID], uint64_t *ret_started_ns);

/* The event with this number: 1 copied, 0 not written yet, -1 gone: then ret is rubbish. Text is terminated. */
int board_read_event(const struct scoreboard *b, uint64_t number, struct board_event *ret);

/*
 * The event after number *at, which moves on to it. True = copied. Numbers that can never be read any more are skipped
 * and added to *missed; never more than BOARD_EVENTS steps, whatever the board claims. An event that is just being
 * written stops the walk while wait is set; without it it counts as missed (its writer may have been killed half-way).
 */
bool board_next_event(const struct scoreboard *b, uint64_t *at, bool wait, uint64_t *missed,
		      struct board_event *ret);

/* The same for blame records. Texts are terminated, numbers clamped to what an int64_t holds. */
int board_read_blame(const struct scoreboard *b, uint64_t number, struct board_blame *ret);
bool board_next_blame(const struct scoreboard *b, uint64_t *at, bool wait, uint64_t *missed,
		      struct board_blame *ret);

/* A plain copy of a task's row, judged: bounded, of known kind and state, its name terminated. */
struct board_task_now {
	unsigned kind, state, pid, running;
	bool has_ended;
	int last_status;
	uint64_t starts, failures, started_wall_ns, ended_wall_ns, next_wall_ns;
	char name[LIMIT_TASK_NAME];
};
/* False: there is no such row. */
bool board_read_task(const struct board_bank *bank, unsigned i, struct board_task_now *ret);

/* Is this line (without its newline) no line, but the mark of board_log_begin()? The stamp stands behind its first byte. */
bool board_log_is_mark(const char *line, size_t n);
/* Log bytes from *at on (absolute position; moved forward). Skips what was overwritten. Returns bytes copied. */
size_t board_log_read(const struct board_bank *bank, uint64_t *at, char *buf, size_t size);

const char *board_front_state_name(unsigned state);
const char *board_worker_state_name(unsigned state);
const char *board_task_kind_name(unsigned kind);
const char *board_task_state_name(unsigned state);
const char *board_event_name(unsigned kind);
const char *board_blame_name(unsigned kind);

/* One row per counter of struct board_counters / board_totals that is a plain number: stats JSON, Prometheus,
   sqlite columns and docs come from it. */
struct board_field {
	const char *name;     /* "requests" */
	const char *unit;     /* "", "bytes", "us" */
	const char *text;     /* one line for people */
	size_t totals_offset; /* in struct board_totals */
};
extern const struct board_field board_fields[];
extern const size_t board_fields_n;
