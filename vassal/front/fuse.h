/*
 * fuse - which requests have killed workers, and must wait before they may again. Pure: keys and times go in.
 *
 * The same request (method, target, body) that kills two workers within FUSE_WINDOW_NS, and was not answered by one in
 * between, is fused for FUSE_OPEN_NS. Afterwards one more death within the window of the last fuses it again. That an
 * answer wipes the slate tells the request that kills from one that stood next to it, or happened to be in hand when
 * an operator or the kernel killed. Time alone is no death to count (harakiri, a worker that does not leave): when a
 * database hangs, everybody's request is slow, and none of them is to blame.
 *
 * A worker with threads dies with several requests in its hands, and each is suspected as far as the death speaks against
 * it (enum fuse_proof). One that was alone in either of its two deaths is a killer. So is one that only shared both, for
 * under load nobody is ever alone, and the workers would go on dying; but a death counts little against who stood next
 * to a known killer. Two that always die together both wait: which of them it is, nobody can say.
 */
#pragma once
#include "shared/base.h"
#include "shared/clock.h"

#define FUSE_KILLS     2
#define FUSE_WINDOW_NS (60 * NS_PER_S)
#define FUSE_OPEN_NS   (30 * NS_PER_S)
/* Suspects at once. A worker's death brings at most one for each of its threads; the least recent gives way. */
#define FUSE_ENTRIES 64

/* Keyed digests (siphash.h): nobody makes another's request look like one that kills. */
struct fuse_key {
	uint64_t request; /* method and target */
	uint64_t body;
};

enum fuse_proof {
	FUSE_WEAK,   /* another one in that death was fused, or had killed alone before */
	FUSE_SHARED, /* there were others, of whom no more is known */
	FUSE_ALONE,  /* the only one, or copies of it */
};

struct fuse_entry {
	struct fuse_key key;
	enum fuse_proof proof; /* the best of its deaths */
	uint64_t killed_ns;    /* when it did last */
	uint64_t until_ns;     /* fused until then; 0: only suspected */
};

struct fuse { /* zeroed: nobody is suspected */
	unsigned n;
	struct fuse_entry v[FUSE_ENTRIES];
};

/* A worker died with these requests in its hands. ret_fused[i]: that one is fused from now on (again, if it was before). */
void fuse_died(struct fuse *f, const struct fuse_key *keys, size_t n, uint64_t now_ns,
	       bool *ret_fused);
/* A worker has answered it: even one that is fused, and was sent before that, is cleared by it. */
void fuse_survived(struct fuse *f, const struct fuse_key *key);
/* How long it still has to wait; 0: it may pass. Forgets what is past. */
uint64_t fuse_left_ns(struct fuse *f, const struct fuse_key *key, uint64_t now_ns);
/* Forgets everything; how many were fused. */
unsigned fuse_clear(struct fuse *f, uint64_t now_ns);
