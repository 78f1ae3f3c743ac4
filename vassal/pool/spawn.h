/*
 * spawn - fork and exec of an engine as a mold: the only fork+exec of a vassal. The engine gets the
 * descriptors of crew.h and no other, default signal handlers, an empty signal mask, and a process
 * group of its own, so that Ctrl-C in the terminal of a front that runs alone reaches only the
 * front, which then ends its workers gracefully.
 */
#pragma once
#include <stdint.h>
#include <sys/types.h>

struct err;

struct spawn_setup {
	const char *path;                                                   /* of the engine */
	const char *title;                                                  /* argv[0] */
	int mold_fd, config_fd, exchange_fd, event_fd, board_fd, output_fd; /* stay the caller's */
	uint64_t limit_as_bytes;                                            /* 0 = leave */
};

/* Returns when the engine runs, or with the reason why exec failed. */
int spawn_engine(const struct spawn_setup *setup, pid_t *ret_pid, struct err *err);
