/*
 * scoreboard_inner - what the files of the scoreboard share. Private to them.
 *
 *   scoreboard.c         the memory: made, checked, mapped
 *   scoreboard_read.c    counters, tasks and lanes, read
 *   scoreboard_memory.c  what processes hold
 *   scoreboard_ring.c    how a ring of records is read
 *   scoreboard_events.c  the ring of events
 *   scoreboard_blame.c   the ring of blame records
 *   scoreboard_log.c     the ring of log bytes
 *   scoreboard_names.c   what it all is called
 */
#pragma once
#include "shared/scoreboard.h"

/* A reader that loses against the writer this often is reading a board that is made to be hard to read. */
#define READ_TRIES 4

/* One of the two rings of a board. A record's first member is its number. */
struct board_ring {
	const board_u64 *last; /* number of the last record */
	const uint8_t *records;
	size_t n, record_bytes;
	/* The record's bytes as they are just now, made harmless. */
	void (*copy)(const void *record, uint64_t number, void *ret);
};

/* 1 copied, 0 not written yet, -1 gone: ret is rubbish then. */
int board_ring_read(const struct board_ring *ring, uint64_t number, void *ret);
/* board_next_event() says what it promises. */
bool board_ring_next(const struct board_ring *ring, uint64_t *at, bool wait, uint64_t *missed,
		     void *ret);
