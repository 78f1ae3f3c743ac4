/*
 * asked - see asked.h. Of the protocols that speak in variables nothing is understood but where a request begins: what is
 * wanted does not matter, and a server in front only has to hear "503" in its own language.
 */
#include "emperor/gate/asked.h"

#include "shared/http_head.h"
#include "shared/limits.h"
#include "shared/proxy.h"

#define UWSGI_HEAD \
	4 /* modifier1, size, modifier2: then it is a request, whatever its variables are */
#define TLS_HANDSHAKE         0x16 /* first byte of a TLS record that opens a connection (RFC 8446 5.1) */
#define FASTCGI_HEAD          8
#define FASTCGI_BEGIN_REQUEST 1

static enum asked ask_http(struct span bytes, bool ended, struct answer *ret)
{
	struct http_head head;
	long r;

	if (bytes.p[0] == TLS_HANDSHAKE) {
		ret->status = 400;
		ret->why = "this port speaks HTTP, not HTTPS";
		return ASKED_WHOLE;
	}
	r = http_head_peek(bytes.p, bytes.n, LIMIT_GATE_HEAD, &head);
	if (r == HTTP_MORE && !ended)
		return ASKED_MORE;
	if (r < 0) {
		ret->status = head.status;
		ret->why = head.reason;
	}
	ret->no_body = span_starts(bytes, SPAN("HEAD "));
	return ASKED_WHOLE;
}

/* The id of the first request: what a web server asks before that of the whole connection is not answered. */
static enum asked ask_fastcgi(struct span bytes, bool ended, struct answer *ret)
{
	ret->wire = ANSWER_FASTCGI;
	ret->id = 1;
	while (bytes.n >= FASTCGI_HEAD) {
		const uint8_t *h = (const uint8_t *)bytes.p;
		size_t n = FASTCGI_HEAD + (size_t)(h[4] << 8 | h[5]) + h[6];

		if (h[1] == FASTCGI_BEGIN_REQUEST) {
			ret->id = (uint16_t)(h[2] << 8 | h[3]);
			return ASKED_WHOLE;
		}
		if (n > bytes.n)
			break;
		bytes = span_skip(bytes, n);
	}
	return ended ? ASKED_WHOLE : ASKED_MORE;
}

/* By the first byte: an app that is up looks at `socket` in the same way, only longer. */
static enum gate_protocol guess(char first)
{
	if (first == 0 || first == 30 || first == 100)
		return GATE_UWSGI;
	if (first == 1)
		return GATE_FASTCGI;
	return first >= '0' && first <= '9' ? GATE_SCGI : GATE_HTTP;
}

enum asked asked_find(enum gate_protocol protocol, struct span bytes, bool ended,
		      struct answer *ret)
{
	struct proxy proxy;
	long r = proxy_parse(bytes.p, bytes.n, &proxy);

	/* whoever it names is refused like everybody */
	if (r > 0)
		bytes = span_skip(bytes, (size_t)r);
	if (bytes.n == 0 || r == PROXY_MORE)
		return ended ? ASKED_WHOLE : ASKED_MORE;
	if (protocol == GATE_ANY)
		protocol = guess(bytes.p[0]);
	switch (protocol) {
	case GATE_HTTP:
		return ask_http(bytes, ended, ret);
	case GATE_UWSGI: /* asks in packets, is answered in plain HTTP */
		return bytes.n < UWSGI_HEAD && !ended ? ASKED_MORE : ASKED_WHOLE;
	case GATE_FASTCGI:
		return ask_fastcgi(bytes, ended, ret);
	case GATE_SCGI:
		ret->wire = ANSWER_CGI;
		return ASKED_WHOLE;
	case GATE_ANY:
	case GATE_PROTOCOL_COUNT:
		break;
	}
	return ASKED_WHOLE;
}

struct span asked_request_id(struct span request)
{
	static const struct span name = {.p = "X-Request-ID", .n = sizeof("X-Request-ID") - 1};
	struct span found = span_of("", 0);
	struct http_head head;
	unsigned n = 0;

	if (http_head_parse(request.p, request.n, LIMIT_GATE_HEAD, 0, &head) <= 0)
		return found;
	for (unsigned i = 0; i < head.fields_n; i++)
		if (span_eq_nocase(head.fields[i].name, name) && n++ == 0)
			found = http_request_id(head.fields[i].value);
	return n == 1 ? found : span_of("", 0);
}
