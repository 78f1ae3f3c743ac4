/*
 * uwsgi - the uwsgi protocol's request packet (modifier1 u8, size u16 LE, modifier2 u8, then key/value pairs with
 * u16 LE lengths). One request per connection; the answer is plain HTTP and the connection closes.
 */
#pragma once
#include "shared/vars.h"
#include "vassal/proto/request.h"

/*
 * MORE, BAD or the packet's length. limit: bytes that its variables may have (431). On success *ret is filled and the environment stands in vars, as cgi.h says.
 * Modifier 0 and 30 are requests; 100 is a ping, which has no environment (ret->ping); others are BAD 501.
 */
long uwsgi_parse(const char *p, size_t n, size_t limit, const struct request_facts *facts,
		 struct request *ret, struct vars *vars);

/* The answer to a ping: a packet of its own, without a warning. */
struct span uwsgi_pong(void);
