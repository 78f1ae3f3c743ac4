/*
 * trusted - whom a connection may speak for: the peers of trusted-proxies, and those on UNIX sockets, may name their
 * clients.
 */
#pragma once
#include "shared/base.h"

struct conn;

/* The process at the other end of the socket. */
bool trusted_peer(const struct conn *c);
/* Who asks, as far as the connection says it: the peer, or the client that its PROXY header has named. Asked once. */
bool trusted_client(struct conn *c);
