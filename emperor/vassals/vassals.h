/*
 * vassals - the table of apps and their generations: what reconcile wants, lifecycle decides and spawn does meets here.
 * The one place that knows which processes, doors and scoreboards belong to which app. Owned by main, on its loop.
 */
#pragma once
#include "emperor/app_state.h"
#include "shared/base.h"
#include "shared/limits.h"
#include "shared/span.h"
#include <limits.h>
#include <sys/types.h>

struct doors;
struct err;
struct vassals;

/* A snapshot for control and stats. Strings are borrowed until the loop turns. */
struct app_info {
	uint32_t id; /* never reused while the emperor lives */
	const char *name;
	const char *file; /* path of the ini */
	enum app_state state;
	const char *reason; /* why it is in that state, "" if plain */
	const char *
		last_error; /* of the last failed generation, with traceback lines; "" if the last one succeeded */
	uint64_t since_wall_ns;
	uint64_t next_try_wall_ns; /* BACKOFF; else 0 */
	uint64_t generation;       /* that serves, or that starts if none serves */
	uint64_t newest;           /* generations so far, those that failed as well */
	bool overlaps;             /* an older generation may still take from the doors */
	pid_t pid;                 /* of its front; 0 */
	uid_t uid;
	gid_t gid;
	unsigned restarts;         /* fronts that ended without being asked to */
	unsigned failures;         /* in a row */
	unsigned scaled;           /* processes by command; 0: as its ini says */
	const char *domains;       /* "blog.example, *.blog.example/x" */
	const char *addresses;     /* its own listeners, as its ini says them */
	const struct doors *doors; /* what it listens on, stats too: vassals_listens() */
	int board_fd;              /* scoreboard, read-only descriptor; -1 */
	unsigned warnings; /* notes about its ini and of its front; texts by vassals_notes() */
};

/* The i-th address that it has open by now, ADDRESS_TEXT bytes; false: there are no more. */
bool vassals_listens(const struct app_info *info, size_t i, char *ret_text);

typedef void vassals_visit_fn(void *arg, const struct app_info *info);

void vassals_visit(struct vassals *v, vassals_visit_fn *fn, void *arg);
/* gate, stats and keeper, as far as there are any. */
struct role_info {
	const char *name;
	pid_t pid;       /* 0: not there */
	unsigned deaths; /* that nobody wanted, since this emperor began */
	uint64_t died_wall_ns;
	const char *how; /* the last time; borrowed */
};
void vassals_visit_roles(const struct vassals *v,
			 void (*fn)(void *arg, const struct role_info *info), void *arg);
/* False if there is no such app. */
bool vassals_find(struct vassals *v, const char *name, struct app_info *ret_info);
/* The bytes that its generations were started from; p NULL: there are none. */
struct app_inis {
	struct span serving, previous; /* what rollback brings back */
};
void vassals_inis(struct vassals *v, const char *name, struct app_inis *ret);
/* Which code runs, for people. */
struct app_release {
	char path[PATH_MAX]; /* links resolved; "" unknown, or nothing serves */
	uint64_t since_wall_ns;
	bool held;                /* it was rolled back: what its ini asks for is not started */
	char held_back[PATH_MAX]; /* where the code of that lies; "" unknown */
	uint64_t held_number;     /* the generation that ran it; 0 unknown */
};
void vassals_release(struct vassals *v, const char *name, struct app_release *ret);
/* The notes of its ini and of its front, "file:line: text" one per line; "" if none. The caller's; NULL: no memory. */
char *vassals_notes(struct vassals *v, const char *name);

/* Commands of people. They reset back-off. err says why not (no such app, already so). */
int vassals_reload(struct vassals *v, const char *name, struct err *err); /* NULL: all */
int vassals_stop(struct vassals *v, const char *name, struct err *err);
int vassals_start(struct vassals *v, const char *name, struct err *err);
/* What served before comes back, until its ini changes or a reload is asked for. */
int vassals_rollback(struct vassals *v, const char *name, struct err *err);
/* Until the next generation, or until its ini changes. */
/* Requests that had killed workers may pass again; -EAGAIN if nothing serves. */
int vassals_unfuse(struct vassals *v, const char *name, struct err *err);
int vassals_scale(struct vassals *v, const char *name, unsigned processes, struct err *err);
int vassals_reopen_logs(struct vassals *v, const char *name, struct err *err); /* NULL: all */

/*
 * Called after each change of an app's state, reason or generation (app gone: info->state APP_STOPPED and gone true), and
 * for each event worth keeping (kind: enum board_event_kind, 0 = only a change). Several observers: gate and stats
 * links, control's waiting clients.
 */
typedef void vassals_observer_fn(void *arg, const struct app_info *info, bool gone,
				 unsigned event_kind, const char *event_text);
int vassals_observe(struct vassals *v, vassals_observer_fn *fn, void *arg);

/* -- what the files of some directories would change if they were taken now: plan.c --------------------- */

enum plan_kind {
	PLAN_NOTHING,
	PLAN_START,
	PLAN_STOP,
	PLAN_RELOAD,  /* a new generation */
	PLAN_LIMITS,  /* in place */
	PLAN_REFUSED, /* what runs keeps running */
	PLAN_KIND_COUNT,
};

struct plan_dirs { /* borrowed */
	const char *const *dirs;
	size_t n;
	bool tyrant;
	/* They stand for the emperor's own: read as if the files had been moved there; their age means nothing. */
	bool staged;
};

const char *plan_kind_name(enum plan_kind kind);

typedef void plan_fn(void *arg, const char *name, const char *file, enum plan_kind kind,
		     const char *text);
/*
 * fn is called for each app, in the order of names; its strings are borrowed for the call. Read, parsed and checked by the
 * code that does it for real; nothing is opened, started or written down.
 */
int vassals_plan(struct vassals *v, const struct plan_dirs *dirs, plan_fn *fn, void *arg,
		 struct err *err);

/* -- for main ------------------------------------------------------------------------------------------- */

struct emperor_options;
struct ev_loop;
struct load_rules;
struct roles;
struct scan;

struct legacy;

struct vassals_setup { /* all borrowed for the table's life */
	struct ev_loop *loop;
	const struct load_rules *rules;
	struct roles *roles;     /* gate and stats are told what concerns them */
	const char *vassal_path; /* the program of a front */
	const char *run_dir; /* what the next emperor must know is written there; NULL: nowhere */
	const char *const *dirs; /* the vassals directories, dirs_n */
	size_t dirs_n;
	struct legacy *
		legacy; /* from the emperor before; may be NULL; for vassals_new and vassals_adopt alone */
};

#define VASSALS_KEPT_EPOCH "/epoch" /* the name that the keeper has the routes epoch under */

int vassals_new(struct vassals **ret_vassals, const struct vassals_setup *setup, struct err *err);
/*
 * Takes over what an emperor before has left in the run directory and with its keeper: apps that run go on as they are,
 * what cannot be taken over is ended and starts anew. Before the first vassals_reconcile(), which finds what was changed
 * meanwhile; vassals_resume() after it starts again what that emperor had begun, and every later look what it could not see
 * before. Returns how many apps run on.
 */
unsigned vassals_adopt(struct vassals *v);
void vassals_resume(struct vassals *v);
/* Gives a keeper that knows nothing all there is. */
void vassals_keep_all(struct vassals *v);
/* Everything must have gone before (vassals_shut_down), or is killed. */
void vassals_free(struct vassals *v);

/* What the directories hold now. Takes the bytes out of scan; the rest stays the caller's. */
void vassals_reconcile(struct vassals *v, struct scan *scan);
/* How many apps are in each state. */
/* The ini of what runs under this name, NULL if nothing does or its ini is gone. Borrowed, until the next turn. */
const char *vassals_file_of(const struct vassals *v, const char *name);
void vassals_count(const struct vassals *v, unsigned ret_counts[APP_STATE_COUNT]);
/* Everything a role must know, from the beginning; enum role_id. */
void vassals_tell_role(struct vassals *v, unsigned role);

typedef void vassals_done_fn(void *arg);
/* Stops every app gracefully, then calls fn once, from the loop. */
void vassals_shut_down(struct vassals *v, vassals_done_fn *fn, void *arg);
/* SIGKILL to every front, now. */
void vassals_kill_all(struct vassals *v);
