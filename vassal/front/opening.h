/*
 * opening - the first bytes of a connection: a PROXY header, if the peer may send one, and which protocol follows.
 *
 * An address that speaks HTTP speaks nothing else: the others' variables say who the client is, and there anybody may
 * connect.
 */
#pragma once
#include "shared/base.h"

struct conn;

enum opening {
	OPENING_MORE,    /* cannot be told yet */
	OPENING_SKIP,    /* *ret_n bytes were its PROXY header: call again with what follows */
	OPENING_DONE,    /* c->protocol is known; all bytes are for its parser */
	OPENING_REFUSED, /* answered, or ended */
};

/* n bytes at p are all that came so far. Until c->opened. */
enum opening opening_take(struct conn *c, const char *p, size_t n, size_t *ret_n);
