/*
 * restart - when an app that has lost its front, or could not start one, is tried again, and whether its clients wait for
 * that. Pure: time and randomness are arguments.
 *
 * A front that had served is made anew at once the first time; its doors are held, so whoever comes meanwhile waits there.
 * Losses in a row back off, and for the first of them clients still wait: most are over by then. From then on it is a loop,
 * and a generation that never got ready will most likely not do so the next time: then clients are refused (503) until one
 * serves.
 */
#pragma once
#include "shared/backoff.h"

struct restart { /* zeroed = nothing has failed yet */
	struct backoff backoff;
	unsigned failures; /* in a row, of whatever kind */
	unsigned asked;    /* ends in a row that somebody asked the front for */
	bool unready;      /* the last one never got ready */
};

/*
 * A front that has served since serving_ns is gone; asked: somebody told it to end, and it did so in order. True: another
 * one at once; false: first restart_wait().
 */
bool restart_lost(struct restart *r, bool asked, uint64_t serving_ns, uint64_t now_ns);
/* One that started will never serve; restart_wait() follows, if nothing else serves. */
void restart_unready(struct restart *r);
/* One serves. */
void restart_served(struct restart *r);
/* The time of the next try. */
uint64_t restart_wait(struct restart *r, uint64_t now_ns, uint32_t random);
/* While none serves: are clients refused until one does? */
bool restart_refuses(const struct restart *r);
/* A change of the file, or a command: as if nothing had happened. */
void restart_reset(struct restart *r);
