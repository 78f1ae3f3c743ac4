/*
 * crew - what the front says to its engine processes, and they to it. Two kinds of SEQPACKET pair:
 *
 *   front <-> mold     one, from exec (descriptor CREW_MOLD_FD of the engine)
 *   front <-> worker   one per worker, made by the front, passed to the mold with CREW_FORK
 *
 * Requests and answers do not pass here (exchange.h); this is birth, readiness, large bodies and death.
 *
 * The engine is started as: engine-pythonX.Y, argv[0] = "NAME mold", with these descriptors and no other but
 * 0 (/dev/null), 1 and 2 (a pipe to the front, which logs what the app prints):
 */
#pragma once
#include "shared/limits.h"
#include <stdint.h>

#define CREW_MOLD_FD     3 /* SEQPACKET to the front */
#define CREW_CONFIG_FD   4 /* the sealed memfd of handoff.h (struct handoff, then resolved items) */
#define CREW_EXCHANGE_FD 5
#define CREW_EVENT_FD    6 /* the exchange's eventfd towards the front */
#define CREW_BOARD_FD    7 /* scoreboard, writable */

#define CREW_TEXT_MAX 1900

enum crew_kind {
	CREW_NONE,
	/* front -> mold */
	CREW_FORK, /* worker = number; one descriptor: the worker's end of its pair */
	CREW_QUIT, /* leave; workers stay */
	/* mold -> front */
	CREW_MOLD_READY, /* a = us for import and warm-up, b = 1 if preloaded (0: lazy-apps), text = a note or "" */
	CREW_MOLD_FAILED, /* a = enum fail_phase (msg.h), text = reason and last lines of the traceback; then exits */
	CREW_FORKED,      /* worker, a = pid */
	CREW_FORK_FAILED, /* worker, text */
	/* worker -> front */
	CREW_WORKER_READY,  /* a = pid, b = us it took (import included with lazy-apps) */
	CREW_WORKER_FAILED, /* lazy-apps: a = enum fail_phase, text; then exits */
	CREW_WANT_BODY,     /* a = slot, b = a number: send me the body's file */
	CREW_WORKER_LEAVES, /* text = why, of its own will (sys.exit, retired) */
	CREW_FILE,          /* a = slot, b = where; one descriptor: before a HEAD with FRAME_FILE */
	CREW_MODULES, /* one descriptor: a sealed memfd of the files that its modules came from, each with a NUL */
	/* front -> worker */
	CREW_BODY, /* a, b as asked; one descriptor, positioned anywhere, read with pread */
	/* a worker becomes the parent of the next mold (refork); exchange_worker_call() is what it hears first */
	CREW_WANT_MOLD,     /* worker -> front: send me the mold's end of its pair */
	CREW_REFORKED,      /* worker -> front: a = pid of the mold that I have forked */
	CREW_REFORK_FAILED, /* worker -> front: text = why I cannot */
	CREW_MOLD,          /* front -> worker; one descriptor */
	CREW_KIND_COUNT,
};

struct crew_msg {
	uint16_t kind;
	uint16_t text_n;
	uint32_t worker; /* 0-based */
	uint64_t a, b;
	char text[CREW_TEXT_MAX];
};

/* Exit codes of engine processes; anything else is a crash or the app's doing. */
enum crew_exit {
	CREW_EXIT_OK = 0,      /* retired or told to quit */
	CREW_EXIT_FAILED = 22, /* could not load the app; MOLD_FAILED / WORKER_FAILED said why */
	CREW_EXIT_ORPHAN = 23, /* the front is gone */
};

/*
 * Signals, SIGRTMIN + offset, on which a process prints its stacks to stderr; registered by the engine at start. The
 * first walks all threads without the GIL, which may crash it: only before a kill. The second does a process no harm
 * whose request may yet end well.
 */
#define CREW_STACKS_SIGNAL_OFFSET 5
#define CREW_LOOK_SIGNAL_OFFSET   7
#define CREW_OTHERS_SIGNAL_OFFSET 8 /* after LOOK: all threads, when the main one comes to it */
/* The line, with a process number behind it, that says that these were all. The front swallows it. */
#define CREW_STACKS_END "-- end of the stacks of process "
/* Runs a Python handler, which interrupts the request that exchange_condemn() has named, if it is still in work. */
#define CREW_INTERRUPT_SIGNAL_OFFSET 6

struct err;
/* Same conventions as msg_send and msg_recv. */
int crew_send(int sock, const struct crew_msg *m, const char *text, int fd);
int crew_recv(int sock, struct crew_msg *ret_m, int *ret_fd, struct err *err);
const char *crew_kind_name(unsigned kind);
