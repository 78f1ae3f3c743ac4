/*
 * control - the emperor's control socket, RUN_DIR/control.sock (mode 0600): one command line from a peer whose
 * SO_PEERCRED uid is root's or the emperor's own, one JSON line back, then close. Commands: status [APP], reload
 * APP|--all, stop APP, start APP, reopen [APP], board APP (its scoreboard's descriptor beside the answer), version,
 * plan [DIR], scale N APP, where (paths of stats socket, database, run directory; users of the roles). "reload" and "start" answer when the outcome is known.
 *
 * Who commands something of an app means its file as it is now: such a line waits until the directories were looked at.
 */
#pragma once
#include "shared/base.h"
struct control;
struct err;
struct ev_loop;
struct vassals;

struct control_facts { /* borrowed */
	const char *run_dir, *db, *stats_socket;
	const struct config_items *defaults; /* of all vassals; may be NULL */
	const char *no_cgroup;               /* why limit-memory is not in force; NULL: it is */
	const char *gate_user, *stats_user;  /* of the roles; NULL: they run as we do */
	const char *const *dirs;             /* of the vassals */
	size_t dirs_n;
	const char *const *ports; /* shared, as they were written */
	size_t ports_n;
	bool tyrant;
	const char *program; /* where we were started from, "": not known */
	uint64_t began_wall_ns;
	unsigned keeper_version; /* what we speak with the keeper */
	/* Becomes the program at path (NULL: that at the same place) soon after it returned 0; NULL: cannot. */
	int (*upgrade)(void *arg, const char *path, struct err *err);
	void *upgrade_arg;
	/* Looks at the directories: true when it has; false: that comes in a moment, and then control_looked(). NULL: nobody can. */
	bool (*look)(void *arg);
	void *look_arg;
};

int control_start(struct control **ret_control, struct ev_loop *loop, int listen_fd,
		  struct vassals *vassals, const struct control_facts *facts, struct err *err);
/* The directories have been looked at: commands that waited for it are given. c may be NULL. */
void control_looked(struct control *c);
void control_free(struct control *c);
