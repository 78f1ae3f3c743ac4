/*
 * handoff - the whole contract between the emperor and a vassal: what a front finds when it starts.
 *
 * The emperor execs `vassal` with environment HANDOFF_ENV=HANDOFF_VERSION and descriptor HANDOFF_FD, a sealed
 * memfd: one struct handoff, then config_n bytes of resolved configuration (config_items.h). Everything else
 * that is inherited stands in the struct as a descriptor number, -1 where there is none; nothing else is open
 * but 0 (/dev/null), 1 and 2 (the emperor's stderr). What both then say to each other on link_fd: msg.h.
 *
 * The front leads its own session, already has the app's uid, gid, groups, limits, umask and directory, and
 * no_new_privs. A front without HANDOFF_ENV runs alone.
 */
#pragma once
#include "shared/limits.h"
#include <stdint.h>

#define HANDOFF_ENV     "EMPEROR_HANDOFF"
#define HANDOFF_VERSION "1"
#define HANDOFF_INI_ENV "EMPEROR_INI" /* path of the ini, for the app to know */
#define HANDOFF_FD      3
#define HANDOFF_MAGIC   0x46464f48u /* "HOFF" */

struct handoff {
	uint32_t magic;
	uint32_t size; /* sizeof(struct handoff): a vassal of another build refuses loudly */
	uint64_t generation;
	char name[LIMIT_NAME];
	uint32_t bank; /* the scoreboard bank this generation writes; no other live one does */
	int32_t link_fd;
	int32_t scoreboard_fd;
	int32_t gate_fd; /* receiving end of the gate door, shared with the other generations */
	int32_t routes_epoch_fd; /* memfd of one uint32_t: see pass.h; read-only */
	int32_t log_fd;          /* the app's log file (O_APPEND), -1: stderr with the app's name */
	uint32_t n_listeners;    /* of listener_fds, in the order of vassal_config.listeners */
	int32_t listener_fds[LIMIT_LISTENERS];
	uint32_t config_n;
	uint32_t reserved; /* 0 */
};
