/*
 * rig - a front without a network: starts a real engine on a real exchange, forks workers, sends requests, collects
 * answers. For tests of the engine alone.
 */
#pragma once
#include <sys/types.h>

#include "shared/base.h"
#include "shared/span.h"
#include "vassal/exchange/crew.h"
#include "vassal/exchange/exchange.h"

#define RIG_WORKERS 4

struct scoreboard;

struct rig_worker {
	int fd;
	pid_t pid; /* 0: none */
	bool ready, left;
	char why[CREW_TEXT_MAX]; /* of its leaving or failing */
};

struct rig {
	struct exchange *x;
	struct scoreboard *board;
	int board_fd, config_fd, mold_fd, log_fd, body_fd;
	int stale_fd; /* -1, or comes as a late answer before each body that is asked for */
	pid_t mold;
	bool mold_ready, mold_failed;
	uint64_t fail_phase;
	char text[CREW_TEXT_MAX]; /* of MOLD_READY or MOLD_FAILED */
	struct rig_worker workers[RIG_WORKERS];
	unsigned forked;
};

struct answer {
	unsigned status; /* 0: no HEAD came */
	int64_t length;
	char reason[128];
	char fields[8192]; /* "Name: value\r\n"... terminated */
	char hints[512];   /* fields of all interim answers, as many as fit, terminated */
	unsigned hints_n;  /* interim answers */
	char *body;        /* owned */
	size_t body_n;
	unsigned data_frames;
	uint32_t end; /* enum frame_end_flags */
	bool disordered; /* a second head, hints behind it, a body before it: the front kills for that */
	bool ended;      /* END came; false: the worker died or the time was up */
};

struct rig_request {
	const char *method, *target;
	const char *const *vars; /* "NAME=value", NULL at the end; or NULL */
	struct span body;
	bool as_file;
	bool is_old; /* HTTP/1.0 */
};

/* items: "key=value", NULL at the end. workers are forked and waited for. False: rig->text says why. */
bool rig_start(struct rig *r, const char *const *items, unsigned workers, unsigned threads);
/* For cmocka: one worker with one thread, of the module "module=..." of apps/, and early hints. *state: the rig. 0 or -1. */
int rig_setup(void **state, const char *module);
/* The worker has to leave well: in the sanitizers' builds that is where leaks would be reported. */
int rig_teardown(void **state);
void rig_stop(struct rig *r);
/* Sends one without waiting; returns its slot. */
unsigned rig_send(struct rig *r, const struct rig_request *q);
/* Collects the answer of this slot, up to 10 s. */
void rig_collect(struct rig *r, unsigned slot, struct answer *ret);
void rig_ask(struct rig *r, const struct rig_request *q, struct answer *ret);
/* GET. */
void rig_get(struct rig *r, const char *target, struct answer *ret);
void answer_done(struct answer *a);
bool rig_fork(struct rig *r, unsigned worker);
/* Waits until this process is gone; its wait status, or -1 after 10 s. */
int rig_wait_exit(struct rig *r, unsigned worker);
/* What the engine printed so far; the caller's to free. */
char *rig_log(struct rig *r);
