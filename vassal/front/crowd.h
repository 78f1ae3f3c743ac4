/*
 * crowd - a front that has all the connections that it may have makes room for new ones: who has asked nothing for longest
 * goes first, as a server may end a connection between two requests at any time (RFC 9112 9.5); then who takes longest to
 * say what it wants, with 408. Who waits for an answer, or reads one, always stays.
 */
#pragma once
#include <stdbool.h>

struct front;

/* True: one has gone. False: nobody has been idle, or slow, for long enough yet; try again later. */
bool crowd_make_room(struct front *f);
