/*
 * opening - see opening.h. Whoever is refused here has not said yet what it speaks: it is told so in HTTP.
 */
#include "vassal/front/opening.h"

#include "shared/proxy.h"
#include "shared/vassal_config.h"
#include "vassal/front/errors.h"
#include "vassal/front/state.h"
#include "vassal/front/trusted.h"
#include "vassal/proto/detect.h"

static enum opening refuse(struct conn *c, const char *reason)
{
	c->body_left = 1; /* who knows what it would have been followed by */
	error_refuse(c, 400, reason);
	return OPENING_REFUSED;
}

static enum opening take_proxy(struct conn *c, const char *p, size_t n, size_t *ret_n)
{
	struct proxy proxy;
	long r;

	if (c->proxied)
		return refuse(c, "PROXY header twice");
	if (!trusted_peer(c))
		return refuse(c, "PROXY header from a peer that is not in trusted-proxies");
	r = proxy_parse(p, n, &proxy);
	if (r == PROXY_MORE)
		return OPENING_MORE;
	if (r < 0)
		return refuse(c, proxy.reason);
	c->proxied = true;
	/* without one it is the peer's own: a health check */
	if (proxy.known) {
		memcpy(c->addr, proxy.addr, sizeof(c->addr));
		memcpy(c->port, proxy.port, sizeof(proxy.port));
		memcpy(c->self_port, proxy.self_port, sizeof(proxy.self_port));
		c->proxied_tls = proxy.https;
	} else {
		c->is_trusted = c->trust_known = true;
	}
	*ret_n = (size_t)r;
	return OPENING_SKIP;
}

static enum opening open_as(struct conn *c, enum proto_kind protocol)
{
	c->protocol = (uint8_t)protocol;
	c->opened = true;
	return OPENING_DONE;
}

/* By the bytes alone. What nobody speaks is left to uwsgi, which names other modifiers. */
static enum proto_kind spoken_kind(enum detect_kind kind)
{
	switch (kind) {
	case DETECT_HTTP:
		return PROTO_HTTP;
	case DETECT_FASTCGI:
		return PROTO_FASTCGI;
	case DETECT_SCGI:
		return PROTO_SCGI;
	default:
		return PROTO_UWSGI;
	}
}

enum opening opening_take(struct conn *c, const char *p, size_t n, size_t *ret_n)
{
	enum detect_kind kind = detect(p, n);

	if (kind == DETECT_MORE)
		return OPENING_MORE;
	if (kind == DETECT_PROXY)
		return take_proxy(c, p, n, ret_n);
	if (kind == DETECT_TLS)
		return refuse(c, "TLS spoken to a port without it: this is not https");
	switch ((enum listener_protocol)c->spoken) {
	case LISTENER_HTTP:
		return open_as(c, PROTO_HTTP);
	case LISTENER_UWSGI:
		return open_as(c, PROTO_UWSGI);
	case LISTENER_FASTCGI:
		return kind == DETECT_FASTCGI ? open_as(c, PROTO_FASTCGI)
					      : refuse(c, "no FastCGI on a FastCGI socket");
	case LISTENER_SCGI:
		return kind == DETECT_SCGI ? open_as(c, PROTO_SCGI)
					   : refuse(c, "no SCGI on an SCGI socket");
	case LISTENER_ANY:
		break;
	}
	return open_as(c, spoken_kind(kind));
}
