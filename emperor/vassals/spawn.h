/*
 * spawn - the only fork of the emperor: fork, become who the child is to be, exec. Nothing of the emperor's leaks: all
 * descriptors but the named ones are closed, signals are as a fresh process has them, the child leads its own session.
 *
 * Never waits for the child. Whether its exec succeeded arrives on a pipe: end of file says yes, a message says which
 * step failed and why.
 */
#pragma once
#include "shared/base.h"
#include <sys/resource.h>
#include <sys/types.h>

struct err;
struct privs;

#define SPAWN_FDS    32
#define SPAWN_LIMITS 4

struct spawn_limit {
	int resource; /* RLIMIT_* */
	rlim_t value; /* soft and hard; spawn_limit_value() tells what becomes of it */
};

struct spawn {
	const char *path;
	char *const *argv;
	char *const *envp;
	const int *fds; /* become 3, 4, ... in this order */
	size_t fds_n;
	int stderr_fd;             /* becomes 1 and 2; 0: ours does */
	int group_fd;              /* cgroup.procs of the group to enter; 0: none */
	const struct privs *privs; /* NULL: stay who we are */
	bool no_new_privs;
	mode_t umask; /* (mode_t)-1: leave */
	struct spawn_limit limits[SPAWN_LIMITS];
	size_t limits_n;
	bool keep_hard;       /* hard limits are lowered, never raised */
	const char *home_dir; /* entered as the child's user if that works, else "/" */
	const char *chdir;    /* entered after it, must work; NULL: none */
};

/* *ret_outcome_fd: nonblocking, for spawn_outcome. */
int spawn_start(const struct spawn *s, pid_t *ret_pid, int *ret_outcome_fd, struct err *err);

/* What a limit really becomes: no more than the hard limit there is, for who may not raise it or is not to. */
rlim_t spawn_limit_value(const struct spawn_limit *l, bool keep_hard);

/* 1 = it runs the program; -EAGAIN = not known yet; another negative errno = it failed, err says at which step. */
int spawn_outcome(int outcome_fd, struct err *err);
