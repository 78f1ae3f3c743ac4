/*
 * commands - the table of what emperorctl can be asked.
 */
#pragma once
#include "emperor/ctl/ctl.h"

struct err;

struct ctl_command {
	const char *name;
	const char *usage; /* behind the name */
	const char *help;  /* one line */
	unsigned args_min, args_max;
	/* of -f -n -v (--full) -a (--all) -w (--no-wait): those that mean something; 0: so does -n 0 */
	const char *options;
	bool local; /* needs no emperor */
	int (*run)(const struct ctl *c);
	void (*alone)(const struct ctl *c, const struct err *why); /* no emperor runs; or NULL */
};

const struct ctl_command *ctl_command_find(const char *name);
void ctl_commands_print(FILE *out);
