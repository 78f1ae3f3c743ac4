/*
 * request - what the front must know of a request, whichever protocol brought it. Spans point into the bytes that
 * were parsed. Filled by http1.c and cgi.c; the environment itself goes straight into vars (shared/vars.h).
 */
#pragma once
#include "shared/span.h"

enum proto_result { PROTO_MORE = 0, PROTO_BAD = -1 }; /* or the number of bytes used, > 0 */

enum proto_kind { PROTO_HTTP, PROTO_UWSGI, PROTO_SCGI, PROTO_FASTCGI, PROTO_KIND_COUNT };

enum body_kind {
	BODY_NONE,
	BODY_LENGTH,
	BODY_CHUNKED,
	BODY_RECORDS, /* FastCGI: ends with an empty record, whatever CONTENT_LENGTH says */
};

struct request {
	struct span method, target; /* target as sent (REQUEST_URI) */
	struct span path, query;    /* raw; path begins with '/' or is "*" */
	struct span host;           /* without port */
	bool path_is_decoded;       /* by a proxy that has not sent the raw one */
	/* X-Request-ID if it is sane (token characters, <= LIMIT_REQUEST_ID - 1), else n = 0 */
	struct span request_id;
	struct span start; /* X-Request-Start as it came; n = 0 if none */
	enum body_kind body;
	uint64_t length; /* BODY_LENGTH; may be 0; at most INT64_MAX */
	bool has_length; /* BODY_RECORDS: length is what CONTENT_LENGTH says */
	/*
	 * HTTP/1.minor that the answer may use. uwsgi: 0, because its proxies read a body of unknown length up
	 * to the close and take no chunks.
	 */
	unsigned minor;
	bool keep_alive;      /* the client allows another request on this connection */
	bool expect_continue; /* wants 100 before it sends the body */
	bool upgrade;         /* asks for another protocol */
	bool websocket;       /* and that is what it asks for */
	bool is_head;
	bool https;
	bool forwarded;     /* HTTP: fields came that speak for a client, whether they may or not */
	bool ping;          /* uwsgi: no request, answered with uwsgi_pong() */
	int status;         /* PROTO_BAD: the status to answer */
	const char *reason; /* PROTO_BAD: static words for the log */
};

/* SCGI says a length even where there is none; the records of FastCGI end with an empty one in any case. */
static inline bool request_has_no_body(const struct request *rq)
{
	return rq->body == BODY_NONE || (rq->body != BODY_CHUNKED && rq->length == 0);
}

/* What the front knows about the connection and the bytes of the request do not say. */
struct request_facts {
	struct span server_name, server_port; /* the listener's, used when there is no Host */
	struct span remote_addr, remote_port; /* "" for UNIX peers */
	struct span script_name;              /* the route's path that goes to SCRIPT_NAME */
	bool https;
	bool trusted; /* variables: the peer may say by which scheme its client came */
	const struct forwarded *forwarded; /* HTTP: a trusted proxy's word; NULL: nobody's counts */
};
