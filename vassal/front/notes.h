/*
 * notes - what people should know of a front that serves all the same: in its log, and with the emperor, where
 * `emperorctl status` and `events` show it.
 */
#pragma once
struct front;

/* text: one line. */
void notes_say(struct front *f, const char *text);
/* What the files of basicauth hold that will let nobody in, or is soon guessed. Reads them: at the start alone. */
void notes_passwords(struct front *f);
