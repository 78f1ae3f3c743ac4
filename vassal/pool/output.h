/*
 * output - what the engine's processes print: one pipe for all of them, cut into lines. Embedded in
 * the pool.
 *
 * Bounded in every direction: a line longer than OUTPUT_LINE_MAX is given out in pieces, one turn
 * of the loop reads at most OUTPUT_TURN_BYTES (an app that prints without end is slowed by its own
 * pipe, nobody else is), and an unfinished line waits OUTPUT_FLUSH_S at most.
 */
#pragma once
#include "shared/base.h"
#include <ev.h>

struct err;

#define OUTPUT_LINE_MAX   (16 * 1024UL) /* JSON log lines with a traceback in them reach 10 KB */
#define OUTPUT_TURN_BYTES (64 * 1024UL) /* a pipe's usual size: one wake-up empties it */
/* At a process' end everything it wrote: a pipe holds no more than this . */
#define OUTPUT_DRAIN_BYTES (1024 * 1024UL)
/* A prompt without a newline is seen; a line written in two halves is not cut. */
#define OUTPUT_FLUSH_S 0.5
#define OUTPUT_TAIL    1400 /* last words of a start that failed: they fit a control message */

/* False: the line is ours alone, and nobody's last words. */
typedef bool output_fn(void *arg, const char *p, size_t n);

struct output {
	struct ev_loop *loop;
	ev_io io;
	ev_timer flush;
	int read_fd, write_fd; /* owned; write_fd is what engines inherit */
	output_fn *fn;
	void *arg;
	size_t n; /* bytes of an unfinished line */
	size_t tail_n;
	bool keep_tail;
	char line[OUTPUT_LINE_MAX];
	char tail[OUTPUT_TAIL];
};

int output_open(struct output *o, struct ev_loop *loop, output_fn *fn, void *arg, struct err *err);
/* Everything that is in the pipe now, and the unfinished line. */
void output_drain(struct output *o);
void output_done(struct output *o);
