/*
 * trust - see trust.h. Everything is compared as IPv6, since a socket on [::] shows IPv4 peers as ::ffff:a.b.c.d.
 */
#include "shared/trust.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

#include "shared/err.h"

#define SEPARATORS     " \t,"
#define V4_MAPPED_BITS 96

static const uint8_t v4_mapped[12] = {[10] = 0xff, [11] = 0xff};

static bool parse_bits(const char *text, unsigned max, unsigned *ret)
{
	unsigned n = 0;

	if (text[0] == '\0' || strlen(text) > 3)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		n = n * 10 + (unsigned)(*text - '0');
	}
	*ret = n;
	return n <= max;
}

static bool read_address(const char *text, uint8_t addr[16])
{
	if (inet_pton(AF_INET, text, addr + 12) != 1)
		return inet_pton(AF_INET6, text, addr) == 1;
	memcpy(addr, v4_mapped, sizeof(v4_mapped));
	return true;
}

static bool parse_network(char *word, uint8_t addr[16], unsigned *ret_bits)
{
	char *slash = strchr(word, '/');
	unsigned base = 0;

	if (slash)
		*slash = '\0';
	if (!read_address(word, addr))
		return false;
	if (!strchr(word, ':'))
		base = V4_MAPPED_BITS;
	*ret_bits = 128 - base;
	if (slash && !parse_bits(slash + 1, 128 - base, ret_bits))
		return false;
	*ret_bits += base;
	return true;
}

int trust_add(struct trust *to, const char *text, struct err *err)
{
	struct trust t = *to;

	for (;;) {
		char word[INET6_ADDRSTRLEN + sizeof("/128")];
		size_t n;

		text += strspn(text, SEPARATORS);
		n = strcspn(text, SEPARATORS);
		if (n == 0)
			break;
		if (t.n == TRUST_NETWORKS)
			return err_set(err, -E2BIG, "more than %d trusted networks",
				       TRUST_NETWORKS);
		memcpy(word, text, MIN(n, sizeof(word) - 1));
		word[MIN(n, sizeof(word) - 1)] = '\0';
		if (n >= sizeof(word) ||
		    !parse_network(word, t.networks[t.n].addr, &t.networks[t.n].bits))
			return err_set(err, -EINVAL, "\"%.*s\" is not a network", (int)n, text);
		t.n++;
		text += n;
	}
	*to = t;
	return 0;
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8;
	unsigned mask = 0xff00U >> (bits % 8) & 0xff;

	return memcmp(a, b, whole) == 0 && (mask == 0 || ((a[whole] ^ b[whole]) & mask) == 0);
}

static bool holds(const struct trust *t, const uint8_t addr[16])
{
	for (size_t i = 0; i < t->n; i++)
		if (same_bits(addr, t->networks[i].addr, t->networks[i].bits))
			return true;
	return false;
}

bool trust_holds(const struct trust *t, const struct sockaddr *peer)
{
	uint8_t addr[16];

	if (t->n == 0)
		return false;
	if (peer->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, peer, sizeof(in));
		memcpy(addr, v4_mapped, sizeof(v4_mapped));
		memcpy(addr + 12, &in.sin_addr, 4);
	} else if (peer->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, peer, sizeof(in6));
		memcpy(addr, &in6.sin6_addr, 16);
	} else {
		return false;
	}
	return holds(t, addr);
}

bool trust_holds_text(const struct trust *t, const char *text)
{
	uint8_t addr[16];

	if (t->n == 0)
		return false;
	return read_address(text, addr) && holds(t, addr);
}
