/*
 * policy_inner - what the two halves of the policy share. Private to them.
 */
#pragma once
#include "vassal/pool/policy.h"

static inline uint32_t policy_random(struct policy *p)
{
	/* xorshift32 (Marsaglia 2003): jitter needs no more. */
	p->random ^= p->random << 13;
	p->random ^= p->random >> 17;
	p->random ^= p->random << 5;
	return p->random;
}

/* 0 = for ever. */
static inline uint64_t policy_after(uint64_t now_ns, uint64_t ns)
{
	return ns ? now_ns + ns : 0;
}

static inline void policy_set_killing(struct policy_slot *s, enum policy_reason why,
				      uint64_t deadline_ns)
{
	s->state = SLOT_KILLING;
	s->why = why;
	s->deadline_ns = deadline_ns;
}

/* After how many requests a new process is due; 0 = never. */
uint64_t policy_draw_served_limit(struct policy *p);
