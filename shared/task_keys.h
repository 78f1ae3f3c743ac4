/*
 * task_keys - the key=value,key=value form of attach-daemon2 and cron2. Private to vassal_tasks.c.
 *
 * uWSGI's form splits at every comma, so that a command with one in it breaks. Here a comma separates only where a key
 * that we know follows it.
 */
#pragma once
#include "shared/vassal_config.h"

#define TASK_BLANKS     " \t"
#define TASK_NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

struct task_key;

struct task_keys {
	const struct task_key *v;
	size_t n;
};

extern const struct task_keys task_keys_daemon;
extern const struct task_keys task_keys_cron;

struct task_keys_context {
	struct task_config *task; /* what the keys fill */
	const char *where;
	struct inifile_notes *notes;
	const struct option *o;
};

/* Does a key that we know stand at p? */
bool task_keys_begin(const struct task_keys *keys, const char *p);
int task_keys_apply(const struct task_keys_context *k, const struct task_keys *keys, const char *p,
		    struct err *err);
/* Replaces what field owns. */
int task_copy_text(char **field, const char *value, struct err *err);
