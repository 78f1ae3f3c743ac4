/*
 * place - where and how eagerly an engine process runs: prio, cpu-affinity, and who waits for whom.
 */
#pragma once

struct engine;

/* Niceness of this process and of those that it forks. Says so in the log when the system does not allow it. */
void place_prio(const struct engine *e);
/* Ties this worker (0-based) to its share of the CPUs that the process may use, and lets it wait for its turn (place.c). */
void place_worker(struct engine *e, unsigned number);
/* For what is no worker any more, and its forks. */
void place_anywhere(struct engine *e);
