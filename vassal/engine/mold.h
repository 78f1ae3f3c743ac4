/*
 * mold - the process that has the app imported and forks workers. Serves nothing itself.
 */
#pragma once
#include <sys/types.h>

struct engine;

typedef void mold_child_fn(struct engine *e, void *arg);

/* From starting the interpreter to the end of the front. */
_Noreturn void mold_run(struct engine *e);
/*
 * Twice, so that the front becomes the parent: fn runs in the new process, holding the GIL, and does not return. The pid
 * of that process, or -errno. Holds the GIL.
 */
pid_t mold_fork(struct engine *e, mold_child_fn *fn, void *arg);
/* In a process that was forked from a worker: from now on it is a mold, on CREW_MOLD_FD. */
_Noreturn void mold_resume(struct engine *e);
/* Tells the front why there will be no app, and exits. phase: enum fail_phase. */
_Noreturn void mold_fail(unsigned phase, const char *text);
