/*
 * command - one line of a control client, from bytes to a value. Pure.
 *
 *   line = verb [ SP "--no-wait" ] [ SP number ] [ SP argument ] LF
 *
 * The argument is the rest of the line: an app's name may hold blanks.
 */
#pragma once
#include "shared/limits.h"
#include "shared/span.h"

struct err;

enum command_verb {
	COMMAND_STATUS,
	COMMAND_RELOAD,
	COMMAND_START,
	COMMAND_STOP,
	COMMAND_REOPEN,
	COMMAND_BOARD,
	COMMAND_VERSION,
	COMMAND_WHERE,
	COMMAND_SCALE,
	COMMAND_UNFUSE,
	COMMAND_PLAN,
	COMMAND_ROLLBACK,
	COMMAND_INI,
	COMMAND_UPGRADE,
	COMMAND_COUNT,
};

struct command {
	enum command_verb verb;
	bool no_wait;    /* answer when the command is accepted, not when its outcome is known */
	bool all;        /* "--all" in place of a name */
	unsigned number; /* of scale */
	char app[LIMIT_NAME];         /* "" = none named */
	char dir[LIMIT_CONTROL_LINE]; /* of plan, or the program of upgrade; "" = none named */
};

const char *command_name(enum command_verb verb);
/* Does it mean the files as they are now? A plan of the emperor's own directories looks itself, and changes nothing. */
bool command_looks(const struct command *c);
/* line: without its LF. -EINVAL: err says what is wrong with it. */
int command_parse(struct span line, struct command *ret, struct err *err);
