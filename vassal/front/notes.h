/*
 * notes - what people should know of a front that serves all the same: in its log, and where `emperorctl events` and (of
 * notes_say) `emperorctl status` show it.
 */
#pragma once
#include "shared/base.h"

struct front;

/* What may go on for as long as requests come: said once a minute, and how often it was so since. */
enum rare_note { RARE_CROWD, RARE_QUEUE_FULL, RARE_QUEUE_LATE, RARE_SPOOL, RARE_COUNT };
struct rare_notes { /* zeroed at first */
	struct {
		uint64_t at_ns; /* when it was said last; 0: never */
		unsigned unsaid;
	} v[RARE_COUNT];
};

/* text: one line. It is a note of this generation from now on. */
void notes_say(struct front *f, const char *text);
_printf_(3, 4) void notes_rarely(struct front *f, enum rare_note note, const char *fmt, ...);
/* What the files of basicauth hold that will let nobody in, or is soon guessed. Reads them: at the start alone. */
void notes_passwords(struct front *f);
