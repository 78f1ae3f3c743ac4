/*
 * proxy - the PROXY protocol, versions 1 and 2: what a load balancer says of the client before that one's own bytes. It
 * may be believed only of a peer that is trusted, and only as the first bytes of a connection.
 */
#pragma once
#include "shared/limits.h"
#include "shared/span.h"
#include "vassal/proto/request.h"

#define PROXY_V1_MAX 107 /* by the specification, CRLF included */

struct proxy {
	bool known; /* false: LOCAL, UNKNOWN or a UNIX socket; the connection's own peer is the client */
	char addr[46]; /* an IPv4 client is never ::ffff:a.b.c.d */
	char port[6];
	char self_port[6];  /* of the address that the client connected to */
	const char *reason; /* when BAD: static */
};

/* Bytes of the header, PROTO_MORE, or PROTO_BAD. What version 2 has behind the addresses (TLVs) is skipped. */
long proxy_parse(const char *p, size_t n, struct proxy *ret);
