/*
 * forwarded - what trusted proxies say of the client: X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host, or
 * Forwarded (RFC 7239). Pure. To be asked only when the peer itself is trusted.
 *
 * Each proxy adds its word at the right, so the list is read from there: the client is the first address that is no
 * trusted proxy's, or the leftmost. What stands further left is the client's own claim. X-Forwarded-Proto and
 * X-Forwarded-Host are lists of the same kind, most often of one element: as many steps from the right are taken in
 * them, or as many as there are.
 */
#pragma once
#include "shared/http_head.h"
#include "shared/trust.h"

enum forwarded_scheme { FORWARDED_UNSAID, FORWARDED_HTTP, FORWARDED_HTTPS };

struct forwarded {
	enum forwarded_mode used; /* never FORWARDED_AUTO */
	char addr[46];            /* "": nobody is named; an IPv4 client is never ::ffff:a.b.c.d */
	char port[6];             /* "": unsaid */
	enum forwarded_scheme scheme;
	/* Into the head, as HTTP's Host; n = 0: unsaid, or no host. */
	struct span authority, host, host_port;
};

void forwarded_read(const struct http_head *head, enum forwarded_mode mode,
		    const struct trust *trust, struct forwarded *ret);
