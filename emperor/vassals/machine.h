/*
 * machine - what all apps share: processes (max-workers), memory (memory-budget, stalls of the kernel), and the control groups
 * that limit-memory is made of. Private to this folder.
 */
#pragma once
#include "emperor/vassals/internal.h"

void machine_open(struct vassals *v);
void machine_close(struct vassals *v);
/* Of wanted processes, how many max-workers leaves the app. */
unsigned machine_room(const struct app *a, unsigned wanted);
/* Cuts what a generation will run to that; the app has what it has until that one serves. */
int machine_grant(const struct app *a, struct loaded *l, struct err *err);
/* As an emperor before us has granted. */
int machine_cut(struct loaded *l, unsigned granted, struct err *err);
/* What was cut once (wanted: struct loaded's of then) may have all again, before it is granted anew. */
int machine_uncut(struct loaded *l, unsigned wanted, struct err *err);
/* This serves from now on: what it lacks is given back when there is room. */
void machine_took(struct app *a, const struct loaded *l);
/* Its front runs so many from now on: if that is all that it wants, it lacks nothing any more. */
void machine_scaled(struct app *a, unsigned processes);
/* Says so, once it serves. */
void machine_explain(struct app *a);
/* limit-memory: who writes "0" into *ret_procs_fd is in the app's group; -1: it has none. */
int machine_enter(const struct app *a, const struct loaded *l, int *ret_procs_fd, struct err *err);
/* Can a generation that runs take the limit of l in place? It takes it. */
bool machine_limit_is_live(const struct generation *g, const struct loaded *l);
int machine_limit(const struct generation *g, const struct loaded *l, struct err *err);
void machine_left(const struct app *a);
