/*
 * roles_inner - what the files of the roles share: roles.c (processes), roles_link.c (links). Private to them.
 */
#pragma once
#include "emperor/vassals/exits.h"
#include "emperor/vassals/roles.h"
#include "shared/backoff.h"
#include <ev.h>

struct queued;

struct role_deaths { /* that nobody wanted, since this emperor began */
	unsigned n;
	unsigned told;    /* of them, to the history */
	uint64_t wall_ns; /* the last one */
	char how[96];
};

struct role {
	struct roles *roles;
	enum role_id id;
	pid_t pid;   /* 0: not there */
	int link_fd; /* owned; -1 */
	int outcome_fd;
	bool ready, stopping;
	unsigned unanswered; /* pings since the last sign of life */
	uint64_t started_ns;
	struct backoff backoff;
	struct role_deaths died;
	struct queued *first, **last; /* what it has not taken yet */
	size_t queued_n;
	ev_io link_io, write_io, outcome_io;
	struct exits exits;
	ev_timer timer; /* start, or the end of patience */
	ev_timer ping;
	ev_timer again; /* it has lost something, and is told all of it again */
};

struct roles {
	struct roles_setup setup;
	struct role role[ROLE_ID_COUNT];
};

struct role_facts {
	const char *name, *arg, *title;
	uint16_t stop_kind;
	unsigned wait_max_s; /* between two starts, however often it has ended */
};
extern const struct role_facts role_facts[ROLE_ID_COUNT];

/* roles_deaths.c */
void role_note_death(struct role *role, const char *how);

/* roles_link.c */
void role_link_init(struct role *role);
/* link_fd and its process are there: it is heard and asked whether it is well. */
void role_link_watch(struct role *role);
void role_link_close(struct role *role);
