/*
 * policy_inner - what the parts of the policy share. Private to them.
 */
#pragma once
#include "vassal/pool/policy.h"

struct policy_census {
	unsigned starting, ready, due, unforked, alive;
	unsigned recycled; /* retiring, with a successor */
};

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

static inline bool policy_is_due(const struct policy_slot *s, uint64_t now_ns)
{
	return s->state == SLOT_READY && s->due != WHY_NONE && now_ns >= s->due_ns;
}

/* How many may be replaced at a time. */
static inline unsigned policy_room(const struct policy *p)
{
	return MAX(1U, p->target / 4);
}

/* -- policy_report.c */
/* After how many requests, and when, a new process is due; 0 = never. */
uint64_t policy_draw_served_limit(struct policy *p);
uint64_t policy_draw_expiry(struct policy *p, uint64_t now_ns);
bool policy_become_due(struct policy *p, unsigned worker, enum policy_reason why);

/* -- policy_adapt.c */
struct policy_census policy_count(const struct policy *p, uint64_t now_ns);
/* Sets the target, and who is too old. */
void policy_adapt(struct policy *p, uint64_t now_ns);
/* More are ready than wanted, and none of them is to be replaced. */
bool policy_has_surplus(const struct policy *p, uint64_t now_ns);
/* When it may grow for the request that waits, and nap; 0 = not to be expected. */
uint64_t policy_grow_ns(const struct policy *p);
uint64_t policy_nap_ns(const struct policy *p);
