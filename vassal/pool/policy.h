/*
 * policy - how many workers a pool should have, and what to do about it. Pure: slots, a clock and
 * limits go in, actions come out; no process, no descriptor, no clock of its own.
 *
 * The caller reports what happened (policy_ready, policy_gone ...) and then takes actions until
 * there is none. An action has already changed the policy's own picture when it is returned; doing
 * it is the caller's part.
 *
 * Promises, tested by a random walk:
 * - Never more than `processes` are wanted, never fewer than the configuration's least, unless the pool
 *   naps: then none; and a request that waits ends a nap at once.
 * - At most max(1, a quarter) of those wanted are being replaced at a time.
 * - Never more processes than numbers (processes + room for replacements), but for those that are
 *   left of a time when there were to be more.
 * - A worker is retired only while more than `processes` are ready, unless everything is being
 *   stopped: recycling never costs a worker that could serve. When fewer are wanted, only idle ones
 *   go.
 * - A number whose process died is respawned at once the first time, then with back-off: no fork
 *   storm. One that had begun to serve waits only until POLICY_RESPAWN_NS after its last birth:
 *   requests that crash must not take the app away from everybody else.
 * - Before the generation has served, too many deaths or the startup timeout fail it; afterwards
 *   nothing does.
 */
#pragma once
#include "shared/backoff.h"
#include "shared/base.h"
#include "shared/limits.h"

/*
 * From "print your stacks" to SIGKILL. faulthandler writes some hundred lines in a few ms; on a
 * machine that swaps it needs longer, and the client already has its answer.
 */
#define STACKS_GRACE_MS 200

/*
 * A fork costs some ms: once a second for each number is nothing. Longer, and a client that knows a
 * request which crashes could keep all others out.
 */
#define POLICY_RESPAWN_NS NS_PER_S
/*
 * A mold that had imported the app, or one while no worker lives, is made again after this at the latest: clients may wait
 * for it. Import is processor time (a second or two for a large app), so not sooner however often it dies. One that cannot
 * even import, beside workers that serve, waits as long as its back-off says.
 */
#define POLICY_REMOLD_NS (5 * NS_PER_S)
/* Memory over its limit this many checks in a row: a spike does not recycle. */
#define POLICY_OVER_CHECKS 3
/*
 * A request that waited so long has another process forked, which takes about as long: shorter, and a
 * burst that the present ones are just about to answer would do it.
 */
#define POLICY_GROW_NS (20 * NS_PER_MS)
/* A process that had nothing to do for so long is one too many: longer than the pauses of a page that loads. */
#define POLICY_SHRINK_NS (10 * NS_PER_S)
/* Forks asked of the mold and not answered: its socket holds at least 90 messages. */
#define POLICY_FORKS_MAX    16
#define POLICY_SCALE        16 /* threads a generation can be scaled to at least: 7 MB of address space */
#define POLICY_START_DEATHS 2 /* before ready, each process may die once, and this many more */

enum slot_state { SLOT_EMPTY, SLOT_STARTING, SLOT_READY, SLOT_RETIRING, SLOT_KILLING };
enum mold_state { MOLD_NONE, MOLD_STARTING, MOLD_READY, MOLD_LEAVING, MOLD_KILLING };
enum policy_phase { PHASE_START, PHASE_SERVE, PHASE_FAILED, PHASE_STOP, PHASE_OVER };

enum policy_action_kind {
	ACTION_NONE,
	ACTION_MOLD_SPAWN,
	ACTION_MOLD_QUIT,
	ACTION_MOLD_STACKS, /* it is stuck: ask where; a kill follows */
	ACTION_MOLD_KILL,
	ACTION_SPAWN,
	ACTION_RETIRE, /* takes no further request, leaves when idle */
	ACTION_STACKS, /* it is stuck: ask where; a kill follows */
	ACTION_KILL,
	ACTION_READY,   /* all processes wait: the generation may serve. Once */
	ACTION_FAIL,    /* the generation will never serve. Once, instead of ready */
	ACTION_STOPPED, /* after policy_stop: nothing is alive. Once */
};

enum policy_reason {
	WHY_NONE,
	WHY_REQUESTS, /* max-requests */
	WHY_AGE,      /* max-worker-lifetime */
	/* memory over a limit: WHY_RSS + enum policy_memory */
	WHY_RSS,
	WHY_PSS,
	WHY_USS,
	WHY_AS,
	WHY_EVIL_RSS,
	WHY_EVIL_AS,
	WHY_CHANNEL, /* closed its channel to the front */
	WHY_MERCY,   /* retiring, and did not leave in time */
	WHY_STARTUP, /* not ready in time */
	WHY_DEATHS,  /* died too often before it was ready */
	WHY_TOLD,    /* said itself that it cannot start */
	WHY_MOLD,    /* the mold died or said that it cannot start */
	WHY_STOP,    /* everything is being ended */
	WHY_ASKED,   /* the front wants it */
	WHY_REFORK,  /* there is a mold that has more to share */
	WHY_BUDGET,  /* the machine is short of memory */
	WHY_STUCK,   /* a request of it goes on after its interrupt */
	WHY_SURPLUS, /* fewer processes are wanted */
};

enum policy_memory {
	MEMORY_RSS,
	MEMORY_PSS,
	MEMORY_USS,
	MEMORY_AS,
	MEMORY_EVIL_RSS, /* those below count in a request that does not end, too */
	MEMORY_EVIL_AS,
	MEMORY_KINDS,
};

struct policy_action {
	enum policy_action_kind kind;
	unsigned worker; /* 0-based */
	enum policy_reason why;
};

struct policy_config {
	unsigned processes; /* that serve, at most */
	unsigned least;     /* of them when little is to do; = processes: all, always */
	unsigned initial;   /* 0: begins with a nap */
	unsigned step;      /* so many more at a time; not 0 */
	uint64_t idle_ns;   /* without a request until it naps; 0 = never */
	unsigned numbers;   /* > processes: the rest is room for replacements */
	unsigned capacity;  /* >= numbers, and fixed: how far both may grow while it serves */
	uint64_t max_requests, max_requests_delta; /* 0 = never; UINT64_MAX = a tenth */
	uint64_t max_lifetime_ns, max_lifetime_delta_ns;
	uint64_t min_lifetime_ns;            /* for requests and memory alone */
	uint64_t memory_limit[MEMORY_KINDS]; /* bytes; 0 = none */
	uint64_t startup_ns;                 /* 0 = for ever */
	uint64_t mercy_ns;                   /* from retiring to a kill; 0 = for ever */
	uint32_t seed;                       /* not 0 */
};

struct policy_slot {
	enum slot_state state;
	enum policy_reason due; /* wants a replacement; WHY_NONE: not */
	enum policy_reason why; /* of retiring or killing */
	bool forked;            /* the mold has answered, or the worker spoke: there is a process */
	bool killed;            /* SIGKILL was sent */
	bool left;              /* leaves of its own will: counts as a death for the back-off */
	bool worked;            /* holds a request, or held one when it died */
	bool forgiven;          /* the one respawn without waiting is used up */
	bool idle;              /* as policy_idle() said last */
	enum policy_reason condemned; /* to be killed for it, in its request; WHY_NONE: not */
	unsigned over[MEMORY_KINDS];  /* checks in a row with memory over the limit */
	unsigned stuck[MEMORY_KINDS]; /* of them, in one and the same request */
	uint64_t stuck_served[MEMORY_KINDS];
	uint64_t figure; /* bytes, of what it is due or condemned for */
	uint64_t spawned_ns, ready_ns;
	uint64_t active_ns;   /* had something to do */
	uint64_t due_ns;      /* not to be replaced before */
	uint64_t expires_ns;  /* 0 = never */
	uint64_t deadline_ns; /* of this state; 0 = none */
	uint64_t served, served_limit;
	uint64_t served_seen; /* at the last policy_idle() */
	struct backoff backoff;
};

struct policy {
	struct policy_config config;
	enum policy_phase phase;
	unsigned target;  /* so many are to be ready or on their way; 0: it naps */
	unsigned waiting; /* requests that no worker has taken, the oldest since: */
	uint64_t oldest_ns;
	uint64_t grown_ns;    /* the last step up: it is to show what it does before the next */
	uint64_t active_ns;   /* the last sign of a request */
	uint64_t nap_hold_ns; /* no nap before: something is done first */
	enum mold_state mold;
	bool mold_killed, mold_forgiven, mold_stuck;
	bool mold_imported; /* the one that is there, or was last, had got ready */
	uint64_t mold_started_ns, mold_deadline_ns, mold_gone_ns;
	struct backoff mold_backoff;
	uint64_t start_deadline_ns, fail_ns, stop_deadline_ns;
	bool stop_now;
	enum policy_reason fail_why;
	unsigned start_deaths;
	uint32_t random;
	struct policy_slot slot[LIMIT_WORKERS];
};

/* Room for replacements: a quarter, so that recycling all of them takes a few rounds, at least one.
 */
unsigned policy_numbers(unsigned processes, unsigned threads);
/* How much of it to reserve for a generation that starts with so many: it may be scaled up to twice
 * as many, and to POLICY_SCALE if those have one thread. */
unsigned policy_capacity(unsigned processes, unsigned threads);
/* The most processes that fit: one number at least is room for replacements. */
unsigned policy_most(unsigned capacity);

/* Takes new counts and limits while it runs; capacity stays. processes <= policy_most(). */
void policy_configure(struct policy *p, const struct policy_config *config);

/* Has to be told which workers are idle before each policy_next: more are ready than wanted, or may be. */
bool policy_wants_idle(const struct policy *p);
void policy_idle(struct policy *p, unsigned worker, bool idle, uint64_t now_ns);
/* It would nap now, but for a hold: what is to be done before has its turn. */
bool policy_is_to_nap(const struct policy *p, uint64_t now_ns);
/* No nap before then; 0 = as soon as it may. */
void policy_hold_nap(struct policy *p, uint64_t until_ns);
/* While there is no mold: when the next one is made. */
uint64_t policy_mold_due_ns(const struct policy *p, uint64_t now_ns);
/* Would have more workers if requests wait. */
bool policy_wants_pressure(const struct policy *p);
void policy_pressure(struct policy *p, unsigned waiting, uint64_t oldest_ns, uint64_t now_ns);

void policy_init(struct policy *p, const struct policy_config *config, uint64_t now_ns);

void policy_mold_ready(struct policy *p);
void policy_mold_failed(struct policy *p,
			uint64_t now_ns); /* it said that it cannot start; it still lives */
void policy_mold_lost(struct policy *p, uint64_t now_ns); /* closed its channel; it still lives */
void policy_mold_gone(struct policy *p, uint64_t now_ns);

void policy_forked(struct policy *p, unsigned worker);
void policy_ready(struct policy *p, unsigned worker, uint64_t now_ns);
void policy_start_failed(struct policy *p, unsigned worker,
			 uint64_t now_ns); /* it said so; it still lives */
void policy_leaves(struct policy *p, unsigned worker, uint64_t now_ns); /* of its own will */
void policy_gone(struct policy *p, unsigned worker,
		 uint64_t now_ns); /* exited, or was never forked */

/* It holds a request: should it die, then not because it cannot start. Before policy_gone(). */
void policy_worked(struct policy *p, unsigned worker);
/* These two say true when the worker has just become due, or is to be killed. */
bool policy_served(struct policy *p, unsigned worker);
bool policy_measured(struct policy *p, unsigned worker, enum policy_memory kind, uint64_t bytes);
void policy_due(struct policy *p, unsigned worker, enum policy_reason why);
/* Its stacks are being asked for: killed after STACKS_GRACE_MS. */
void policy_kill(struct policy *p, unsigned worker, uint64_t now_ns);
void policy_stop(struct policy *p, uint64_t now_ns, uint64_t grace_ns);

/* False: nothing to do now. */
bool policy_next(struct policy *p, uint64_t now_ns, struct policy_action *ret);
/* When policy_next may have something to say although nothing happened; 0 = never. */
uint64_t policy_wake_ns(const struct policy *p, uint64_t now_ns);
