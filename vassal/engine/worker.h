/*
 * worker - a process that serves requests, from its birth out of the mold to its exit.
 */
#pragma once
#include "shared/base.h"

struct engine;

/* In the new process, with the GIL and after Python's fork hooks. link_fd: its pair to the front. */
_Noreturn void worker_run(struct engine *e, unsigned number, int link_fd);
