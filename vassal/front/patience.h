/*
 * patience - with a client that is to read its answer: socket-timeout for silence, min-rate for a trickle. What counts
 * is what the client has acknowledged: the kernel alone takes megabytes without anybody reading them.
 */
#pragma once
#include "shared/base.h"

struct conn;

/* Something waits for the client to read. Again while it waits: nothing changes. */
void patience_begin(struct conn *c);
/* The kernel has taken so many bytes more. False: the client is too slow, the connection has ended. */
bool patience_gave(struct conn *c, uint64_t bytes);
/* Nothing waits any more. */
void patience_end(struct conn *c);
/* TIMER_WRITE. */
void patience_expired(struct conn *c);
