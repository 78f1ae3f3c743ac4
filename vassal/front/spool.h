/*
 * spool - bytes on their way between the fast and the slow side of a connection: in memory up to a limit, then in an
 * unlinked temp file that a disk thread writes. Used for answers to slow readers and for large request bodies.
 *
 * Order of bytes: what is on file, what is being written (flight), what is in memory. While a write runs, a second
 * memory-full may gather; when both are full spool_room() is 0 and the producer waits for the ready callback. What the
 * disk refuses comes back into memory; once the client has read all of it the disk is asked again.
 */
#pragma once
#include "shared/buf.h"
#include <sys/types.h>

struct diskpool;
struct spool;
struct spool_job;

/* What all temp files of a front may hold together. */
struct spool_budget {
	uint64_t used, limit;
};

struct spool_limits {
	size_t memory;      /* bytes kept in memory */
	uint64_t file;      /* bytes on file */
	const char *tmpdir; /* borrowed */
	/* borrowed; NULL: none */
	struct spool_budget *budget;
	/* beyond the budget an append fails with -EDQUOT, and so does one that the disk refuses with its error; else both
	   mean that there is no room until some was sent */
	bool refuse;
};

typedef void spool_fn(void *arg);

struct spool { /* zeroed = empty */
	struct buf mem;
	struct spool_job *job; /* the write that runs; owns the bytes in flight */
	int file_fd;           /* valid if has_file; owned */
	bool has_file;
	bool stale;        /* the file holds pages that were sent and may still stand in a socket */
	int error;         /* negative errno: the file could not be made or written */
	int refused;       /* the same where it is no error: goes on in memory alone */
	uint64_t written;  /* bytes on file */
	uint64_t consumed; /* of those, sent already */
	uint64_t total;    /* ever appended */
	uint64_t charged;  /* to the budget, for what the file holds */
	struct spool_budget *budget;
};

/* Bytes that may be appended now. */
size_t spool_room(const struct spool *s, const struct spool_limits *l);
/*
 * Takes all n bytes (callers check spool_room() first; a little more than the limit is taken too) or fails. ready is
 * called with arg from the loop when a write that ran has ended.
 */
int spool_append(struct spool *s, const struct spool_limits *l, struct diskpool *disk,
		 spool_fn *ready, void *arg, const void *data, size_t n);
/* Puts what is in memory on file too. True when all is there (or error is set), false: wait for ready. */
bool spool_to_file(struct spool *s, const struct spool_limits *l, struct diskpool *disk,
		   spool_fn *ready, void *arg);
/* Sends to a socket until EAGAIN. 1 = all gone, 0 = later, or -errno. *ret_sent counts. */
int spool_send(struct spool *s, int sock, uint64_t *ret_sent);
static inline bool spool_empty(const struct spool *s)
{
	return s->mem.n == 0 && !s->job && s->written == s->consumed;
}
/* Ends a write that runs too: its result is dropped. */
void spool_done(struct spool *s);
