/*
 * stacks - what a process of the app prints when the front wants to know what it does. Two signals (crew.h):
 *
 * STACKS, before a kill: faulthandler walks all threads at once, whatever holds the GIL. It then calls the handler
 * that was there before it, ours, which says that this was all.
 * LOOK, for a request that may yet end well: of a worker with one thread that thread, from inside itself, whatever it
 * does; of one with several all of them, under the GIL, by the main thread, which has nothing else to do.
 * OTHERS, right behind it, to a worker with one thread: all threads under the GIL, should the app have made some, as
 * soon as the main one is back in Python.
 */
#pragma once

/* In the mold; forks inherit it. Holds the GIL. 0, or -1 with an exception set. */
int stacks_start(void);
/* In a worker whose requests run on other threads than the main one: LOOK is told to wake_fd (an eventfd). */
int stacks_by_main_thread(int wake_fd);
/* Of all threads, now. Holds the GIL. */
void stacks_print(void);
/* Was it? Then prints. Main thread; holds the GIL. */
void stacks_answer(void);
