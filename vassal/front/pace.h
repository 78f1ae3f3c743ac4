/*
 * pace - is a peer fast enough? It has some time without conditions, and then for each byte that it took or gave as much
 * more as the least rate allows. Pure.
 *
 * A peer that moves one byte just before each timeout would otherwise be held for ever.
 */
#pragma once
#include "shared/base.h"

struct pace {
	uint64_t begun_ns;
	uint64_t bytes; /* since then */
};

/* rate: bytes per second; 0: none is asked for. */
bool pace_is_slow(const struct pace *p, uint64_t grace_ns, uint64_t rate, uint64_t now_ns);
/* That long it was we who did not move. */
void pace_excuse(struct pace *p, uint64_t ns);
