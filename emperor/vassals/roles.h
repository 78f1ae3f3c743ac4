/*
 * roles - keeps the roles alive, gate, stats and keeper: starts them, restarts them with back-off, and passes on what they
 * are told (emperor/role.h). A fresh process knows nothing, and one that an earlier emperor left knows what was true then:
 * the owner is called to tell it everything again.
 *
 * Never blocks: what a role does not take yet waits in a bounded queue; a role that lets it fill is replaced.
 */
#pragma once
#include "emperor/role.h"

struct err;
struct ev_loop;
struct exits_identity;
struct role_info;
struct roles;

enum role_id { ROLE_ID_GATE, ROLE_ID_STATS, ROLE_ID_KEEPER, ROLE_ID_COUNT };

/* Limits of what waits for one role: everything about LIMIT_APPS apps, twice. */
#define ROLES_QUEUE_MAX ((size_t)LIMIT_APPS * 24)
/* One that does not answer so many questions in a row is stopped, or hangs: it is replaced. */
#define ROLES_PING_S      3.0
#define ROLES_PING_MISSES 3
/* One without free descriptors asks again until it has heard all: a briefing a second is nothing beside what it serves. */
#define ROLES_AGAIN_S 1.0
#define ROLES_STOP_S  5 /* after GATE_STOP or STATS_STOP; then SIGKILL */
/*
 * The longest wait before the next start. Every app waits for the gate, and without the keeper no emperor has a successor:
 * each costs a millisecond to start, so they are back soon however often they end. For stats only history waits.
 */
#define ROLES_NEEDED_WAIT_S  2
#define ROLES_HISTORY_WAIT_S 10

/* A process is there that must be told everything, between ROLE_BEGIN and ROLE_END. Called from the loop. */
typedef void roles_fresh_fn(void *arg, enum role_id id);
/* It was told to stop and has gone. */
typedef void roles_gone_fn(void *arg, enum role_id id);

struct roles_setup { /* borrowed */
	struct ev_loop *loop;
	const char *users[ROLE_ID_COUNT]; /* who they run as, when we are root; NULL: nobody */
	char *const *environ_now;
	double ping_s; /* between two questions; 0: none is asked */
	roles_fresh_fn *fresh;
	roles_gone_fn *gone;
	/* The emperor's end of its link has become fd, -1: it has ended. For the keeper's own it is not called. */
	void (*link)(void *arg, enum role_id id, int fd);
	void *arg;
};

int roles_new(struct roles **ret_roles, const struct roles_setup *setup, struct err *err);
/*
 * One that an earlier emperor has started, from the same program: link_fd is taken, in any case. It is told everything as
 * soon as roles_start() would have started it.
 */
int roles_adopt(struct roles *r, enum role_id id, pid_t pid, const struct exits_identity *is,
		int link_fd, struct err *err);
/* Starts all from the next turn of the loop on. */
void roles_start(struct roles *r);
/* Descriptors stay the caller's. A role that is not there hears it when it comes: fresh() tells all. */
void roles_tell(struct roles *r, enum role_id id, const struct role_msg *m, const char *text,
		const int *fds, int nfds);
/* All have said ROLE_READY. */
bool roles_ready(const struct roles *r);
/* Tells it to finish and calls gone() when it has; at once if it is not there. */
void roles_stop(struct roles *r, enum role_id id);
/* SIGKILL; none is started again, and gone() is called for each as its exit is seen. */
void roles_kill_all(struct roles *r);
/* Our end of its link, borrowed; -1: not there. */
int roles_link(const struct roles *r, enum role_id id);
/* The message that ends it. */
uint16_t roles_stop_kind(enum role_id id);
/* 0: not there. */
pid_t roles_pid(const struct roles *r, enum role_id id);
/* Is a process of any role still there? */
bool roles_alive(const struct roles *r);
void roles_fill_info(const struct roles *r, enum role_id id, struct role_info *ret);
/* Those that the history does not have yet, to the stats role, which knows nothing of apps by it. */
void roles_tell_deaths(struct roles *r);
void roles_free(struct roles *r);
