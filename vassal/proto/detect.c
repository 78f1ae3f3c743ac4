/*
 * detect - see detect.h. One look at the first byte rules out all but two at most; the second of those is told from HTTP,
 * whose methods are tokens and may begin with a digit or a small letter.
 */
#include "vassal/proto/detect.h"

#include "shared/http_head.h"
#include "shared/proxy.h"

#define TLS_HANDSHAKE   0x16 /* RFC 8446 5.1 */
#define FASTCGI_VERSION 1
#define SCGI_DIGITS     7 /* as many as scgi.c takes */

enum { UWSGI_WSGI = 0, UWSGI_MANAGE_SCRIPT_NAME = 30, UWSGI_PING = 100 };

static enum detect_kind http_or_proxy(const char *p, size_t n)
{
	int r = proxy_look(p, n);

	if (r == PROXY_MORE)
		return DETECT_MORE;
	return r > 0 ? DETECT_PROXY : DETECT_HTTP;
}

/* "123:" is a netstring; a method of digits is followed by something else. */
static enum detect_kind http_or_scgi(struct span got)
{
	for (size_t i = 0; i < got.n; i++) {
		if (got.p[i] == ':')
			return DETECT_SCGI;
		if (got.p[i] < '0' || got.p[i] > '9' || i == SCGI_DIGITS)
			return DETECT_HTTP;
	}
	return DETECT_MORE;
}

enum detect_kind detect(const char *p, size_t n)
{
	struct span got = span_of(p, n);

	if (n == 0)
		return DETECT_MORE;
	switch ((unsigned char)p[0]) {
	case UWSGI_WSGI:
	case UWSGI_MANAGE_SCRIPT_NAME:
		return DETECT_UWSGI;
	case UWSGI_PING:
		if (n < 2)
			return DETECT_MORE;
		return p[1] == 0 ? DETECT_UWSGI : DETECT_HTTP;
	case FASTCGI_VERSION:
		return DETECT_FASTCGI;
	case TLS_HANDSHAKE:
		return DETECT_TLS;
	case 'P':
	case '\r': /* an empty line before a request is allowed (RFC 9112 2.2), a NUL in it is not */
		return http_or_proxy(p, n);
	default:
		if (p[0] >= '0' && p[0] <= '9')
			return http_or_scgi(got);
		return http_char_is(p[0], HTTP_TOKEN) ? DETECT_HTTP : DETECT_UNKNOWN;
	}
}
