/*
 * diskpool - the few threads that may wait for a disk, so that the loop never does: temp files, cold static files.
 *
 * A job is made by its owner, which may end first: then it clears the job's owner and lets it run out. Threads start
 * with the first job and end with the process. Waiting jobs are bounded by their owners: a connection has at most
 * one for each direction.
 */
#pragma once
#include "shared/base.h"
#include <ev.h>
#include <pthread.h>

struct err;

#define DISKPOOL_THREADS 2 /* temp files and cold opens only; more would only queue in the disk */
#define DISKPOOL_FAR_THREADS \
	8 /* for disks that a network or a program answers for: those wait, and work elsewhere */

struct diskjob {
	struct diskjob *next;
	void (*work)(struct diskjob *job); /* in a thread: touches the job alone */
	void (*done)(struct diskjob *job); /* in the loop; frees it */
	void *owner;                       /* NULL: nobody wants the result any more */
};

struct diskpool {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct diskjob *first, **last; /* waiting */
	struct diskjob *finished;
	unsigned threads, idle, most;
	unsigned waiting_n;
	ev_async wake;
	struct ev_loop *loop;
};

/* most: threads that it may have. */
void diskpool_init(struct diskpool *p, struct ev_loop *loop, unsigned most);
/* False if no thread could be started: the caller then does the work itself or gives up. */
bool diskpool_submit(struct diskpool *p, struct diskjob *job);
