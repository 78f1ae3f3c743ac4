/*
 * proxy - the PROXY protocol, versions 1 and 2: what a load balancer says of the client before that one's own bytes. It
 * may be believed only of a peer that is trusted, and only as the first bytes of a connection. Read by the front, and by
 * the gate, which looks behind it for the first Host. Pure.
 */
#pragma once
#include "shared/limits.h"
#include "shared/span.h"

#define PROXY_V1_MAX 107 /* by the specification, CRLF included */

enum proxy_result { PROXY_MORE = 0, PROXY_BAD = -1 }; /* or the number of bytes used, > 0 */

struct proxy {
	bool known; /* false: LOCAL, UNKNOWN or a UNIX socket; the connection's own peer is the client */
	char addr[46]; /* an IPv4 client is never ::ffff:a.b.c.d */
	char port[6];
	char self_port[6]; /* of the address that the client connected to */
	bool https; /* it came by TLS, says version 2 (PP2_TYPE_SSL); only of a client that is known */
	const char *reason; /* when BAD: static */
};

/* Does a connection begin with one? PROXY_MORE until that is sure, PROXY_BAD: no; > 0: yes, whatever follows. */
int proxy_look(const char *p, size_t n);
/*
 * Bytes of the header, PROXY_MORE, or PROXY_BAD. Of what version 2 has behind the addresses (TLVs) only PP2_TYPE_SSL is
 * read.
 */
long proxy_parse(const char *p, size_t n, struct proxy *ret);
/*
 * The header that says the same, version 1, or 2 if it came by TLS: for whoever takes the connection over without its
 * first bytes. Returns its length; addr "" is a client that nobody can name. No parameter is checked but addr, which is
 * nobody's if it is no address.
 */
size_t proxy_write(char buf[PROXY_V1_MAX + 1], const char *addr, const char *port,
		   const char *self_port, bool https);
