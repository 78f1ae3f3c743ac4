/*
 * scgi - the request of the Simple Common Gateway Interface: a netstring of NUL-terminated names and values, then the
 * body. One request per connection; the answer is CGI's ("Status: 200 OK") and the connection closes.
 */
#pragma once
#include "shared/vars.h"
#include "vassal/proto/request.h"

/*
 * MORE, BAD, or the bytes of the netstring. limit: those that it may have (431). On success *ret is filled and the
 * environment stands in vars, as cgi.h says. CONTENT_LENGTH is the first variable and SCGI is "1", or it is BAD.
 */
long scgi_parse(const char *p, size_t n, size_t limit, const struct request_facts *facts,
		struct request *ret, struct vars *vars);
