/*
 * log - the program's own voice on stderr, one line per call, "<level> <subject>: text" with a time stamp.
 *
 * Never blocks the caller for long: stderr may be a terminal or a journal that has stopped reading. Lines go
 * through a bounded buffer (LOG_BUFFER_BYTES) that a writer thread empties, started at the first line that would
 * block; when it is full, lines are dropped and counted, and the count is said once there is room again.
 * Only main programs and event-loop edges log; shared/ and pure modules return struct err instead.
 */
#pragma once
#include "shared/base.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

#define LOG_BUFFER_BYTES (256 * 1024)
#define LOG_LINE_MAX     8192

void log_set_level(enum log_level level);
enum log_level log_get_level(void);
/* Who speaks: "emperor", "gate", "blog". Copied. Comes before each line. */
void log_set_subject(const char *subject);

void log_line(enum log_level level, const char *fmt, ...) _printf_(2, 3);
#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* A finished line (n bytes, with its newline) to stderr, through the same buffer. */
void log_raw(const char *line, size_t n);
/* Lines dropped so far. */
uint64_t log_dropped(void);
/* Waits up to timeout_ms for the buffer to empty; at exit. */
void log_flush(unsigned timeout_ms);
