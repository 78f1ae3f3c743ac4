/*
 * emperor - the one context of the supervisor: made in main(), handed down. Reads top to bottom as the order in which
 * things are opened; they are closed the other way round.
 */
#pragma once
#include "emperor/options.h"
#include "emperor/rundir.h"
#include "emperor/sd_notify.h"
#include "emperor/vassals/cgroup.h"
#include "emperor/vassals/load.h"
#include <ev.h>
#include <limits.h>

struct control;
struct roles;
struct legacy;
struct vassals;
struct watch;

#define EMPEROR_READY_S  5.0 /* systemd hears READY then, even if a role is slow to come */
#define EMPEROR_REAP_S   2.0 /* what was killed and is not gone by then hangs in the kernel */
#define EMPEROR_STATUS_S 0.2 /* at most so often a line of STATUS */

enum emperor_phase {
	EMPEROR_STARTING,
	EMPEROR_RUNNING,
	EMPEROR_STOPPING_GATE, /* no new connections; apps still serve what the gate has passed on */
	EMPEROR_STOPPING_APPS,  /* they drain */
	EMPEROR_STOPPING_STATS, /* it stores the rest */
	EMPEROR_STOPPING_NOW,   /* a second signal: all are killed, and only reaped */
};

struct emperor {
	struct emperor_options options;
	const char **dirs; /* owned array, owned strings: the vassals directories, absolute */
	struct rundir rundir;
	struct sd_notify notify;
	char *vassal_path; /* owned */
	struct load_rules rules;
	struct cgroup cgroup;

	int port_fds[LIMIT_PORTS]; /* the shared ports; kept here so that a gate can be replaced */
	size_t ports_n;
	const char *port_texts[LIMIT_PORTS]; /* as they were written, for control */
	int control_fd, stats_fd, extra_stats_fd;
	int keeper_fd; /* where the next emperor knocks; the keeper listens there; -1: nobody can */
	struct legacy *legacy;  /* owned: what the emperor before left, until it is taken; NULL */
	char **argv;            /* owned: as we were started */
	char program[PATH_MAX]; /* ... and from where; "": that cannot be told */
	char *upgrade_path;     /* owned: what we are about to become; NULL */
	ev_timer upgrade;
	char control_path[256], stats_path[256];

	struct ev_loop *loop;
	struct roles *roles;
	struct vassals *vassals;
	struct watch *watch;
	struct control *control;
	ev_signal signals[5];
	ev_timer status, ready, reap;
	char birth[160]; /* for the history: how we came, until stats has been told; "" */
	uint64_t birth_wall_ns;
	ev_tstamp began;
	enum emperor_phase phase;
	bool reloading, apps_gone;
	int exit_code;
};
