/*
 * logbook - where the app's lines go: its log file (O_APPEND), or the emperor's stderr with the app's name, and the
 * scoreboard's ring that `emperorctl logs` reads. The loop only fills a bounded buffer; one thread, started by the
 * first line, empties it. What finds no room is dropped and counted.
 *
 * Lines gather during a loop turn and are handed over at its end: one wake-up for many requests.
 */
#pragma once
#include "shared/span.h"
#include <pthread.h>

struct board_bank;
struct err;

#define LOGBOOK_TURN_BYTES (8UL * 1024) /* lines of one loop turn before they are handed over */

struct logbook {
	struct board_bank *bank; /* borrowed */
	char *path; /* to reopen; owned; NULL: the emperor hands over a new descriptor */
	char name[64];

	char turn[LOGBOOK_TURN_BYTES]; /* the loop's own */
	size_t turn_n;

	pthread_mutex_t lock;
	pthread_cond_t filled, emptied;
	/* below: under lock */
	char *ring; /* LIMIT_LOGBOOK_BYTES, made with the first line */
	size_t start, n;
	int fd;      /* -1: stderr. Owned */
	int next_fd; /* to be switched to when what was written before is out; -1 none */
	bool has_writer, writing;
	uint64_t lost; /* lines that could not be written, not counted yet */
};

/* fd -1: stderr. Takes fd over. path is copied; may be NULL. */
int logbook_init(struct logbook *b, const char *name, struct board_bank *bank, int fd,
		 const char *path);
/* This generation's lines begin here. The ring alone holds that; earlier ones may have written there. */
void logbook_begin(struct logbook *b, uint64_t wall_ns);
/* A finished line with its newline. to_board: also into the scoreboard's ring. */
void logbook_line(struct logbook *b, const char *line, size_t n, bool to_board);
/* Bytes of the app, in any pieces; a piece without a final newline gets one. */
void logbook_output(struct logbook *b, const char *p, size_t n);
/* A line of the front itself, with time and level, for app's log and the ring. */
void logbook_say(struct logbook *b, uint64_t wall_ns, const char *fmt, ...) _printf_(3, 4);
/* The same for a text of several lines: each becomes one of its own. */
void logbook_say_lines(struct logbook *b, uint64_t wall_ns, const char *text);
/* At the end of a loop turn. */
void logbook_turn(struct logbook *b);
/* Reopens path, or takes fd over if it is not -1. */
int logbook_reopen(struct logbook *b, int fd);
/* At exit: waits up to timeout_ms for the writer. */
void logbook_flush(struct logbook *b, unsigned timeout_ms);
