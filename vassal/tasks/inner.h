/*
 * inner - what the files of this folder share: tasks.c (plans and their actions), run.c (one process of a task), rows.c
 * (the scoreboard). Private to the folder.
 */
#pragma once
#include "shared/scoreboard.h"
#include "shared/vassal_config.h"
#include "vassal/pool/output.h"
#include "vassal/tasks/plan.h"
#include "vassal/tasks/tasks.h"
#include <ev.h>
#include <sys/stat.h>

#define TASK_WHY  128
#define TASK_MARK (LIMIT_TASK_NAME + 48)

struct task;

struct run {               /* one minder and its program */
	struct task *task; /* borrowed */
	unsigned number;
	pid_t minder; /* 0: none */
	pid_t pid;    /* of the program, as the minder says */
	int control;  /* owned; -1 */
	ev_io io;
	ev_child child;
	struct output output;
	bool has_status;
	int status;
	char why[TASK_WHY];   /* of a kill */
	char mark[TASK_MARK]; /* in its environment */
};

struct task {
	struct tasks *tasks; /* borrowed */
	const struct task_config *config;
	struct board_task *row;
	struct plan plan;
	struct run *run[LIMIT_TASK_RUNS]; /* owned */
	struct timespec touched[LIMIT_TASK_TOUCH];
	bool queued_said;
};

struct tasks {
	struct ev_loop *loop;
	struct tasks_setup setup;
	struct tasks_events events;
	void *arg;
	char *minder; /* the program; owned */
	struct task task[LIMIT_TASKS];
	unsigned n;
	bool serves, drains, over_said;
	ev_timer step;  /* the next thing to do */
	ev_timer watch; /* touched files, predecessors */
	ev_timer relay; /* timed jobs begin a moment after the swap */
};

/* -- tasks.c -- */
void task_event(struct task *t, const char *fmt, ...) _printf_(2, 3);
void tasks_kick(struct tasks *ts);
/* The run's minder has gone; what it left is told in run. */
void task_run_ended(struct task *t, struct run *r, int minder_status);

/* -- run.c -- */
int run_start(struct task *t, unsigned number, struct err *err);
void run_signal(struct run *r, int sig);
/* why: a sentence's end for the log. */
void run_kill(struct run *r, const char *why);
void run_free(struct run *r);

/* -- rows.c -- */
void row_init(struct task *t);
void row_show(struct task *t);
void row_ended(struct task *t, int status, bool failed);
/* A process of the same task of another generation lives. */
bool row_predecessor(const struct task *t);
/* Up to which minute another generation has run this timed job; now_s if nobody has lately. */
time_t row_looked(const struct task *t, time_t now_s);
