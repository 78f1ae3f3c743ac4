/*
 * exits - the end of a process that may or may not be our child. Our own children are reaped by the loop. One that an
 * earlier emperor started is watched by a pidfd: how it ended only its parent would know. Signals go through the pidfd
 * where there is one, so that they never meet another process that was given the same number.
 */
#pragma once
#include "shared/base.h"
#include <ev.h>
#include <sys/types.h>

struct err;
struct exits;

#define EXITS_UNKNOWN (-1) /* in place of a status of wait(2) */

typedef void exits_fn(struct exits *x, int status);

struct exits_identity { /* what tells a process from a later one with its number */
	uint64_t start; /* clock ticks after boot */
	uid_t uid;
};

struct exits { /* zeroed: watches nothing */
	struct ev_loop *loop;
	exits_fn *fn;
	pid_t pid;                /* 0: nothing is watched */
	int pidfd;                /* owned; 0: none, for it is our child, or cannot be had yet */
	struct exits_identity is; /* of one that is adopted */
	ev_child child;
	ev_io io;
	ev_timer look; /* for a pidfd that cannot be had yet */
};

void exits_watch(struct exits *x, struct ev_loop *loop, pid_t pid, exits_fn *fn);
/* pidfd is taken, in any case; < 0: it could not be had, the process is looked for again and again. */
void exits_adopt(struct exits *x, struct ev_loop *loop, pid_t pid, const struct exits_identity *is,
		 int pidfd, exits_fn *fn);
/* fn is called once, from the loop, and before that everything has stopped. */
void exits_stop(struct exits *x);
void exits_signal(const struct exits *x, int number);

/* Signals this very process, once. Another error than -ESRCH: that could not be found out, and nobody was signalled. */
int exits_signal_other(pid_t pid, const struct exits_identity *is, int number);

/* -ESRCH: there is no such process; another error says nothing about it. */
int exits_identify(pid_t pid, struct exits_identity *ret);
/* A descriptor of this very process if it still lives, -ESRCH if not. Another error: that could not be found out. */
int exits_open(pid_t pid, const struct exits_identity *is);
