/*
 * keeper - what a front and the keeper of one of its programs say to each other. The keeper (vassal/keeper/main.c) is the
 * program's parent: a small process of its own that outlives neither. It is a subreaper, so whatever the program starts,
 * detached or not, ends up below it; it leaves only when all of that has gone. When the front dies, it ends all of it.
 *
 * A SEQPACKET pair; each packet is one struct keeper_msg. A front that is gone shows as the end of file.
 */
#pragma once
#include <stdint.h>

/* Descriptors of a keeper, beside 0 (/dev/null), 1 and 2 (the front's pipe). */
#define KEEPER_CONTROL_FD 3

#define KEEPER_PROGRAM \
	"keeper" /* in libexec/emperor; also its comm, by which another front knows it */

/* Arguments: "1" if it detaches itself, bytes of address space, the command. */
enum { KEEPER_ARG_DETACHES = 1, KEEPER_ARG_LIMIT_AS, KEEPER_ARG_COMMAND, KEEPER_ARGS };

#define KEEPER_GRACE_MS \
	2000 /* from TERM to KILL, for what the program left behind or when the front has died */

enum keeper_kind {
	KEEPER_NONE,
	/* keeper -> front */
	KEEPER_STARTED, /* value: pid */
	KEEPER_ENDED, /* value: status of the program, as wait() gives it; then the keeper exits */
	/* front -> keeper */
	KEEPER_SIGNAL, /* value: to the program, or what it left in its place */
	KEEPER_KILL,   /* everything, now */
};

struct keeper_msg {
	uint32_t kind; /* enum keeper_kind */
	int32_t value;
};
