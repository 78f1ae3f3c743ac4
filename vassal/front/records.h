/*
 * records - a connection that speaks FastCGI: its records in both directions. The parameters of a request are collected
 * in c->in, where they stand as another protocol's head would.
 *
 * It is read while its request waits for a worker too: an abort must be heard.
 */
#pragma once
#include "shared/base.h"
#include "vassal/proto/framing.h"
#include <sys/uio.h>

struct conn;

/* Reads and parses until the connection has to wait for something. */
void records_run(struct conn *c);
/* How an answer to this connection is framed: wire, in_records, minor. */
void records_facts(const struct conn *c, struct framing_facts *f);
/*
 * conn_write() and, for the last bytes of an answer, conn_write_last(); where records are spoken, in records. 0 or -errno:
 * the client has gone.
 */
int records_write(struct conn *c, struct iovec *iov, unsigned n, bool last);
/* The request is over; there may be another. */
void records_finish(struct conn *c);
void records_free(struct conn *c);
