/*
 * deadline - what is to be done about a request that has been in a worker's hands for so long. Pure.
 */
#pragma once
#include "shared/base.h"

struct deadline_limits { /* 0 = never */
	uint64_t slow_ns, interrupt_ns, harakiri_ns;
	uint64_t renew_ns; /* from the interrupt to when its worker takes nothing more */
	uint64_t grace_ns; /* from the interrupt to the kill; 0 = at once */
};

struct deadline_state {
	bool slow_said;
	bool interrupted, renewed;
	uint64_t interrupted_ns; /* how old it was then */
};

enum deadline_action {
	DEADLINE_WAIT,
	DEADLINE_SAY,       /* slow-request */
	DEADLINE_INTERRUPT, /* interrupt-timeout */
	DEADLINE_RENEW,     /* it goes on after its interrupt: nothing new may come beside it */
	DEADLINE_UNMOVED,   /* it was interrupted, and goes on: its worker is killed */
	DEADLINE_HARAKIRI,
};

enum deadline_action deadline_next(const struct deadline_limits *l, const struct deadline_state *s,
				   uint64_t age_ns);
