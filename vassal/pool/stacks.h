/*
 * stacks - whose stacks stand in the output. Every process of an app prints on the same pipe, and what faulthandler
 * prints names no process: so one worker at a time is asked, and its turn ends with the line that it prints after all
 * threads, when it has been quiet for a while, or when it never began. Pure: lines and times go in.
 *
 * What a process prints while it crashes comes unasked; it is kept for the death that follows.
 */
#pragma once
#include "shared/base.h"
#include "shared/clock.h"
#include "shared/limits.h"
#include "shared/scoreboard.h"
#include <sys/types.h>

#define STACKS_BYTES BOARD_BLAME_STACKS

/* A dump takes some ms; its lines come in one burst. */
#define STACKS_QUIET_NS (60 * NS_PER_MS)
/* A living worker answers when it comes to it; one that is to be killed in STACKS_GRACE_MS does not hold up the next. */
#define STACKS_LOOK_NS    NS_PER_S
#define STACKS_ALL_NS     (180 * NS_PER_MS)
#define STACKS_CROWDED_NS (90 * NS_PER_MS)
/* From the first word of a crash to the exit: a core dump lies between them. */
#define STACKS_CRASH_NS (30 * NS_PER_S)

enum stacks_how {
	STACKS_NONE,
	STACKS_LOOK,      /* it may live */
	STACKS_INTERRUPT, /* it prints them, and then raises an exception where it is */
	STACKS_ALL,       /* all threads without the GIL: a kill follows */
};

struct stacks {                        /* zeroed: nobody is asked */
	uint8_t wanted[LIMIT_WORKERS]; /* enum stacks_how */
	unsigned waiting;              /* of them */
	enum stacks_how how;           /* of the one whose turn it is */
	unsigned worker;
	pid_t pid;
	uint64_t asked_ns, heard_ns;
	bool ended; /* its last line has come */
	size_t n;
	char text[STACKS_BYTES];
	uint64_t crash_ns; /* 0: none */
	size_t crash_n;
	char crash[STACKS_BYTES];
};

/* Is this what faulthandler prints? */
bool stacks_is_line(const char *p, size_t n);

/*
 * A dump for people: the thread that the request is in comes first. thread: as the dump names it; 0, or one that is not in it,
 * leaves the order as it is. What does not fit is cut.
 */
void stacks_copy(char *to, size_t size, const char *text, uint64_t thread);

void stacks_want(struct stacks *s, unsigned worker, enum stacks_how how);
/* The next one to ask, if nobody's turn it is: its turn begins. Those to be killed come first. */
bool stacks_next(struct stacks *s, unsigned *ret_worker, enum stacks_how *ret_how);
void stacks_asked(struct stacks *s, pid_t pid, uint64_t now_ns);
/* A line of the output. True: it is ours, and nobody needs to see it. */
bool stacks_line(struct stacks *s, const char *p, size_t n, uint64_t now_ns);
/* Is the present turn over? */
bool stacks_over(const struct stacks *s, uint64_t now_ns);
void stacks_end(struct stacks *s);
/* This worker is gone: nobody asks it any more. */
void stacks_drop(struct stacks *s, unsigned worker);
/* What was printed by a crash since then, terminated; "" if nothing was. It is given once. */
const char *stacks_take_crash(struct stacks *s, uint64_t now_ns);
