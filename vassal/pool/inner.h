/*
 * inner - what the files of the pool share: pool.c (the turn of the wheel: timers, exits,
 * policy), act.c (what policy decides is done), settings.c (what the configuration means to it), mold.c (the channel to the mold), worker.c (the channels to workers, their birth
 * and end), death.c (how they ended), asks.c (their stacks). Private to this folder.
 */
#pragma once
#include "shared/engines.h"
#include "shared/msg.h"
#include "shared/vassal_config.h"
#include "vassal/pool/exits.h"
#include "vassal/pool/output.h"
#include "vassal/pool/policy.h"
#include "vassal/pool/pool.h"
#include "vassal/pool/refork.h"
#include "vassal/pool/stacks.h"
#include <ev.h>

#define POOL_WHY    256
#define POOL_TICK_S 1.0 /* measuring, while something is served */
/* Messages read from one channel in one turn: a worker that chatters starves nobody. */
#define POOL_MSGS_TURN  16
#define POOL_MSGS_DRAIN 512 /* at its end all that a socket may hold */

struct crew_msg;

struct worker {
	struct pool *pool; /* borrowed */
	unsigned number;   /* 0-based */
	pid_t pid;         /* 0: not told yet */
	int fd;            /* owned; -1: none */
	ev_io io;
	unsigned answers_due; /* FORKs that the mold has not answered: an answer to an older one is
				 not about this process */
	bool left;            /* said that it leaves of its own will */
	bool once_spawned;
	bool lingers; /* killed, has not gone, and that was said */
	uint64_t spawned_ns, served, rss;
	uint64_t rss_ns;                    /* when that was measured */
	uint64_t rss_before, rss_before_ns; /* the last before the request that it holds */
	uint64_t kill_ns;                   /* SIGKILL was sent */
	uint64_t eof_ns;                    /* its channel ended */
	uint64_t pss_ns;                    /* last measured */
	char why[POOL_WHY];                 /* of the kill, or of its leaving */
};

struct mold {
	pid_t pid; /* 0: none */
	int fd;    /* owned; -1: none */
	ev_io io;
	uint64_t import_us;
	char why[POOL_WHY]; /* what became of the last one, until the next is ready; "" */
};

struct pool {
	struct ev_loop *loop;
	struct pool_setup setup; /* what it points to is borrowed */
	struct pool_events events;
	void *arg;
	struct vassal_config
		config; /* as of now: pool_configure() changes it. Strings are setup.config's */
	struct policy policy;
	struct engine engine;
	struct mold mold;
	struct refork refork;
	struct worker worker[LIMIT_WORKERS];
	struct output output;
	struct stacks stacks;
	ev_timer stacks_timer; /* while somebody's turn it is */
	struct exits exits;
	ev_child child;
	ev_timer step;      /* the next time policy wants to be asked; also fed by pool_kick */
	ev_timer tick;      /* measuring */
	double tick_s;      /* POOL_TICK_S; tests do not wait for it */
	uint64_t fresh_rss; /* of the last worker that was measured before its first request */
	unsigned idle_ticks, pss_next;
	uint64_t front_pss_ns, mold_pss_ns; /* last measured */
	uint64_t pss_not_before_ns;
	bool active;  /* something was served since the last tick */
	bool pressed; /* something waits, and a timer is armed for it */
	bool said_too_large;
	bool served; /* ready() was called */
	bool over;   /* failed() or stopped(): no further words about workers */
	enum fail_phase fail_phase;
	char fail_text[LIMIT_MSG_TEXT];
	char last_death[POOL_WHY + 64]; /* before ready: why it fails if that goes on */
};

/* pool.c */
/* Asks policy at the end of this turn. */
void pool_kick(struct pool *pool);
void pool_event(struct pool *pool, unsigned kind, unsigned worker, const char *fmt, ...)
	_printf_(4, 5);
/* Why the generation cannot start; the first reason stays. */
void pool_blame(struct pool *pool, enum fail_phase phase, const char *fmt, ...) _printf_(3, 4);
/* A pid that a process of the app told us: ours to kill only if it can be one of our processes. */
bool pool_pid_sane(const struct pool *pool, uint64_t pid);

/* act.c */
void act_carry_out(struct pool *pool, const struct policy_action *a);

/* settings.c */
void settings_init(struct pool *pool);

/* mold.c */
void mold_spawn(struct pool *pool);
void mold_quit(struct pool *pool);
void mold_kill(struct pool *pool, bool stacks);
void mold_exited(struct pool *pool, int status);
void mold_close(struct pool *pool);
/* This process, on this channel, is the mold from now on. The one before is no longer ours to hear. */
void mold_take(struct pool *pool, pid_t pid, int fd);

/* worker.c */
void worker_init(struct pool *pool, unsigned number);
void worker_spawn(struct pool *pool, unsigned number);
void worker_retire(struct pool *pool, unsigned number);
void worker_kill(struct pool *pool, unsigned number);
void worker_set_why(struct pool *pool, unsigned number, const char *why);
/* What the mold says about it. */
void worker_forked(struct pool *pool, unsigned number, uint64_t pid);
void worker_fork_failed(struct pool *pool, unsigned number, const char *text);
void worker_exited(struct pool *pool, unsigned number, int status);
/* The mold is gone: those it did not come to fork will never be. */
void worker_mold_gone(struct pool *pool);
void worker_close(struct worker *w);

/* asks.c */
void asks_stacks(struct pool *pool, unsigned number, enum stacks_how how);
/* Tells what has come and asks the next. */
void asks_turn(struct pool *pool);
/* The turn of the present one is over: its death ends it, or what it was asked for has come. */
void asks_tell(struct pool *pool);
void asks_interrupt(struct pool *pool, unsigned number);
/* A kill follows: asks for its stacks, and lets it take no request in the time that this needs. */
void asks_doom(struct pool *pool, unsigned number);

/* death.c */
/*
 * Sorts it into one of: killed by us, recycled, left, crashed; w->why says so then. True: it was to be expected, and there
 * is nothing to say.
 */
bool death_classify(struct worker *w, int status);

/* watch.c */
/* Before its first request: what later ones have cost is told from here. */
void watch_begin(struct worker *w);
void watch_look(struct pool *pool, unsigned number, uint64_t since_ns, struct pool_look *ret);
/* What front and mold hold, at once: nobody may look again for long. */
void watch_house(struct pool *pool);
/* False: there is no worker to look at. */
bool watch_tick(struct pool *pool, uint64_t now_ns);
