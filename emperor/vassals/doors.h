/*
 * doors - where an app's connections come from: its own listeners, its stats socket, and the gate door. The emperor
 * opens and keeps them; generations inherit the descriptors. Across generations equal doors stay the same socket, new
 * ones are opened, and those that no generation wants are closed.
 */
#pragma once
#include "shared/address.h"
#include "shared/limits.h"
#include "shared/listen.h"

struct err;
struct loaded;

/* Of two generations that share none, stats sockets included. */
#define DOORS_MAX ((size_t)2 * (LIMIT_LISTENERS + 1))

struct door {
	struct address address;
	int fd;          /* owned */
	uint64_t number; /* never reused within the app */
	int lent;        /* to the gate, as a listener of this enum gate_protocol; -1: it is not */
	int name_fd;     /* owned; O_PATH: the name of a UNIX socket as it was made; -1: has none */
	struct listen_options made; /* how it is */
};

struct doors {          /* doors_init() before use */
	struct door *v; /* owned */
	size_t n;
	uint64_t numbers;
	int gate_end;  /* owned: the gate sends into it */
	int front_end; /* owned: fronts receive from it */
	int next_gate_end,
		next_front_end; /* owned: the pair that takes over with the next generation; -1: none */
};

struct door_set { /* borrowed descriptors of one generation, in the order of its listeners */
	int listeners[LIMIT_LISTENERS];
	size_t listeners_n;
	int stats; /* -1: none */
};

void doors_init(struct doors *d);
/* The gate door. It holds DOORS_GATE_BYTES each way: a default pair takes 167 small connections, then the gate queues. */
int doors_open_gate(struct doors *d, struct err *err);
/*
 * The front end for the generation that starts now. An app that has called shutdown(2) on it has done so for all copies
 * and for good: then it is that of a new pair, which doors_take_next() puts in place. Borrowed, or an error.
 */
int doors_front_end(struct doors *d, struct err *err);
/* A new gate door in any case; what there was stays on failure. The gate must hear of it. */
int doors_renew_gate(struct doors *d, struct err *err);
/* That generation serves now, or nothing else does. True: the gate door is another one, of which the gate must hear. */
bool doors_take_next(struct doors *d);
/* All that this configuration wants; what is open already stays. clamped: a backlog was larger than somaxconn. */
int doors_open(struct doors *d, const struct loaded *l, struct door_set *ret_set, bool *ret_clamped,
	       struct err *err);
/*
 * Equal doors stay the same socket, but their backlog, and mode and owner of their names, become what this configuration
 * says: for a generation that is about to serve. What cannot be changed stays; err says the first.
 */
int doors_adjust(struct doors *d, const struct loaded *l, struct err *err);
/*
 * From an emperor before: the gate door in place of ours; and a listener that this configuration wants (else it is closed),
 * with the descriptor of its name or -1. All descriptors are taken, in any case.
 */
void doors_take_gate(struct doors *d, int gate_end, int front_end);
int doors_restore(struct doors *d, const struct loaded *l, const char *address, uint64_t number,
		  int fd, int name_fd, struct err *err);
/* The listener on this address, -1 if there is none. Borrowed. */
int doors_find(const struct doors *d, const struct address *a);
/* What l wants and to lacks comes over from from, as it is; none of it may be lent to the gate. How many. */
size_t doors_move(struct doors *from, struct doors *to, const struct loaded *l);
/* Closes every door that none of these wants (each may be NULL). */
void doors_prune(struct doors *d, const struct loaded *const *keep, size_t keep_n);
/* The app is not to be started again: who comes to its listeners from now on is refused at once. */
void doors_shut(const struct doors *d);
/* Closes all, the gate door too. */
void doors_done(struct doors *d);
