/*
 * framing - how an answer is put on the wire: status line, fields of ours, and the body's framing.
 */
#pragma once
#include "shared/span.h"
#include <sys/types.h>

/* As what the head is written. */
enum framing_wire {
	FRAMING_HTTP,
	FRAMING_CGI,   /* "Status: 200 OK", and nothing of the connection (RFC 3875 6.2) */
	FRAMING_UWSGI, /* a status line, and nothing of the connection either */
};

enum framing_body {
	FRAMING_NONE,    /* HEAD, 1xx, 204, 205, 304: no body bytes whatever the app gives */
	FRAMING_LENGTH,  /* Content-Length known */
	FRAMING_CHUNKED, /* HTTP/1.1, length unknown */
	FRAMING_CLOSE, /* HTTP/1.0, uwsgi or SCGI, length unknown: the end of the connection is the end */
	FRAMING_RECORDS, /* FastCGI, length unknown: a record says where the end is */
};

struct framing_facts {
	unsigned status;
	struct span reason; /* "" = the standard phrase for status */
	struct span fields; /* "Name: value\r\n"..., already checked */
	struct span more;   /* the same, from another place */
	struct span added;  /* the same, of final answers alone */
	struct span routed; /* the same, of this request's */
	int64_t length;     /* -1 unknown */
	unsigned minor;     /* of the request: 0 or 1 */
	enum framing_wire wire;
	bool in_records; /* FastCGI: the caller puts all of it into records */
	bool is_head;
	bool keep_alive;        /* in: may the connection stay open? */
	struct span date;       /* "Sat, 21 Nov 2026 04:55:16 GMT"; n = 0: the app gave one */
	struct span server;     /* n = 0: none, or the app gave one */
	struct span request_id; /* n = 0: none, or the app gave one */
};

/*
 * Writes the whole head into buf. Returns its length, or -1 if it does not fit. *ret_body says how the body must
 * follow; *ret_keep_alive is false when the connection has to close after it (FRAMING_CLOSE). The version in the
 * status line is always HTTP/1.1 (RFC 9110 2.5); HTTP/1.0 clients that asked for it get Connection: keep-alive.
 */
ssize_t framing_head(char *buf, size_t size, const struct framing_facts *f,
		     enum framing_body *ret_body, bool *ret_keep_alive);

/* "1f40\r\n" for a chunk of n bytes: into buf (at least 20), returns length. */
size_t framing_chunk_line(char *buf, size_t n);

/* Standard phrase (RFC 9110 15), "" if unknown. */
struct span framing_reason(unsigned status);

/* IMF-fixdate (RFC 9110 5.6.7), 29 bytes and NUL into buf. */
void framing_date(char buf[30], int64_t unix_s);

/* A complete small answer made by us (400, 404, 502, 503 ...): text/plain body naming status and request id, with
   Retry-After if retry_after_s > 0. Returns its length, or -1. */
ssize_t framing_error(char *buf, size_t size, unsigned status, unsigned retry_after_s, bool is_head,
		      bool keep_alive, struct span date, struct span request_id);
