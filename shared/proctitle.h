/*
 * proctitle - what ps and top show. Uses the room of argv and environ (moved away first), so titles are cut to it.
 */
#pragma once

/* Once, first thing in main(). */
void proctitle_init(int argc, char **argv);
void proctitle_set(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
