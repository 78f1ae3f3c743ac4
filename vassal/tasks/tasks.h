/*
 * tasks - the programs beside an app: daemons and timed jobs, as children of its front. What to do is decided by plan.h
 * (pure), who holds them is minder.h; this is the hand between.
 *
 * They belong to the generation that serves. At a swap the old generation's daemons are told to end, and each of the new
 * generation's starts when its namesake has gone: two of a kind never run at once. Timed jobs that are under way may finish
 * within the grace of the generation.
 *
 * One front, one loop (libev's default loop). Callbacks come from the loop. All functions take NULL: an app without any.
 */
#pragma once
#include "shared/base.h"

struct board_bank;
struct err;
struct ev_loop;
struct scoreboard;
struct tasks;
struct vassal_config;

struct tasks_events {
	/* Bytes that a program printed, with its name before each line. */
	void (*output)(void *arg, const char *p, size_t n);
	/* Something for the log and the event ring. */
	void (*event)(void *arg, const char *text);
	/* A daemon with control has ended by itself: so should the generation. */
	void (*control_ended)(void *arg, const char *text);
	/* After tasks_drain: the last process of them has gone. Once. */
	void (*over)(void *arg);
};

struct tasks_setup {
	const struct vassal_config *config; /* borrowed */
	struct scoreboard *board;
	struct board_bank *bank;
	uint64_t generation;
	const char *name;       /* the app's */
	const char *engine_dir; /* where the minder stands */
};

/* *ret is NULL where the configuration names none. */
int tasks_new(struct tasks **ret, struct ev_loop *loop, const struct tasks_setup *setup,
	      const struct tasks_events *events, void *arg, struct err *err);
/* The generation serves. */
void tasks_serve(struct tasks *t);
/* The generation ends; grace_s 0: now. swap: another one serves, timed jobs may finish. May be repeated with less. */
void tasks_drain(struct tasks *t, unsigned grace_s, bool swap);
bool tasks_over(const struct tasks *t);
void tasks_free(struct tasks *t);
