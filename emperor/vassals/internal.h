/*
 * internal - what the files of this folder share: the table, an app, a generation. Nobody outside includes it.
 *
 *   vassals.c     the table: reconcile, the end of each loop turn
 *   commands.c    what people ask of it
 *   queue.c       whose turn it is to start
 *   handover.c    an ini that was renamed: names and listeners first
 *   app.c         one app: birth, death, what others may know
 *   actions.c     what lifecycle decides is done here
 *   launch.c      from the bytes of an ini to a candidate
 *   includes.c    the files that an ini reads beside itself
 *   generation.c  one process tree: timers, exit
 *   generation_birth.c   what its front is given
 *   generation_link.c    what its front says
 *   generation_orders.c  what its front is told
 *   fates.c       what becomes of it: ready, failed, lost, gone
 *   sleep.c       apps without processes: their doors are watched
 *   limits.c      limits that change in place
 *   restart.c     when it is tried again, and who waits
 *   rollback.c    what served before comes back if the new is worse
 *   want.c        reloads that are asked for: one after the other
 *   machine.c     limits of the machine, over all apps
 *   routes.c      who answers for which name; the table for the gate
 *   addresses.c   who listens where
 *   tell.c        what gate, stats and observers hear
 *   persist.c     what the next emperor must know: files in the run directory, descriptors in the keeper
 *   adopt.c       what the emperor before left: taken over, or ended
 *   adopt_fronts.c  ... and the fronts of an app
 */
#pragma once
#include "emperor/vassals/budget.h"
#include "emperor/vassals/doors.h"
#include "emperor/vassals/exits.h"
#include "emperor/vassals/lifecycle.h"
#include "emperor/vassals/load.h"
#include "emperor/vassals/logpipe.h"
#include "emperor/vassals/probation.h"
#include "emperor/vassals/restart.h"
#include "emperor/vassals/roles.h"
#include "emperor/vassals/vassals.h"
#include "emperor/watch/fingerprint.h"
#include "shared/buf.h"
#include "shared/inifile_sources.h"
#include "shared/msg.h"
#include <ev.h>

struct saved;

#define VASSALS_OBSERVERS 8 /* gate and stats links, control: a handful of places in our own code */
#define VASSALS_HURRIES \
	3 /* candidates in a row that make way for a newer change; the next one may finish */
#define VASSALS_SLOT_S \
	2.0 /* a start that takes longer no longer keeps others waiting: it mostly sleeps */
#define VASSALS_LEAVE_S \
	5.0 /* after a front has said that it ends, or past its graceful timeout: then SIGKILL */

struct ini { /* the bytes of one version of a file; shared by reference count */
	unsigned refs;
	char *bytes; /* owned */
	size_t n;
	uid_t owner;
	bool roots;
};

enum generation_part {
	PART_CANDIDATE, /* starts */
	PART_SERVING,
	PART_LEAVING, /* drains, or was given up */
};

struct limits {                /* under way to a front, or in force there */
	struct loaded *loaded; /* a reference; NULL: only a number of processes */
	struct ini *ini;       /* a reference */
	char *config;          /* owned: its items, encoded */
	size_t config_n;
	char text[320];     /* "processes: 2 -> 4" */
	unsigned processes; /* by command; 0: as the configuration says */
};

struct generation {
	struct generation *next; /* of app->generations, or of the graveyard */
	struct app *app;
	uint64_t number;
	unsigned bank;
	pid_t pid;
	enum generation_part part;
	struct loaded *loaded; /* a reference */
	struct ini *ini;       /* a reference */
	char *config;          /* owned: the items it runs by, encoded */
	size_t config_n;
	unsigned scaled;       /* processes by command; 0: as configured */
	struct limits pending; /* the answer is awaited */
	uint64_t serial;       /* of the last question; 0: none is open */
	uint64_t serials;
	int link_fd, outcome_fd; /* owned */
	struct logpipe log;      /* its stderr, if that is not ours */
	uint64_t spawned_ns, serving_ns, serving_wall_ns;
	struct probation_count base; /* what its bank held when it began to serve */
	bool passed;                 /* its probation, or it had none */
	bool may_leave;              /* it was told that it may go to sleep */
	bool drains;                 /* it has said that it takes nothing from the doors any more */
	ev_io link_io, outcome_io;
	struct exits exits;
	struct exits_identity is; /* its process's */
	ev_timer timer;           /* startup-timeout, then the end of patience */
	ev_timer pause;           /* it says too much, and is not heard until then */
	uint64_t said_ns;         /* when this second of its began */
	unsigned said;            /* messages since */
	bool chatters;            /* which has been told */
	char *notes; /* owned, or NULL: "text" one per line, what its front has to say of itself */
	unsigned notes_n;
};

struct app {
	struct vassals *v;
	uint32_t id;
	char name[LIMIT_NAME];
	char *file;      /* owned */
	const char *dir; /* borrowed from the options */
	struct fingerprint print;
	char *problem;                    /* owned: why the file as it is cannot be taken; NULL */
	struct ini *wanted;               /* the file's bytes as they are; NULL with a problem */
	struct inifile_sources *includes; /* owned: what these read beside themselves */
	bool includes_newer;              /* adopted: some of it may be newer than what serves */
	struct ini *good;                 /* the bytes that served last; NULL */
	bool use_good;                    /* wanted has failed, and good is tried in turn with it */
	bool gone;      /* the file was deleted: forget the app once it has drained */
	bool seen;      /* its file, by this emperor */
	bool yields;    /* gone, but stops only when who came in the same look has what it leaves */
	bool comes;     /* in such a look */
	bool dead;      /* forgotten; collected at the end of the turn */
	bool said_user; /* that it names no user, and which one it runs as */
	unsigned hurries;  /* candidates in a row that made way for a newer one */
	bool again;        /* it has changed since; once more when the candidate is through */
	bool conflict;     /* failed because of another app's claim on a name */
	bool awake;        /* somebody has asked for it: an app on demand starts too */
	bool watched;      /* its doors are in the set of those that wake */
	uint64_t woken_ns; /* a connection woke it then, and it does not serve yet; 0 */
	unsigned
		cut_from; /* processes that it wants, of which max-workers gave it fewer; 0: it has all */
	unsigned cut_tried;                                    /* so many were asked for last */
	uint64_t seen_events, active_ns, renewed_ns, asked_ns; /* memory-budget: see machine.c */
	uint64_t oom_kills;                                    /* by limit-memory, told so far */
	bool oom_seen;                                         /* it has a cgroup */

	enum app_state state;
	char *reason, *last_error, *notes; /* owned, or NULL */
	uint64_t since_wall_ns;
	struct restart restart;
	ev_timer retry;
	ev_timer want;  /* a reload that was asked for waits a moment for others of its kind */
	char *want_why; /* owned; the first of them */
	uint64_t reloaded_ns;     /* when the last one was let through */
	struct version *previous; /* a reference: what to come back to; NULL: nothing */
	struct version *rolled; /* a reference: what came back, and is started instead of wanted */
	struct version *
		bad; /* a reference: what was rolled back from, while rolled is there; NULL: unknown */
	struct version *ended; /* a reference: what ran last, until something serves again */
	char *rolled_why;      /* owned */
	struct probation_count old_count; /* of previous */
	ev_timer probation;
	unsigned restarts;
	uint64_t failed; /* the generation that failed last */

	struct generation *generations; /* all whose process lives */
	struct generation *serving, *candidate;
	uint64_t numbers; /* of generations so far */
	unsigned last_bank;
	struct loaded *
		face; /* a reference: what the app is to others; the serving one's, or the last that was tried */
	struct doors doors;
	int board_fd, board_ro_fd; /* owned; -1: descriptors are few, and it was not its turn yet */

	struct kept *kept; /* owned: what the keeper has of it */
	size_t kept_n;
	bool unsaved;     /* what the next emperor must know has changed */
	bool begun;       /* adopted: an earlier emperor had begun to start it */
	bool begun_later; /* ... and that can go on only when its processes have gone */
	bool rested; /* an emperor that was stopped has left what it had decided, and no process */
	struct buf
		last_words; /* owned: what is written down of it when it is forgotten, for it is not deleted */
	bool rests;    /* stopped by command while the emperor ends: the next one leaves it so */
	bool was_gone; /* ... and its ini was deleted before that */

	bool queued; /* waits for its turn to start */
	struct app *queue_next;
};

struct machine {
	struct budget budget;
	ev_timer tick;
	int stall_fd, stall_epoll; /* owned; -1 */
	ev_io stall_io;
};

struct vassals {
	struct vassals_setup setup;
	struct machine machine;
	struct app **v; /* owned, sorted by name */
	size_t n, room;
	uint32_t ids;
	struct app *queue, **queue_last;
	struct generation *graveyard;
	ev_prepare turn;
	ev_timer pump;
	unsigned start_at_once;

	int epoch_fd, epoch_ro_fd; /* owned */
	_Atomic uint32_t *epoch;   /* mapped */
	int wake_fd;               /* owned: the epoll set of the doors of sleeping apps */
	ev_io wake_io;
	bool routes_changed;
	char *routes_text;        /* owned: what was published last */
	bool name_freed;          /* an app has given up a name */
	uint64_t yields_until_ns; /* some app yields, until then at most; 0 */

	struct {
		vassals_observer_fn *fn;
		void *arg;
	} observers[VASSALS_OBSERVERS];
	size_t observers_n;
	char *complaint;  /* the last one of scan, said once */
	int state_dir_fd; /* owned; -1: nothing is written down */
	bool unsaved, said_unsaved;
	bool resumed; /* what the emperor before had begun goes on: as far as its files were seen */
	bool shutting_down;
	vassals_done_fn *done;
	void *done_arg;
};

/* app.c */
int app_new(struct app **ret, struct vassals *v, const char *name, const char *file,
	    const char *dir, struct err *err);
void app_free(struct app *a);
/* Its board is this one, which is taken if it is one. */
int app_take_board(struct app *a, int board_fd, struct err *err);
/*
 * What a generation needs is there: board and gate door, and room for the rest. -EMFILE while descriptors are too few: those
 * who come later wait, those that run are left alone.
 */
int app_open(struct app *a, struct err *err);
/* A board whose head is no longer ours would stop every later generation: it gets a new one. */
int app_mend_board(struct app *a, struct err *err);
/* None of its processes lives: what they may have damaged, board and gate door, is made anew. Tells the roles. */
void app_renew(struct app *a);
/* Of its generations the one that people mean; NULL: none. */
const struct generation *app_shown(const struct app *a);
void app_fill_info(const struct app *a, struct app_info *ret);
/* Keeps what was there if memory has run out: an old text is better than none. */
void app_put_text(char **text, const char *fmt, ...) _printf_(2, 3);
struct ini *ini_ref(struct ini *ini);
void ini_unref(struct ini *ini);

/* actions.c */
void app_event(struct app *a, enum life_event event, const char *why);
/* The door that was made for the generation that starts or serves now, if the one before was shut. Tells the gate. */
void app_take_door(struct app *a);
/* Closes the doors that nothing which runs, starts or sleeps wants. */
void app_prune_doors(struct app *a);
/* Who the app is to others, now that nothing or something else serves. */
void app_show_face(struct app *a, struct loaded *l);

/* launch.c: what these bytes say, as its ini. */
int app_parse(const struct app *a, const struct ini *ini, struct loaded **ret, struct err *err);
/* launch.c: its turn has come: loads, opens doors, spawns. Failure is an event. */
void app_launch(struct app *a);
/* Its bytes, checked: alone and against the claims of the other apps. */
int app_load(struct app *a, struct ini *ini, struct loaded **ret, struct err *err);
int app_open_doors(struct app *a, const struct loaded *l, struct door_set *ret, struct err *err);

/* sleep.c */
int sleep_open(struct vassals *v, struct err *err);
void sleep_close(struct vassals *v);
/* Does its ini let it be without processes while nobody asks? */
bool sleep_may(const struct loaded *l);
bool sleep_begins_asleep(const struct app *a, const struct loaded *l);
void sleep_begin(struct app *a, const char *why);
/* It wakes, stops, or is freed: its doors are not the emperor's to watch. */
/* It slept under the emperor before. */
void sleep_go_on(struct app *a);
void sleep_end(struct app *a);
/* Its ini has changed meanwhile. */
void sleep_check_ini(struct app *a, const char *why);

/* fates.c */
void app_generation_ready(struct generation *g, uint64_t import_us, uint64_t workers);
void app_generation_failed(struct generation *g, enum fail_phase phase, const char *text);
/* Its process has been reaped; in_order: it exited with 0. */
void app_generation_exited(struct generation *g, const char *how, bool in_order);
/* It has stopped taking connections, though nobody here has told it to. */
void app_generation_leaves(struct generation *g);
/* It has had nothing to do for so long; it has stopped taking connections and leaves. */
void app_generation_idle(struct generation *g, uint64_t idle_ms);
void app_generation_asleep(struct generation *g, uint64_t idle_ms);
/* What should have become generation number never will. */
void app_candidate_failed(struct app *a, uint64_t number, enum fail_phase phase, const char *text);

/* generation.c */
int generation_spawn(struct app *a, struct loaded *l, struct ini *ini, const struct door_set *doors,
		     int log_fd, uint64_t number, struct generation **ret, struct err *err);
void generation_set_timer(struct generation *g, double seconds);
void generation_kill(const struct generation *g);
void generation_free(struct generation *g);

/* generation_birth.c: link, log and process of its front. */
int generation_birth(struct generation *g, const struct door_set *doors, int log_fd,
		     struct err *err);

/* generation_link.c */
void generation_link_init(struct generation *g);
/* What stands unread on the link, but a turn's worth at most. False once nothing more can come. */
bool generation_hear(struct generation *g);

/* What people should know of it (status, events). unsaid: the log does not have it yet. */
void generation_note(struct generation *g, const char *text, bool unsaid);

/* generation_orders.c */
int generation_serve(struct generation *g);
/* old hands its idle connections to g and drains. */
void generation_replace(struct generation *g, struct generation *old);
/* Says again what it may not have heard: that it serves; that it is to drain (old becomes PART_LEAVING). */
void generation_serve_on(struct generation *g);
void generation_retire(struct generation *old);
/* Stop: grace_s 0 = now. */
void generation_end(struct generation *g, unsigned grace_s);
/* It may go to sleep; it has gone to sleep. */
void generation_let_sleep(struct generation *g);
void generation_leave(struct generation *g);
void generation_renew_worker(struct generation *g, unsigned worker);
int generation_unfuse(const struct generation *g, struct err *err);
int generation_reopen(const struct generation *g, struct err *err);
/* MSG_CONFIG or MSG_SCALE. */
int generation_ask(struct generation *g, enum msg_kind kind, uint64_t value, int fd);

/* rollback.c */
void rollback_init(struct app *a);
/* g is about to serve; what serves now is still a->serving, and is what to come back to. */
void rollback_begins(struct app *a, struct generation *g);
/* a->serving has just replaced another: it is on probation from now on. */
void rollback_swapped(struct app *a);
/* What serves ends, or falls asleep, and nothing serves in its place yet. */
void rollback_leaves(struct app *a);
/* What serves is about to take an edit in place. */
void rollback_edited(struct app *a);
/* All that the next emperor must know of it, and that one: before its processes are taken over, and after. */
void rollback_describe(const struct app *a, struct saved *s);
void rollback_go_on(struct app *a, const struct saved *s, struct ini *ini, struct ini *old_ini);
void rollback_watch_on(struct app *a, const struct saved *s, bool same_board);
/* It is about to start after a stop of the emperor: another release than the bad one is tried. */
void rollback_rested(struct app *a);
/* While a->rolled is there: what to start. */
int rollback_load(struct app *a, struct loaded **ret, struct err *err);
struct ini *rollback_ini(const struct app *a);
/* What a rollback would bring back; NULL: nothing. Borrowed. */
const struct ini *rollback_previous(const struct app *a);
/* What is not started because it was rolled back from. */
void rollback_held(const struct app *a, struct app_release *ret);
/* The file has changed or somebody wants it as it is: it is tried again. */
void rollback_forget(struct app *a);
int rollback_by_command(struct app *a, struct err *err);
void rollback_done(struct app *a);

/* want.c: a reload for whatever reason: commands, files that changed, signals. Not at once, and never too often. */
void want_init(struct app *a);
void want_reload(struct app *a, const char *why);
void want_done(struct app *a);

/* includes.c: the files that its ini reads */
int includes_new(struct app *a);
void includes_done(struct app *a);
void includes_adopted(struct app *a);      /* which they are, and were they changed meanwhile? */
bool includes_differ(const struct app *a); /* would the next look find one changed? */
void includes_follow(struct vassals *v);   /* looks at those of all apps */

/* limits.c */
/* The file has changed: does that need no new generation? Then its front has been told, and the outcome follows. */
bool limits_change(struct app *a);
/* The same for what its ini reads; what names it. True too if the values are those that serve: nothing is to be done. */
bool limits_follow(struct app *a, const char *what);
int limits_scale(struct app *a, unsigned processes, const char *why, struct err *err);
/* Its front has answered. */
void limits_answered(struct generation *g, uint64_t serial, const char *why_not);
void limits_done(struct limits *l);

struct generation_past { /* descriptors are taken once it is adopted */
	uint64_t number, serving_ns, serving_wall_ns;
	unsigned bank;
	enum generation_part part;
	pid_t pid;
	struct exits_identity is;
	int pidfd;           /* < 0: it lives, and cannot be had just now */
	int link_fd, log_fd; /* -1: none */
};
/* One that an earlier emperor has started, as it is. The app has it in no list yet. */
int generation_adopt(struct app *a, struct loaded *l, struct ini *ini,
		     const struct generation_past *past, struct generation **ret, struct err *err);

/* persist.c: the next emperor must know of a change by the end of this turn; now; all of it, for a keeper that is new. */
int persist_open(struct vassals *v, const char *run_dir, struct err *err);
void persist_mark(const struct app *a);
void persist_now(struct app *a);
void persist_flush(struct vassals *v);
/* The emperor stops: what is decided by now outlives it. Before the app is told. */
void persist_end(struct app *a);
/* The app is forgotten. */
void persist_forget(struct app *a);
/* "APP L 3": the name of its descriptor with this tag (KEPT_*) and number. */
#define KEPT_NAME (LIMIT_NAME + 32)
void persist_name(const char *app, char tag, uint64_t number, char buf[KEPT_NAME]);
enum kept_tag {
	KEPT_BOARD = 'B',
	KEPT_GATE_END = 'G',
	KEPT_FRONT_END = 'F',
	KEPT_DOOR = 'D',      /* number: the door's */
	KEPT_DOOR_NAME = 'N', /* number: the door's */
	KEPT_LINK = 'L',      /* number: the generation's */
	KEPT_LOG = 'P',       /* number: the generation's */
};
const char *persist_boot(void);

/* adopt.c: one of the descriptors that were kept, if it is what is written down. -1: none. */
int adopt_take(const struct vassals *v, const struct saved *s, enum kept_tag tag, uint64_t number,
	       uint64_t identity);
/* adopt_fronts.c: ini: the bytes that served last; same_board: its counters are those that the fronts know. */
void adopt_fronts(struct app *a, const struct saved *s, struct ini *ini, bool same_board);

/* queue.c */
void vassals_queue_start(struct vassals *v, struct app *a);
void vassals_unqueue(struct vassals *v, struct app *a);
/* Starts who is due. */
void vassals_pump(struct vassals *v);

/* handover.c */
/* Its ini is gone, and another has come with the same look. */
void handover_begin(struct app *a);
/* It is about to open what l wants: what those who yield have of it comes over. */
void handover_doors(struct app *a, const struct loaded *l);
/* At the end of a turn, when names have been published: who yields may stop. */
void handover_end(struct vassals *v);

/* vassals.c */
int vassals_insert(struct vassals *v, struct app *a);
void vassals_bury(struct vassals *v, struct generation *g);

/* routes.c */
/* epoch_fd: what the emperor before counted on, taken; -1: none. */
int routes_open(struct vassals *v, int epoch_fd, struct err *err);
void routes_close(struct vassals *v);
/* Does another app answer for one of these names already? */
bool routes_claims(const struct loaded *l, const struct domain_config *d);
bool routes_app_claims(const struct app *a, const struct domain_config *d);
/* Who holds a name, but for the one that asks; NULL: nobody. */
typedef const char *routes_holder_fn(void *arg, const struct domain_config *d);
int routes_check_by(const struct loaded *l, const char *file, routes_holder_fn *holder, void *arg,
		    struct err *err);
int routes_check(const struct vassals *v, const struct app *a, const struct loaded *l,
		 struct err *err);
void routes_publish(struct vassals *v);
void routes_tell(struct vassals *v);

/* addresses.c */
#define ADDRESSES_WHO (LIMIT_NAME + ADDRESS_TEXT)
bool addresses_wants(const struct loaded *l, const struct address *a);
/* Its doors, open as they are. */
bool addresses_app_has(const struct app *a, const struct address *address);
void addresses_say_app(const char *name, char who[ADDRESSES_WHO]);
bool addresses_are_shared(const struct vassals *v, const struct address *a,
			  char who[ADDRESSES_WHO]);
bool addresses_keep_own(const struct app *a, const struct address *address,
			char who[ADDRESSES_WHO]);
/* Who of ours listens there, but for the one that asks: in words. */
bool addresses_find_holder(const struct app *but, const struct address *a, char who[ADDRESSES_WHO]);
typedef bool addresses_holder_fn(void *arg, const struct address *a, char who[ADDRESSES_WHO]);
/* -EADDRINUSE: err says where in the ini, and who. */
int addresses_check_by(const struct loaded *l, const char *file, addresses_holder_fn *holder,
		       void *arg, struct err *err);

/* tell.c */
void tell_app(const struct app *a);
/* All of it, to a role that knows nothing. */
void tell_app_to(const struct app *a, enum role_id role);
/* Whether it may pass connections on, and where it stands in for the app. */
void tell_gate(const struct app *a);
/* The gate gives back what it was lent: the doors go to another app. */
void tell_gate_of_move(const struct app *a);
/* The stats socket of what the app is to others. */
void tell_stats_door(const struct app *a);
/* What serves runs by these bytes since then: a copy for showing. */
void tell_ini(const struct app *a, uint64_t since_wall_ns);
void tell_gone(const struct app *a);
/* -- room.c -- */
/* Descriptors that stay free for control clients, logs and the roles, whatever the apps want. */
#define ROOM_RESERVE 16
#define ROOM_RELOADS \
	24 /* more of them, for those that serve and are replaced: nobody new may take these */
#define ROOM_APP 6 /* board twice, gate door twice, a listener with its name */
#define ROOM_GENERATION \
	10 /* link, log, config, process, and their other ends while it is spawned */
/* At least half of all descriptors are free: nobody needs to wait. */
bool room_is_wide(void);
int room_check(unsigned wanted, struct err *err);

/* state, reason or generation changed; kind: enum board_event_kind or 0. */
void tell_change(const struct app *a, unsigned event_kind, const char *text);
/* The same, of a generation that neither serves nor starts any more. */
void tell_change_of(const struct app *a, uint64_t number, unsigned event_kind, const char *text);
