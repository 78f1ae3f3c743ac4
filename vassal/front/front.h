/*
 * front - the process without Python that owns all network I/O of one app: takes connections from its doors, reads
 * requests, queues them for the workers, writes the answers, serves static files, logs. One thread, one loop.
 *
 * main() fills a setup from the emperor's handoff or from arguments; front_run() returns when the front has drained.
 */
#pragma once
#include "shared/base.h"
#include "shared/limits.h"

struct err;
struct front;
struct scoreboard;
struct vassal_config;

struct front_setup {
	const char *name;
	struct vassal_config *config; /* borrowed */
	uint64_t generation;
	uint32_t bank;
	struct scoreboard *board; /* mapped for writing */
	int board_fd;
	int config_fd;        /* memfd for the engine (handoff.h) */
	int link_fd;          /* to the emperor; -1: alone */
	int gate_fd;          /* -1: none */
	int routes_epoch_fd;  /* -1: none */
	int log_fd;           /* -1: stderr with the app's name */
	const char *log_path; /* to reopen the log when alone, or NULL */
	int listener_fds[LIMIT_LISTENERS];
	uint32_t listeners_n;
	const char *engine_dir;
	struct front *front; /* front_run's own; as long as the process, for its threads use it */
};

/* Takes over every descriptor of the setup. Returns the exit code of the process. */
int front_run(struct front_setup *setup, struct err *err);
