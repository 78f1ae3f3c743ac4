/*
 * pool - the engine processes of one front: starts the mold, has it fork workers, reaps, measures, replaces. What to
 * do is decided by policy.h (pure); this is the hand that does it (the only fork+exec of a vassal).
 *
 * Workers are numbered 0 .. exchange workers - 1; processes of them serve, some are room for replacements, the rest for
 * being scaled up to twice as many (or to 16 threads in all, if that is more): a worker that is due (max-requests, memory) is retired only when its replacement has reported ready, at most
 * max(1, a quarter of them) at a time. Fewer serve, or none, when little is to do (cheaper, idle). A number that dies is respawned with back-off of its own.
 *
 * One front, one loop (libev's default loop, which reaps every child; the front is a subreaper). Callbacks come from
 * the loop, never from inside a pool_* call.
 */
#pragma once
#include "shared/base.h"
#include "shared/msg.h"
#include <sys/types.h>

/* pool_kill: a why that begins so counts as a harakiri of that worker. */
#define POOL_HARAKIRI "harakiri"
/* One that begins so was killed because everything ends. */
#define POOL_MERCY "reload-mercy"

struct board_bank;
struct err;
struct ev_loop;
struct exchange;
struct pool;
struct scoreboard;
struct vassal_config;

struct pool_death {
	unsigned worker;
	pid_t pid;
	int status;    /* as wait() gave it */
	bool late;     /* killed for time alone: a request took too long, or it did not leave */
	bool killed;   /* by us */
	bool expected; /* retired or told to: nothing to say */
	const char *stacks; /* what it printed as it crashed; "" */
	char why[256]; /* "killed by signal 11 (Segmentation fault)", "harakiri", "exited with 3" */
};

struct pool_events {
	/* Imported, warmed up, all workers wait: the generation may serve. Once. */
	void (*ready)(void *arg, uint64_t import_us, unsigned workers);
	/* Will never serve; every process of it is being ended. Once, instead of ready. */
	void (*failed)(void *arg, enum fail_phase phase, const char *text);
	/*
	 * A worker process is gone. The front consumes what its lanes still hold, then exchange_bury()s and answers
	 * 502 for what it held. The number is reused only after this returned.
	 */
	void (*died)(void *arg, const struct pool_death *death);
	/* A worker needs the body of this slot as a file. Returns a borrowed descriptor, -1 if the slot is not its. */
	int (*body)(void *arg, unsigned worker, unsigned slot);
	/*
	 * A worker hands over the file that its answer to this slot's request is in, from at on. fd is borrowed. False:
	 * the slot is not its, or that is no file.
	 */
	bool (*file)(void *arg, unsigned worker, unsigned slot, int fd, uint64_t at);
	/*
	 * Bytes that the app printed on stdout or stderr: one line a call, with its newline; without one when the line
	 * is too long, or was left unfinished for half a second (the rest comes with the next calls).
	 */
	void (*output)(void *arg, const char *p, size_t n);
	/* Something for the log and the event ring: enum board_event_kind, 1-based worker or 0. */
	void (*event)(void *arg, unsigned kind, unsigned worker, const char *text);
	/*
	 * What a worker printed when it was asked for its stacks (terminated; "" if it did not answer). NULL: nobody
	 * wants to know.
	 */
	void (*stacks)(void *arg, unsigned worker, pid_t pid, const char *text);
	/* After pool_stop: the last process has gone. Once. */
	void (*stopped)(void *arg);
	/* How many requests no worker has taken, and since when the oldest of them waits. May be NULL: nothing waits. */
	unsigned (*waiting)(void *arg, uint64_t *ret_oldest_ns);
	/* py-autoreload: the files that a worker's modules came from (crew.h, CREW_MODULES); fd is borrowed. */
	void (*modules)(void *arg, int fd);
};

struct pool_setup {
	const struct vassal_config *config; /* borrowed for the pool's life */
	int config_fd;                      /* memfd that the engine gets (handoff.h) */
	int board_fd;
	struct scoreboard *board;
	struct board_bank *bank;
	struct exchange *exchange;
	uint64_t generation;
	const char *name;
	const char *engine_dir; /* where engine-pythonX.Y stand */
};

/* How many exchange workers this configuration wants: processes, their room for replacements, and room to be scaled
 * up while it runs. */
unsigned pool_worker_numbers(const struct vassal_config *config);

int pool_start(struct pool **ret_pool, struct ev_loop *loop, const struct pool_setup *setup,
	       const struct pool_events *events, void *arg, struct err *err);

/*
 * Takes counts and limits of a changed configuration in place: processes, max-requests, memory limits, mercies. More
 * workers are forked at once, fewer leave as they become idle. Nothing of config is kept. -ERANGE when there is no room
 * for so many processes; then nothing has changed.
 */
int pool_configure(struct pool *pool, const struct vassal_config *config, struct err *err);
/* The same for the number of processes alone. */
int pool_scale(struct pool *pool, unsigned processes, struct err *err);
unsigned pool_processes(const struct pool *pool);
unsigned pool_processes_most(const struct pool *pool); /* that this generation has room for */

/*
 * With cheaper, idle or cheap: more workers come when requests wait. While pool_wants_pressure(), the front calls
 * pool_pressure() whenever some may; waiting() then says how many and since when.
 */
bool pool_wants_pressure(const struct pool *pool);
void pool_pressure(struct pool *pool);

/* A frame speaks of what this worker has said before: hears it now. */
void pool_hear(struct pool *pool, unsigned worker);
/* The front saw an answer of this worker end: counts towards max-requests. */
void pool_served(struct pool *pool, unsigned worker);

/*
 * This worker must go now: its stacks are asked for (they come as output), and after STACKS_GRACE_MS it is killed.
 * why goes to the log and to died(). The request it holds has already been answered by the front.
 */
void pool_kill(struct pool *pool, unsigned worker, const char *why);
enum pool_renewal {
	POOL_RENEW_BUDGET, /* the machine is short of memory */
	POOL_RENEW_STUCK,  /* a request of it goes on after its interrupt */
};
/* This worker is to be replaced, its successor first. Nothing if it is not in service. */
void pool_renew(struct pool *pool, unsigned worker, enum pool_renewal why);
/* Only the stacks, for a request that is slow and may live. */
void pool_stacks(struct pool *pool, unsigned worker);
/* Has it look whether what it works on was condemned (exchange_condemn). */
void pool_interrupt(struct pool *pool, unsigned worker);
/* It has not been sent yet: one worker after the other is asked. */
bool pool_interrupt_waits(const struct pool *pool, unsigned worker);

/* What is known of a worker process. */
struct pool_look {
	pid_t pid;
	uint64_t rss;        /* bytes, now if it lives; 0 unknown */
	uint64_t rss_before; /* by the last measurement before since_ns; 0 unknown */
};
void pool_look(struct pool *pool, unsigned worker, uint64_t since_ns, struct pool_look *ret);

/* Retires every worker and ends the mold; kills what is left after grace_s. Then stopped(). */
void pool_stop(struct pool *pool, unsigned grace_s);
void pool_free(struct pool *pool);
