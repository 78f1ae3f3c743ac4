/*
 * queue - complete requests on their way to a worker: exchange slots first, and behind them a bounded queue of the
 * front's own. Nobody waits longer than queue-timeout, nobody is asked for whose client has left.
 */
#pragma once
#include "shared/base.h"

struct conn;
struct front;
struct record;

/* A free slot, or -1; give it back with queue_unslot() if it is not submitted. */
int queue_slot(struct front *f);
void queue_unslot(struct front *f, unsigned slot);
/* May a request go straight to a slot? Not while others wait for one, nor when too many wait for a worker. */
bool queue_is_open(const struct front *f);
/* It has waited too long already, in a proxy: refused before it costs anything. False: it has not. */
bool queue_refuse_stale(struct conn *c);
/* The slot is filled. */
void queue_submit(struct conn *c, unsigned slot);
/* A request kept in c->in and c->body: into a slot, behind the others, or refused with 503. */
void queue_add_kept(struct conn *c);
/* Slots may have become free. */
void queue_dispatch(struct front *f);
/* The client has gone: whatever waits or works for it is cancelled and counted. */
void queue_forget(struct conn *c);
/*
 * The front has no time left: the connection's request is no longer its own, and will not be answered by a worker. Which
 * one had it, and how long, is put on ret.
 */
void queue_abandon(struct conn *c, struct record *ret);
/* It will be answered otherwise, though its worker is not done yet: what still comes from there is nobody's. */
void queue_detach(struct conn *c, struct record *ret);
/* Waited too long (TIMER_QUEUE). */
void queue_expire(struct conn *c);
/* The worker is done with the slot, or dead. */
void queue_release(struct front *f, unsigned slot);
/* Everything that still waits is answered 503: the front ends. */
void queue_refuse_all(struct front *f);
unsigned queue_length(const struct front *f);
