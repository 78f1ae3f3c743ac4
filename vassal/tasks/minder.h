/*
 * minder - what a front and the minder of one of its programs say to each other. The minder (vassal/minder/main.c) is the
 * program's parent: a small process of its own that outlives neither. It is a subreaper, so whatever the program starts,
 * detached or not, ends up below it; it leaves only when all of that has gone. When the front dies, it ends all of it.
 *
 * A SEQPACKET pair; each packet is one struct minder_msg. A front that is gone shows as the end of file.
 */
#pragma once
#include <stdint.h>

/* Descriptors of a minder, beside 0 (/dev/null), 1 and 2 (the front's pipe). */
#define MINDER_CONTROL_FD 3

#define MINDER_PROGRAM \
	"minder" /* in libexec/emperor; also its comm, by which another front knows it */

/* Arguments: "1" if it detaches itself, bytes of address space, the command. */
enum { MINDER_ARG_DETACHES = 1, MINDER_ARG_LIMIT_AS, MINDER_ARG_COMMAND, MINDER_ARGS };

#define MINDER_GRACE_MS \
	2000 /* from TERM to KILL, for what the program left behind or when the front has died */

enum minder_kind {
	MINDER_NONE,
	/* minder -> front */
	MINDER_STARTED, /* value: pid */
	MINDER_ENDED, /* value: status of the program, as wait() gives it; then the minder exits */
	/* front -> minder */
	MINDER_SIGNAL, /* value: to the program, or what it left in its place */
	MINDER_KILL,   /* everything, now */
};

struct minder_msg {
	uint32_t kind; /* enum minder_kind */
	int32_t value;
};
