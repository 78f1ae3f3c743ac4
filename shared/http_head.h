/*
 * http_head - an HTTP/1.x request head, from bytes to spans. Sans-I/O, no allocation, strict: what RFC 9112 lets
 * a server refuse is refused (bare LF or CR, obs-fold, NUL and other controls, space before the colon, empty or
 * non-token names, bad versions), because a lenient parser behind another one is how requests are smuggled.
 *
 * Used by the gate (http_head_peek: only request line and Host) and by the front (http_head_parse: everything).
 */
#pragma once
#include "shared/limits.h"
#include "shared/span.h"

enum http_result {
	HTTP_MORE = 0, /* every prefix of a good head says so */
	HTTP_BAD = -1, /* status says how to answer: 400, 414, 431, 501, 505 */
};

struct http_field {
	struct span name, value; /* value trimmed; into the caller's bytes */
};

struct http_head {
	struct span method,
		target; /* target as sent; when HTTP_BAD: n = 0 if it did not get so far */
	/*
	 * From an absolute-form target if there is one (RFC 9112 3.2.2), else from Host; without port and
	 * trailing dot, brackets of an IPv6 literal kept; n = 0 if none.
	 */
	struct span host;
	struct span authority; /* where host came from, port included, as sent; n = 0 if none */
	struct span port;      /* digits after the host's colon, n = 0 if none */
	struct span path;  /* the target's, raw: begins with '/', or is "*"; without the query */
	struct span query; /* after '?', n = 0 if none */
	unsigned minor;    /* HTTP/1.minor: 0 or 1 */
	unsigned hosts_n;  /* Host fields that came; http1_request refuses what is not one */
	unsigned fields_n;
	struct http_field fields[LIMIT_HEADERS];
	int status;         /* when HTTP_BAD: the status to answer with */
	const char *reason; /* when HTTP_BAD: a few words for the log, static */
};

struct http_limits {
	size_t head;     /* bytes: more is 431, or 414 when the request line alone has them */
	size_t target;   /* bytes: more is 414 */
	unsigned fields; /* at most LIMIT_HEADERS: more is 431 */
};

/*
 * Bytes of the whole head (request line to empty line, both included), HTTP_MORE, or HTTP_BAD. scanned: how many bytes an earlier call, which said
 * HTTP_MORE, has seen (0 at first); a slow sender must not cost a rescan from the beginning each time. It never
 * changes the verdict, but a bad one may come only with the end of the head. One empty line before the request line
 * is skipped (RFC 9112 2.2) and counted. On HTTP_MORE *ret means nothing.
 */
long http_head_parse_within(const char *p, size_t n, const struct http_limits *limits,
			    size_t scanned, struct http_head *ret);
/* The same where only the head's bytes have a limit of their own. */
long http_head_parse(const char *p, size_t n, size_t limit, size_t scanned, struct http_head *ret);

/*
 * The gate's view: fills method, target, path, query, host, minor as soon as they are known (returns > 0), even if
 * more fields follow; fields_n stays 0. HTTP_MORE until a Host field or the end of the head has come. An HTTP/1.1
 * head that ends without Host is HTTP_BAD 400; HTTP/1.0 without one returns > 0 with host.n = 0.
 */
long http_head_peek(const char *p, size_t n, size_t limit, struct http_head *ret);

/* What a byte may be part of, by the RFCs' grammars; one table for every parser of HTTP here. */
enum http_char {
	HTTP_TOKEN = 1, /* methods, field names (RFC 9110 5.6.2) */
	/* request targets: printable but '#'; bytes from 0x80 on too, because clients send them */
	HTTP_TARGET = 2,
	/* a registered name, less percent-encoding, which no DNS name needs (RFC 3986 3.2.2) */
	HTTP_HOST = 4,
	HTTP_IPV6 = 8,   /* between the brackets of an IPv6 literal */
	HTTP_VALUE = 16, /* field values: all but controls, HTAB allowed (RFC 9110 5.5) */
	HTTP_HEX = 32,
};
extern const uint8_t http_char_class[256];

static inline bool http_char_is(char c, enum http_char what)
{
	return (http_char_class[(unsigned char)c] & what) != 0;
}

/* All of s, which is not empty. */
static inline bool http_span_is(struct span s, enum http_char what)
{
	for (size_t i = 0; i < s.n; i++)
		if (!http_char_is(s.p[i], what))
			return false;
	return s.n > 0;
}

/* value if it can be taken over as a request's id (token characters, at most LIMIT_REQUEST_ID - 1), else empty. */
struct span http_request_id(struct span value);

/* 1*DIGIT, at most 19 of them and within int64_t: sizes travel signed further on. False: no such number. */
bool http_parse_size(struct span digits, uint64_t *ret_size);

/* "host:port": the host without trailing dot, and the port's digits, n = 0 if none. False if it is no valid host (RFC
 * 3986 3.2.2): then they mean nothing. */
bool http_host_split(struct span authority, struct span *ret_host, struct span *ret_port);
