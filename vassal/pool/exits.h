/*
 * exits - what a wait status means in words, and the exits of processes that nobody has claimed
 * yet: the mold forks twice, so a worker may have died before the message with its pid is read.
 * Bounded: the oldest is forgotten.
 */
#pragma once
#include "shared/base.h"
#include "shared/limits.h"
#include <sys/types.h>

/* Every worker of a pool at once, and as many orphans of the app. */
#define EXITS_MAX (2 * LIMIT_WORKERS)

struct exits { /* zeroed = none */
	struct {
		pid_t pid;
		int status;
		uint64_t at_ns;
	} v[EXITS_MAX];
	unsigned next;
};

void exits_add(struct exits *e, pid_t pid, int status, uint64_t now_ns);
/* The exit of this pid if it was not before since_ns (an older one was another process'); forgotten
 * then. */
bool exits_take(struct exits *e, pid_t pid, uint64_t since_ns, int *ret_status);
/* "killed by signal 11 (Segmentation fault)", "exited with 3". */
void exits_describe(int status, char *buf, size_t size);
