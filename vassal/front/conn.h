/*
 * conn - the life of one client connection, apart from what its bytes mean: made, watched, written to, ended.
 *
 * Descriptors are registered edge-triggered, once, and only when there is something to wait for: a client that asks
 * once, in one packet, and is answered at once never meets epoll. A connection that ended stays allocated (CONN_DEAD)
 * until the end of the loop turn, so that callers may look at its state.
 */
#pragma once
#include "shared/base.h"
#include <sys/uio.h>

struct conn;
struct front;

void conns_init(struct front *f);
/* The configuration's timeouts have changed: those that run are measured by the new ones. */
void conns_set_timeouts(struct front *f);
/* NULL: at the limit or out of memory; the descriptor stays the caller's. */
struct conn *conn_new(struct front *f, int fd);
/* At the end of a turn: those that ended may be used again. */
void conns_collect(struct front *f);

/* From now on events come. False: the connection had to be ended. */
bool conn_watch(struct conn *c);
/* Before the descriptor is passed to another process. */
void conn_unwatch(struct conn *c);
/* Who asks, for the log: by a trusted proxy's word or by the connection; "-": a peer on a UNIX socket. */
const char *conn_client(const struct conn *c);
/*
 * One read of at most size bytes, and whether there may be more (c->readable). 0: the end of its input; -1: nothing now,
 * or the client has gone and the connection has ended.
 */
ssize_t conn_read(struct conn *c, char *p, size_t size);
/* Its bytes or its room are looked at again in this turn. */
void conn_ready(struct conn *c);

/* Everything is taken: what the socket does not want now waits in the spool. 0, or -errno: the client has gone. */
int conn_write(struct conn *c, struct iovec *iov, unsigned n);
/* The same, and the caller gives more at once: by sendfile(), which fills the packet that this begins. */
int conn_write_more(struct conn *c, struct iovec *iov, unsigned n);
/*
 * The same for the last bytes of an answer: the caller goes on to conn_answered() at once. They leave together with the
 * end of the connection if that follows: one packet less in each direction, a tenth of what a connection costs.
 */
int conn_write_last(struct conn *c, struct iovec *iov, unsigned n);
/* The answer has been given to conn_write whole: the next request, or the end, once it is out. */
void conn_answered(struct conn *c);
/* There is room in the socket again. */
void conn_flush(struct conn *c);

/* May this connection be kept after the answer that is being made? */
bool conn_may_keep(const struct conn *c);
/* The request is over; the connection waits for another. */
void conn_next(struct conn *c);
/* Ends it so that the client still gets what was written. */
void conn_close(struct conn *c);
/* Ends it at once; cut: by a reset, so that the client cannot take what it has for the whole. */
void conn_kill(struct conn *c, bool cut);
/*
 * The client has gone, whatever state the connection is in: its request is cancelled and counted. One that had its whole
 * answer (answer_is_whole) was answered: nothing happens until the worker is done.
 */
void conn_lost(struct conn *c);
/* It is of no use any more: the same, and never waits. */
void conn_drop(struct conn *c);
/* Gives up the descriptor, which now is the caller's. */
int conn_release(struct conn *c);

/* Reads and drops what comes after the last answer. */
void conn_linger(struct conn *c);
