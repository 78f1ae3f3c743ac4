/*
 * scoreboard_inner - what the files of the scoreboard share. Private to them.
 *
 *   scoreboard.c         the memory: made, checked, mapped
 *   scoreboard_read.c    counters, tasks and lanes, read
 *   scoreboard_events.c  the ring of events
 *   scoreboard_blame.c   the ring of blame records
 *   scoreboard_log.c     the ring of log bytes
 *   scoreboard_names.c   what it all is called
 */
#pragma once
#include "shared/scoreboard.h"

/* A reader that loses against the writer this often is reading a board that is made to be hard to read. */
#define READ_TRIES 4
