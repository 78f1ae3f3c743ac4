/*
 * mold - the process that has the app imported and forks workers. Serves nothing itself.
 */
#pragma once

struct engine;

/* From starting the interpreter to the end of the front. */
_Noreturn void mold_run(struct engine *e);
/* Tells the front why there will be no app, and exits. phase: enum fail_phase. */
_Noreturn void mold_fail(unsigned phase, const char *text);
