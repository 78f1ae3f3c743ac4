/*
 * refork - a worker that has served `refork` requests becomes the parent of the next mold, and the others are replaced
 * by forks of that, a few at a time: what the app has loaded since its import is shared by all again. Once in the life
 * of a generation: a leak must not be handed down from mold to mold. Without `refork` a worker that has answered
 * requests takes the mold's place before the first nap (`idle-refork`): what frameworks load with their first page
 * (routes, templates) would else be loaded after every nap, while a client waits. Private to this folder.
 *
 *   call a worker ─► WANT_MOLD ─► its channel ─► REFORKED + MOLD_READY ─► the molds change places
 *                └─► REFORK_FAILED: why, for the status; another one is asked when it has served so many, three in all
 */
#pragma once
#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct crew_msg;
struct pool;
struct worker;

struct refork { /* zeroed: nothing under way */
	struct pool *pool;
	unsigned worker; /* who was called, 1-based; 0: nobody */
	unsigned tries;
	bool done;
	bool for_nap;   /* what is under way: the others need no replacing, they go */
	bool nap_tried; /* once: what keeps a worker from it does not go away in a nap */
	bool ready;     /* the new mold has said so */
	int fd;         /* owned: to the new mold; -1 none */
	ev_io io;
	pid_t pid;         /* the new mold, until it is the mold */
	pid_t old_pid;     /* the mold before; leaves */
	uint64_t since_ns; /* of what is under way, or of the old one's leaving */
	char why[160];     /* not possible; for the status */
};

void refork_init(struct pool *pool);
/* Once a second: begins, ends what takes too long. */
void refork_tick(struct pool *pool, uint64_t now_ns);
/* At each turn of policy: holds a nap that is due until a worker that has served is the mold. */
void refork_before_nap(struct pool *pool, uint64_t now_ns);
/* False: not a message for us. */
bool refork_message(struct worker *w, const struct crew_msg *m);
/* True: the process was one of ours. */
bool refork_exited(struct pool *pool, pid_t pid);
/* A worker is gone. */
void refork_worker_gone(struct pool *pool, unsigned number);
/* Everything is being ended. */
void refork_end(struct pool *pool);
