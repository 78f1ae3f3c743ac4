/*
 * uwsgi - the uwsgi protocol's request packet (modifier1 u8, size u16 LE, modifier2 u8, then key/value pairs with
 * u16 LE lengths). One request per connection; the answer is plain HTTP and the connection closes.
 */
#pragma once
#include "shared/vars.h"
#include "vassal/proto/request.h"

/*
 * MORE, BAD or the packet's length. On success *ret is filled and the environment stands in vars: only CGI names
 * pass (upper case, digits, '_'); UWSGI_FILE and its kin, which would load code, are dropped; the last of equal keys
 * wins; empty CONTENT_LENGTH is absent; PATH_INFO and SCRIPT_NAME are derived when the proxy's params omit them
 * (reference: nginx's stock uwsgi_params). Modifier 0 and 30 are requests; others are BAD 501.
 */
long uwsgi_parse(const char *p, size_t n, const struct request_facts *facts, struct request *ret,
		 struct vars *vars);
