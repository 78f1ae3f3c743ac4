/*
 * address - see address.h. Pure: no resolver, because a name server that does not answer must not hold up an emperor,
 * and because two files that mean the same address must compare equal.
 */
#include "shared/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "shared/err.h"

#define UNIX_PATH_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path))

static int parse_unix(struct span path, struct address *ret, struct err *err)
{
	bool abstract = path.p[0] == '@';
	size_t path_at = offsetof(struct sockaddr_un, sun_path);

	/* A path needs its terminator (and tools that print it expect one); an abstract name has a length instead. */
	if (path.n + (abstract ? 0 : 1) > UNIX_PATH_MAX)
		return err_set(err, -ENAMETOOLONG,
			       "\"%.*s\": a UNIX socket's name has at most %zu bytes", (int)path.n,
			       path.p, UNIX_PATH_MAX - 1);
	if (abstract && path.n < 2)
		return err_set(err, -EINVAL, "\"@\": an abstract socket needs a name");
	ret->un.sun_family = AF_UNIX;
	memcpy(ret->un.sun_path, path.p, path.n);
	ret->len = (socklen_t)(path_at + path.n + (abstract ? 0 : 1));
	if (abstract)
		ret->un.sun_path[0] = '\0';
	return 0;
}

/* uWSGI takes ": 9701": blanks before the digits are a slip that harms nobody. */
static int parse_port(struct span text, const char *whole, uint16_t *ret, struct err *err)
{
	struct span s = span_trim(text);
	unsigned port = 0;

	for (size_t i = 0; i < s.n && port <= UINT16_MAX; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return err_set(err, -EINVAL, "\"%s\": port \"%.*s\" is not a number", whole,
				       (int)s.n, s.p);
		port = port * 10 + (unsigned)(s.p[i] - '0');
	}
	if (s.n == 0)
		return err_set(err, -EINVAL, "\"%s\": there is no port", whole);
	if (port > UINT16_MAX)
		return err_set(err, -EINVAL, "\"%s\": a port is at most 65535", whole);
	*ret = (uint16_t)port;
	return 0;
}

static void set_in4(struct address *a, struct in_addr host, uint16_t port)
{
	a->in = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = host};
	a->len = sizeof(a->in);
}

static void set_in6(struct address *a, const struct in6_addr *host, uint16_t port)
{
	a->in6 = (struct sockaddr_in6){
		.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = *host};
	a->len = sizeof(a->in6);
}

static int parse_host(struct span host, uint16_t port, const char *whole, struct address *ret,
		      struct err *err)
{
	char text[INET6_ADDRSTRLEN];
	struct in_addr in4;
	struct in6_addr in6;

	if (host.n == 0 || span_eq(host, SPAN("*"))) {
		set_in6(ret, &in6addr_any, port);
		ret->any = true;
		return 0;
	}
	if (span_eq_nocase(host, SPAN("localhost"))) {
		set_in4(ret, (struct in_addr){htonl(INADDR_LOOPBACK)}, port);
		return 0;
	}
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = span_of(host.p + 1, host.n - 2);
	if (host.n < sizeof(text)) {
		memcpy(text, host.p, host.n);
		text[host.n] = '\0';
		if (inet_pton(AF_INET, text, &in4) == 1) {
			set_in4(ret, in4, port);
			return 0;
		}
		if (inet_pton(AF_INET6, text, &in6) == 1) {
			set_in6(ret, &in6, port);
			return 0;
		}
	}
	return err_set(err, -EINVAL,
		       "\"%s\": \"%.*s\" is neither an address nor \"localhost\" (names are not "
		       "looked up); a UNIX socket's path begins with / or ./",
		       whole, (int)host.n, host.p);
}

/* The colon before the port: the last one, and for an IPv6 literal the one after its bracket. */
static int split_port(struct span s, const char *whole, struct span *ret_host,
		      struct span *ret_port, struct err *err)
{
	const char *colon = memrchr(s.p, ':', s.n);
	const char *close = memrchr(s.p, ']', s.n);

	if (close && (!colon || colon < close))
		return err_set(err, -EINVAL, "\"%s\": there is no port after ]", whole);
	if (!colon) {
		*ret_host = span_of(s.p, 0);
		*ret_port = s;
		return 0;
	}
	*ret_host = span_trim(span_of(s.p, (size_t)(colon - s.p)));
	*ret_port = span_of(colon + 1, s.n - (size_t)(colon + 1 - s.p));
	if (ret_host->n > 0 && ret_host->p[0] != '[' && memchr(ret_host->p, ':', ret_host->n))
		return err_set(err, -EINVAL,
			       "\"%s\": an IPv6 address stands in brackets: [%.*s]:PORT", whole,
			       (int)s.n, s.p);
	return 0;
}

/*
 * "/run/x.sock", "./x.sock", "@name", and "x.sock" as tutorials write it. A bare word is no path: "localhost" and
 * "1.2.3.4" are addresses that lack their port, and a socket file of that name would hide the mistake.
 */
static bool is_unix(struct span s)
{
	if (s.p[0] == '@' || memchr(s.p, '/', s.n))
		return true;
	return !memchr(s.p, ':', s.n) && memmem(s.p, s.n, ".sock", 5) != NULL;
}

int address_parse(const char *text, struct address *ret, struct err *err)
{
	struct span s = span_trim(span_str(text));
	struct span host = SPAN("");
	struct span port_text = SPAN("");
	struct address a = {0};
	uint16_t port = 0;
	int r;

	if (s.n == 0)
		return err_set(err, -EINVAL, "the address is empty");
	if (is_unix(s)) {
		if (strstr(text, "://"))
			return err_set(err, -EINVAL, "\"%s\": an address has no scheme", text);
		r = parse_unix(s, &a, err);
	} else {
		r = split_port(s, text, &host, &port_text, err);
		if (r == 0)
			r = parse_port(port_text, text, &port, err);
		if (r == 0)
			r = parse_host(host, port, text, &a, err);
	}
	if (r < 0)
		return r;
	*ret = a;
	return 0;
}

static void format_unix(const struct address *a, char buf[ADDRESS_TEXT])
{
	size_t at = offsetof(struct sockaddr_un, sun_path);
	size_t n = a->len > at ? MIN((size_t)a->len - at, UNIX_PATH_MAX) : 0;
	const char *path = a->un.sun_path;

	if (n > 0 && path[0] == '\0')
		(void)snprintf(buf, ADDRESS_TEXT, "@%.*s", (int)(n - 1), path + 1);
	else
		(void)snprintf(buf, ADDRESS_TEXT, "%.*s", (int)n, n ? path : "");
}

void address_format(const struct address *a, char buf[ADDRESS_TEXT])
{
	char host[INET6_ADDRSTRLEN] = "";

	buf[0] = '\0';
	if (a->len == 0)
		return;
	if (a->sa.sa_family == AF_UNIX) {
		format_unix(a, buf);
	} else if (a->any) {
		(void)snprintf(buf, ADDRESS_TEXT, ":%u", ntohs(a->in6.sin6_port));
	} else if (a->sa.sa_family == AF_INET) {
		(void)inet_ntop(AF_INET, &a->in.sin_addr, host, sizeof(host));
		(void)snprintf(buf, ADDRESS_TEXT, "%s:%u", host, ntohs(a->in.sin_port));
	} else if (a->sa.sa_family == AF_INET6) {
		(void)inet_ntop(AF_INET6, &a->in6.sin6_addr, host, sizeof(host));
		(void)snprintf(buf, ADDRESS_TEXT, "[%s]:%u", host, ntohs(a->in6.sin6_port));
	}
}

bool address_equal(const struct address *a, const struct address *b)
{
	if (a->len == 0 || b->len == 0)
		return a->len == b->len;
	if (a->sa.sa_family != b->sa.sa_family || a->any != b->any)
		return false;
	switch (a->sa.sa_family) {
	case AF_INET:
		return a->in.sin_port == b->in.sin_port &&
		       a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	case AF_INET6:
		return a->in6.sin6_port == b->in6.sin6_port &&
		       memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof(a->in6.sin6_addr)) == 0;
	default:
		return a->len == b->len && memcmp(&a->un, &b->un, a->len) == 0;
	}
}

static bool is_tcp(const struct address *a)
{
	return a->len > 0 && (a->sa.sa_family == AF_INET || a->sa.sa_family == AF_INET6);
}

static in_port_t port_of(const struct address *a)
{
	return a->sa.sa_family == AF_INET6 ? a->in6.sin6_port : a->in.sin_port;
}

/* As listen.c opens them: only ":port" is of both families. */
static bool covers(const struct address *wide, const struct address *a)
{
	if (wide->any)
		return true;
	if (wide->sa.sa_family != a->sa.sa_family)
		return false;
	return wide->sa.sa_family == AF_INET ? wide->in.sin_addr.s_addr == htonl(INADDR_ANY)
					     : IN6_IS_ADDR_UNSPECIFIED(&wide->in6.sin6_addr);
}

bool address_overlaps(const struct address *a, const struct address *b)
{
	if (a->len == 0 || b->len == 0)
		return false;
	if (!is_tcp(a) || !is_tcp(b))
		return address_equal(a, b);
	/* each that asks for port 0 gets one of its own */
	return port_of(a) == port_of(b) && port_of(a) != 0 &&
	       (covers(a, b) || covers(b, a) || address_equal(a, b));
}

bool address_is_local(const struct address *a)
{
	if (!is_tcp(a))
		return a->len > 0;
	if (a->any)
		return false;
	if (a->sa.sa_family == AF_INET)
		return ntohl(a->in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	if (IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr))
		return a->in6.sin6_addr.s6_addr[12] == IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr);
}

static void split_sockaddr(const struct address *a, char host[INET6_ADDRSTRLEN], char port[8])
{
	const struct in6_addr *six = &a->in6.sin6_addr;

	host[0] = port[0] = '\0';
	if (a->sa.sa_family == AF_INET) {
		(void)inet_ntop(AF_INET, &a->in.sin_addr, host, INET6_ADDRSTRLEN);
		(void)snprintf(port, 8, "%u", ntohs(a->in.sin_port));
	} else if (a->sa.sa_family == AF_INET6) {
		/* An IPv4 peer of a dual-stack listener is an IPv4 peer: nobody wants ::ffff: in REMOTE_ADDR. */
		if (IN6_IS_ADDR_V4MAPPED(six))
			(void)inet_ntop(AF_INET, &six->s6_addr[12], host, INET6_ADDRSTRLEN);
		else
			(void)inet_ntop(AF_INET6, six, host, INET6_ADDRSTRLEN);
		(void)snprintf(port, 8, "%u", ntohs(a->in6.sin6_port));
	}
}

int address_of_peer(int fd, char host[INET6_ADDRSTRLEN], char port[8])
{
	struct address a = {.len = sizeof(a.storage)};

	if (getpeername(fd, &a.sa, &a.len) < 0)
		return -errno;
	split_sockaddr(&a, host, port);
	return 0;
}

int address_of_self(int fd, char host[INET6_ADDRSTRLEN], char port[8])
{
	struct address a = {.len = sizeof(a.storage)};

	if (getsockname(fd, &a.sa, &a.len) < 0)
		return -errno;
	split_sockaddr(&a, host, port);
	return 0;
}
