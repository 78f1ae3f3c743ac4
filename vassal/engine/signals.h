/*
 * signals - what an engine process does about signals. An app may replace any of it with signal.signal().
 */
#pragma once

/*
 * While Python starts, INT and TERM wait: it notes who handles them, and an app that puts a handler back can only put back
 * what was noted. That is what it finds in every process, and not ours, which it could not name: they come afterwards.
 */
void signals_hold(void);
void signals_release(void);

/*
 * INT and TERM do nothing: they are meant for the front, which then retires its workers; a terminal and a service
 * manager send them to every process of the group. PIPE is ignored, as Python does it. Call it again after a fork.
 */
void signals_start(void);
/* Exits with this code after so many seconds, whatever Python is doing. */
void signals_exit_after(unsigned seconds, int code);
