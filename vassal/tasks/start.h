/*
 * start - starts the minder of one run: the only exec of this folder. See minder.h.
 */
#pragma once
#include "shared/base.h"
#include <sys/types.h>

struct err;
struct task_config;
struct vassal_config;

struct start_setup {
	const struct vassal_config *config;
	const struct task_config *task;
	const char *name; /* the app's */
	uint64_t generation;
	const char *minder; /* the program */
	int output_fd;      /* 1 and 2 */
	const char *mark;   /* of the environment: see sweep.h */
};

/* The app's environment as its programs see it: env lines, and the virtual environment first in PATH. Owned. */
char **start_environ(const struct start_setup *s);
void start_environ_free(char **env);

/* ret_control: ours of the pair, nonblocking. */
int start_minder(const struct start_setup *s, pid_t *ret_pid, int *ret_control, struct err *err);
