/*
 * intake - from bytes to a complete request: reads, finds heads, collects bodies, and hands what is complete to the
 * queue. Heads go straight from the read buffer into a slot; only what is incomplete is copied.
 */
#pragma once
#include "shared/span.h"

struct conn;

/* Reads and parses until the connection has to wait for something. */
void intake_run(struct conn *c);
/* FastCGI: the parameters of a request stand in c->in, whole. */
void intake_head(struct conn *c);
/* A request whose head stands in c->in and whose body is collected goes to the queue. */
void intake_complete(struct conn *c);
/* It asks for nothing that is here: it is the app's. Its head stands in c->in, it has no body. */
void intake_go_on(struct conn *c);
/* Something is known now that its head, which stands in c->in, has to be parsed once more for. It has no body. */
void intake_again(struct conn *c);
