/*
 * body - collects a request's body before any worker sees the request: in memory up to post-buffering, then in a temp
 * file. A sender that is slow costs a buffer, never a worker.
 */
#pragma once
#include "shared/base.h"

struct conn;

/* The head is known; the n bytes at p follow it. Returns how many of them are the body's. */
size_t body_begin(struct conn *c, char *p, size_t n, bool expect_continue);
/* More bytes. Returns how many were used: all, unless the body ended. */
size_t body_take(struct conn *c, char *p, size_t n);
/* Is there room for, and need of, further bytes? */
bool body_wants(const struct conn *c);
/* After each of these, once the head stands in c->in: a body that is whole sends the request to the queue. */
void body_settle(struct conn *c);
