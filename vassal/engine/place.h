/*
 * place - where and how eagerly an engine process runs: prio and cpu-affinity.
 */
#pragma once

struct engine;

/* Niceness of this process and of those that it forks. Says so in the log when the system does not allow it. */
void place_prio(const struct engine *e);
/* Ties this worker (0-based) to its share of the CPUs that the process may use. */
void place_worker(const struct engine *e, unsigned number);
/* For the forks of a worker that was tied. */
void place_anywhere(const struct engine *e);
