/*
 * merge - the log lines of several generations in one order, that of time. Pure but for the list it makes.
 *
 * A line that begins with the stamp of the access log ("2026-11-21T06:52:09.123Z") has a time; one that does not stays
 * behind its predecessor of the same generation, or behind the start of its own, which a mark tells (it is no line).
 * Within a generation lines are never reordered, whatever they say.
 */
#pragma once
#include "shared/scoreboard.h"

#define MERGE_STAMP BOARD_STAMP

struct merge_line {
	char *p; /* into its text; n bytes, without the newline */
	size_t n;
	const char *
		stamp; /* MERGE_STAMP bytes: its own, or that of the line or start it follows; NULL = none */
};

struct merge_text {
	char *p;
	size_t n;
};

/* texts: the oldest generation first. *ret is the caller's to free. 0 or -ENOMEM. */
int merge_lines(const struct merge_text *texts, size_t n, struct merge_line **ret, size_t *ret_n);
