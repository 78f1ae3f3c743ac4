/*
 * http1 - HTTP/1.x requests (RFC 9110, 9112) on top of shared/http_head: the meaning of a head, its vars.
 */
#pragma once
#include "shared/http_head.h"
#include "shared/vars.h"
#include "vassal/proto/request.h"

/*
 * Judges a parsed head: Host (missing or double: 400), Content-Length (bad, double or together with
 * Transfer-Encoding: 400), Transfer-Encoding (only "chunked", once, HTTP/1.1; unknown: 501), Connection tokens,
 * Expect (417 for others than 100-continue), Upgrade. 0 or PROTO_BAD with status and reason set.
 */
int http1_request(const struct http_head *head, struct request *ret);

/*
 * Writes the CGI environment (PEP 3333, RFC 3875): REQUEST_METHOD, REQUEST_URI, RAW_URI, PATH_INFO (percent-decoded),
 * SCRIPT_NAME, QUERY_STRING, SERVER_PROTOCOL, SERVER_NAME/PORT (from Host, else facts), REMOTE_ADDR/PORT,
 * CONTENT_TYPE, CONTENT_LENGTH (only when BODY_LENGTH; the front adds it for a chunked body that it has collected),
 * HTTP_*. Repeated fields are joined with ", ", Cookie with "; ". Names with '_' and Proxy are left out; so are
 * Transfer-Encoding, Trailer and TE, which the front has dealt with. vars->overflow says if it did not fit.
 */
void http1_vars(const struct http_head *head, const struct request *rq,
		const struct request_facts *facts, struct vars *vars);
