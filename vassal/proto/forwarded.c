/*
 * forwarded - see forwarded.h.
 *
 * Of each list the last elements are kept, as many as LIMIT_FORWARDED: a client may have sent thousands, and no chain of
 * proxies is that long. An element that names no address (RFC 7239 6: "unknown", "_hidden") ends the way, for whoever
 * stands behind it cannot be told.
 */
#include "vassal/proto/forwarded.h"

#include <arpa/inet.h>

#include "vassal/proto/names.h"

#define IPV4_MAPPED "::ffff:"

struct list { /* the last n of them; the newest is element 0 */
	unsigned n, next;
	struct span element[LIMIT_FORWARDED];
};

static void list_add(struct list *l, struct span element)
{
	l->element[l->next] = element;
	l->next = (l->next + 1) % LIMIT_FORWARDED;
	l->n += l->n < LIMIT_FORWARDED;
}

static struct span list_at(const struct list *l, unsigned i)
{
	return l->element[(l->next + LIMIT_FORWARDED - 1 - i) % LIMIT_FORWARDED];
}

/*
 * Up to the next separator, be it in quotes or not: no address, scheme or host has one, and a quote that a client has left
 * open must not swallow what the proxies behind it have added.
 */
static struct span cut(struct span *rest, char separator)
{
	const char *end = memchr(rest->p, separator, rest->n);
	struct span s = span_of(rest->p, end ? (size_t)(end - rest->p) : rest->n);

	*rest = span_skip(*rest, end ? s.n + 1 : s.n);
	return span_trim(s);
}

/* Elements of all fields of that kind, in their order; empty ones do not count (RFC 9110 5.6.1.2). */
static void collect(const struct http_head *head, enum proto_name_kind kind, struct list *l)
{
	l->n = l->next = 0;
	for (unsigned i = 0; i < head->fields_n; i++) {
		struct span rest = head->fields[i].value;

		if (proto_name_kind(head->fields[i].name) != kind)
			continue;
		while (rest.n > 0) {
			struct span element = cut(&rest, ',');

			if (element.n > 0)
				list_add(l, element);
		}
	}
}

/* -- one element ---------------------------------------------------------------------------------------- */

/* Without its quotes; what is escaped in them is no part of an address, a scheme or a host. */
static struct span unquote(struct span s)
{
	if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
		return span_of(s.p + 1, s.n - 2);
	return s;
}

static bool read_port(struct span s, char to[6])
{
	unsigned v = 0;

	if (s.n == 0 || s.n > 5)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (unsigned)(s.p[i] - '0');
	}
	if (v > UINT16_MAX)
		return false;
	memcpy(to, s.p, s.n);
	to[s.n] = '\0';
	return true;
}

/* In the kernel's own spelling, so that logs and the app's lists of addresses know it. */
static bool read_address(struct span s, char to[46])
{
	uint8_t raw[16];
	char text[46];
	int family;

	if (s.n == 0 || s.n >= sizeof(text))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	family = strchr(text, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(family, text, raw) != 1)
		return false;
	(void)inet_ntop(family, raw, to, 46);
	if (span_starts(span_str(to), SPAN(IPV4_MAPPED)) && strchr(to, '.'))
		memmove(to, to + strlen(IPV4_MAPPED), strlen(to + strlen(IPV4_MAPPED)) + 1);
	return true;
}

/* ADDRESS, IPV4:PORT, [IPV6], [IPV6]:PORT. A port that is none is no reason to doubt the address. */
static bool read_node(struct span s, struct forwarded *ret)
{
	const char *colon = s.n > 0 ? memchr(s.p, ':', s.n) : NULL;
	struct span port = span_of("", 0);

	ret->port[0] = '\0';
	if (s.n > 0 && s.p[0] == '[') {
		const char *end = memchr(s.p, ']', s.n);

		if (!end)
			return false;
		port = span_skip(s, (size_t)(end - s.p) + 1);
		s = span_of(s.p + 1, (size_t)(end - s.p) - 1);
		if (port.n > 0 && port.p[0] != ':')
			return false;
	} else if (colon && !memchr(colon + 1, ':', (size_t)(s.p + s.n - colon) - 1)) {
		port = span_of(colon, (size_t)(s.p + s.n - colon));
		s = span_of(s.p, (size_t)(colon - s.p));
	}
	if (!read_address(s, ret->addr))
		return false;
	if (port.n > 0)
		(void)read_port(span_skip(port, 1), ret->port);
	return true;
}

static enum forwarded_scheme read_scheme(struct span s)
{
	if (span_eq_nocase(s, SPAN("https")) || span_eq_nocase(s, SPAN("wss")))
		return FORWARDED_HTTPS;
	if (span_eq_nocase(s, SPAN("http")) || span_eq_nocase(s, SPAN("ws")))
		return FORWARDED_HTTP;
	return FORWARDED_UNSAID;
}

static void read_host(struct span s, struct forwarded *ret)
{
	struct span host, port;

	if (s.n == 0 || !http_host_split(s, &host, &port))
		return;
	ret->authority = s;
	ret->host = host;
	ret->host_port = port;
}

/* Of a Forwarded element: for=...;proto=... The first of equal names counts (RFC 7239 4: there is one). */
static struct span parameter(struct span element, struct span name)
{
	while (element.n > 0) {
		struct span pair = cut(&element, ';');

		if (pair.n > name.n && pair.p[name.n] == '=' &&
		    span_eq_nocase(span_of(pair.p, name.n), name))
			return unquote(span_skip(pair, name.n + 1));
	}
	return span_of("", 0);
}

/* -- the way from the right ----------------------------------------------------------------------------- */

static struct span node_of(const struct list *l, unsigned i, enum forwarded_mode mode)
{
	struct span element = list_at(l, i);

	return mode == FORWARDED_RFC ? parameter(element, SPAN("for")) : element;
}

/* How many steps; ret names the client if there is one. */
static unsigned find_client(const struct list *l, enum forwarded_mode mode,
			    const struct trust *trust, struct forwarded *ret)
{
	struct forwarded next = {0};
	unsigned i = 0;

	while (i < l->n && read_node(node_of(l, i, mode), &next)) {
		memcpy(ret->addr, next.addr, sizeof(ret->addr));
		memcpy(ret->port, next.port, sizeof(ret->port));
		i++;
		if (!trust_holds_text(trust, next.addr))
			break;
	}
	return i > 0 ? i - 1 : 0;
}

static struct span stepped(const struct http_head *head, enum proto_name_kind kind, unsigned steps)
{
	struct list l;

	collect(head, kind, &l);
	return l.n > 0 ? list_at(&l, MIN(steps, l.n - 1)) : span_of("", 0);
}

/* Where neither is there it is X-Forwarded-*: others of that family may have come. */
static enum forwarded_mode choose(const struct http_head *head)
{
	enum forwarded_mode mode = FORWARDED_X;

	for (unsigned i = 0; i < head->fields_n; i++) {
		enum proto_name_kind kind = proto_name_kind(head->fields[i].name);

		if (kind == NAME_X_FORWARDED_FOR || kind == NAME_X_FORWARDED_PROTO ||
		    kind == NAME_X_FORWARDED_HOST)
			return FORWARDED_X;
		if (kind == NAME_FORWARDED)
			mode = FORWARDED_RFC;
	}
	return mode;
}

void forwarded_read(const struct http_head *head, enum forwarded_mode mode,
		    const struct trust *trust, struct forwarded *ret)
{
	const struct span none = span_of("", 0);
	struct list l;
	unsigned steps;

	if (mode == FORWARDED_AUTO)
		mode = choose(head);
	*ret = (struct forwarded){.used = mode, .authority = none, .host = none, .host_port = none};
	collect(head, mode == FORWARDED_X ? NAME_X_FORWARDED_FOR : NAME_FORWARDED, &l);
	steps = find_client(&l, mode, trust, ret);
	if (mode == FORWARDED_X) {
		ret->scheme = read_scheme(stepped(head, NAME_X_FORWARDED_PROTO, steps));
		read_host(stepped(head, NAME_X_FORWARDED_HOST, steps), ret);
	} else if (l.n > 0) {
		ret->scheme = read_scheme(parameter(list_at(&l, steps), SPAN("proto")));
		read_host(parameter(list_at(&l, steps), SPAN("host")), ret);
	}
}
