/*
 * proxy - see proxy.h. HAProxy's "The PROXY protocol, versions 1 & 2", 2.1 and 2.2.
 */
#include "shared/proxy.h"

#include <arpa/inet.h>
#include <stdio.h>

#define V2_HEAD      16
#define V1_BEGINNING SPAN("PROXY ")
#define V2_SIGNATURE SPAN("\r\n\r\n\0\r\nQUIT\n")

enum { V2_LOCAL = 0x20, V2_PROXY = 0x21 };
enum { FAMILY_NONE, FAMILY_INET, FAMILY_INET6, FAMILY_UNIX };
enum { TRANSPORT_STREAM = 1 };

static long bad(struct proxy *ret, const char *reason)
{
	*ret = (struct proxy){.reason = reason};
	return PROXY_BAD;
}

/* 0..65535 as the specification writes it: no sign, no zero in front. */
static bool is_port(struct span s)
{
	unsigned v = 0;

	if (s.n == 0 || s.n > 5 || (s.n > 1 && s.p[0] == '0'))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (unsigned)(s.p[i] - '0');
	}
	return v <= UINT16_MAX;
}

static void write_port(char to[6], unsigned port)
{
	char digits[5];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + port % 10);
		port /= 10;
	} while (port > 0);
	memcpy(to, digits + i, sizeof(digits) - i);
	to[sizeof(digits) - i] = '\0';
}

static void write_address(struct proxy *ret, int family, const uint8_t *raw)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (family == AF_INET6 && memcmp(raw, mapped, sizeof(mapped)) == 0) {
		family = AF_INET;
		raw += sizeof(mapped);
	}
	(void)inet_ntop(family, raw, ret->addr, sizeof(ret->addr));
}

/* Up to the next blank, which must be there unless it is the last. */
static bool take_word(struct span *rest, bool last, struct span *ret)
{
	const char *blank = rest->n > 0 ? memchr(rest->p, ' ', rest->n) : NULL;

	size_t n = blank ? (size_t)(blank - rest->p) : rest->n;

	if (last == (blank != NULL))
		return false;
	*ret = span_of(rest->p, n);
	*rest = span_skip(*rest, last ? n : n + 1);
	return ret->n > 0;
}

static bool parse_address(int family, struct span word, uint8_t raw[16])
{
	char text[46];

	if (word.n >= sizeof(text))
		return false;
	memcpy(text, word.p, word.n);
	text[word.n] = '\0';
	return inet_pton(family, text, raw) == 1;
}

/* What stands behind "PROXY ", without CRLF. */
static bool parse_v1(struct span rest, struct proxy *ret)
{
	struct span name, from, to, from_port, to_port;
	uint8_t raw[16], self[16];
	int family;

	if (span_eq(rest, SPAN("UNKNOWN")) || span_starts(rest, SPAN("UNKNOWN ")))
		return true;
	if (!take_word(&rest, false, &name) || !take_word(&rest, false, &from) ||
	    !take_word(&rest, false, &to) || !take_word(&rest, false, &from_port) ||
	    !take_word(&rest, true, &to_port))
		return false;
	if (!span_eq(name, SPAN("TCP4")) && !span_eq(name, SPAN("TCP6")))
		return false;
	family = name.p[3] == '4' ? AF_INET : AF_INET6;
	if (!parse_address(family, from, raw) || !parse_address(family, to, self) ||
	    !is_port(from_port) || !is_port(to_port))
		return false;
	ret->known = true;
	write_address(ret, family, raw);
	memcpy(ret->port, from_port.p, from_port.n);
	memcpy(ret->self_port, to_port.p, to_port.n);
	return true;
}

static long take_v1(const char *p, size_t n, struct proxy *ret)
{
	size_t seen = MIN(n, (size_t)PROXY_V1_MAX);
	const char *end = memchr(p, '\n', seen);

	if (!end)
		return n >= PROXY_V1_MAX ? bad(ret, "PROXY line without an end") : PROXY_MORE;
	if (end - p < 8 || end[-1] != '\r' || !parse_v1(span_of(p + 6, (size_t)(end - p) - 7), ret))
		return bad(ret, "malformed PROXY line");
	return end - p + 1;
}

static unsigned read_u16(const char *p)
{
	return (unsigned)(uint8_t)p[0] << 8 | (uint8_t)p[1];
}

enum { TLV_HEAD = 3, TLV_SSL = 0x20, SSL_FIXED = 5, CLIENT_SSL = 0x01 };

/* Whether the client spoke TLS. What is cut short says nothing. */
static bool read_tls(struct span tlvs)
{
	while (tlvs.n >= TLV_HEAD) {
		size_t n = read_u16(tlvs.p + 1);

		if (n > tlvs.n - TLV_HEAD)
			return false;
		if ((uint8_t)tlvs.p[0] == TLV_SSL)
			return n >= SSL_FIXED && ((uint8_t)tlvs.p[TLV_HEAD] & CLIENT_SSL);
		tlvs = span_skip(tlvs, TLV_HEAD + n);
	}
	return false;
}

static long take_v2(const char *p, size_t n, struct proxy *ret)
{
	static const unsigned needed[] = {0, 12, 36, 216};
	unsigned command, family, size;

	if (n < V2_HEAD)
		return PROXY_MORE;
	command = (uint8_t)p[12];
	family = (uint8_t)p[13] >> 4;
	size = read_u16(p + 14);
	if (command != V2_LOCAL && command != V2_PROXY)
		return bad(ret, "PROXY header of another version");
	if (V2_HEAD + size > LIMIT_PROXY_BYTES)
		return bad(ret, "PROXY header too large");
	if (command == V2_PROXY && (family > FAMILY_UNIX || size < needed[family]))
		return bad(ret, "malformed PROXY header");
	if (n < V2_HEAD + size)
		return PROXY_MORE;
	if (command == V2_LOCAL || ((uint8_t)p[13] & 0xf) != TRANSPORT_STREAM)
		return V2_HEAD + size;
	if (family == FAMILY_INET || family == FAMILY_INET6) {
		size_t address = family == FAMILY_INET ? 4 : 16;
		const char *ports = p + V2_HEAD + 2 * address;

		ret->known = true;
		write_address(ret, family == FAMILY_INET ? AF_INET : AF_INET6,
			      (const uint8_t *)p + V2_HEAD);
		write_port(ret->port, read_u16(ports));
		write_port(ret->self_port, read_u16(ports + 2));
		ret->https = read_tls(span_of(p + V2_HEAD + needed[family], size - needed[family]));
	}
	return V2_HEAD + size;
}

/* Begins with all of what; PROXY_MORE while it is no longer than that. */
static int begins(struct span got, struct span what)
{
	size_t n = MIN(got.n, what.n);

	if (!span_eq(span_of(got.p, n), span_of(what.p, n)))
		return PROXY_BAD;
	return n < what.n ? PROXY_MORE : 1;
}

int proxy_look(const char *p, size_t n)
{
	struct span got = span_of(p, n);
	int r = begins(got, V1_BEGINNING);

	return r == PROXY_BAD ? begins(got, V2_SIGNATURE) : r;
}

long proxy_parse(const char *p, size_t n, struct proxy *ret)
{
	int r = proxy_look(p, n);

	*ret = (struct proxy){0};
	if (r <= 0)
		return r == PROXY_MORE ? PROXY_MORE : bad(ret, "no PROXY header");
	return p[0] == 'P' ? take_v1(p, n, ret) : take_v2(p, n, ret);
}

static void put_u16(char *p, unsigned v)
{
	p[0] = (char)(v >> 8);
	p[1] = (char)v;
}

/* 0: addr is no address. */
static size_t write_v2(char buf[PROXY_V1_MAX + 1], const char *addr, const char *port,
		       const char *self_port)
{
	bool six = strchr(addr, ':') != NULL;
	size_t address = six ? 16 : 4, ports = V2_HEAD + 2 * address;
	size_t n = ports + 4 + TLV_HEAD + SSL_FIXED;

	memset(buf, 0, n);
	memcpy(buf, V2_SIGNATURE.p, V2_SIGNATURE.n);
	buf[12] = V2_PROXY;
	buf[13] = (char)((six ? FAMILY_INET6 : FAMILY_INET) << 4 | TRANSPORT_STREAM);
	put_u16(buf + 14, (unsigned)(n - V2_HEAD));
	if (inet_pton(six ? AF_INET6 : AF_INET, addr, buf + V2_HEAD) != 1)
		return 0;
	put_u16(buf + ports, (unsigned)strtoul(port, NULL, 10));
	put_u16(buf + ports + 2, (unsigned)strtoul(self_port, NULL, 10));
	buf[ports + 4] = TLV_SSL;
	put_u16(buf + ports + 5, SSL_FIXED);
	buf[ports + 4 + TLV_HEAD] = CLIENT_SSL;
	return n;
}

size_t proxy_write(char buf[PROXY_V1_MAX + 1], const char *addr, const char *port,
		   const char *self_port, bool https)
{
	bool six = strchr(addr, ':') != NULL;
	size_t whole = https && addr[0] ? write_v2(buf, addr, port, self_port) : 0;
	int n;

	if (whole > 0)
		return whole;
	/* to which address it came is nothing that anybody asks for */
	if (addr[0])
		n = snprintf(buf, PROXY_V1_MAX + 1, "PROXY %s %s %s %s %s\r\n",
			     six ? "TCP6" : "TCP4", addr, six ? "::" : "0.0.0.0",
			     port[0] ? port : "0", self_port[0] ? self_port : "0");
	else
		n = snprintf(buf, PROXY_V1_MAX + 1, "PROXY UNKNOWN\r\n");
	return (size_t)n;
}
