/*
 * ending - the last requests of a front: what is still there when the time to finish is over gets an answer, and is on
 * record.
 */
#pragma once

struct front;

/*
 * The time to finish (reload-mercy) is over: who waits or has begun gets 503 or the end of what was begun; workers that
 * still have a request are asked for their stacks, and the pool kills them soon afterwards.
 */
void ending_mercy(struct front *f);
/* The same at once: the caller ends the pool in the same breath, and nobody is asked for anything. */
void ending_now(struct front *f);
