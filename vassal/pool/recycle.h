/*
 * recycle - in words: why a worker was replaced, and with which figure over which limit. Private to this folder.
 */
#pragma once
#include "vassal/pool/policy.h"

struct pool;

/* "rss 312M over reload-on-rss 300M for 3 checks". */
void recycle_describe(const struct pool *pool, unsigned worker, enum policy_reason why, char *buf,
		      size_t size);
/* The event of a worker that has left for this reason. */
void recycle_tell(struct pool *pool, unsigned worker, enum policy_reason why);
