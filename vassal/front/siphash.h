/*
 * siphash - SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012) in pieces: a 64-bit digest that
 * nobody who lacks the key can make collide. Not a signature, and not for secrets.
 *
 * Written out here, and tested against the paper's vectors, because it is all that is needed: libcrypto, which has it
 * too, costs each front 400 KB of memory of its own.
 */
#pragma once
#include "shared/base.h"

struct siphash_key {
	uint64_t k[2]; /* random, of this process */
};

struct siphash {
	uint64_t v[4];
	uint64_t n;    /* bytes so far */
	uint64_t tail; /* those of the last, unfinished word */
};

void siphash_begin(struct siphash *s, const struct siphash_key *key);
void siphash_add(struct siphash *s, const void *data, size_t n);
/* Ends it: begin anew for another. */
uint64_t siphash_end(struct siphash *s);
