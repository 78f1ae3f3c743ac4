/*
 * remote - how emperorctl reaches a running emperor: the control socket for commands, the stats socket for history.
 * One question, one answer, one connection each. Blocks: emperorctl has nothing else to do.
 */
#pragma once
#include "shared/base.h"
#include <jansson.h>

struct err;

struct remote { /* where the emperor was found */
	char dir[256];
};

/*
 * dir: --run-dir, or NULL: $EMPEROR_RUN_DIR, /run/emperor, then what an emperor started by this user would take.
 * -ENOENT: nobody is there; err names every path that was tried. -EACCES: there is a socket that this user may not open.
 */
int remote_find(const char *dir, struct remote *ret, struct err *err);

/* Sends "verb [argument]". *ret_fd (may be NULL): the descriptor beside the answer, or -1. */
int remote_command(const struct remote *r, const char *verb, const char *argument,
		   json_t **ret_answer, int *ret_fd, struct err *err);

/* GET target from the stats socket. -ENOENT: it knows no such thing; -EREMOTEIO: another error; err says which. */
int remote_stats(const struct remote *r, const char *target, json_t **ret_answer, struct err *err);
