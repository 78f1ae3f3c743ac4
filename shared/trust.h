/*
 * trust - a list of networks, "10.0.0.0/8 ::1": the proxies whose connections carry many people's requests. Pure.
 */
#pragma once
#include "shared/base.h"
#include <sys/socket.h>

struct err;

#define TRUST_NETWORKS \
	128 /* the emperor's and the app's own: more than a cloud's load balancers announce; each costs a compare per connection */

/*
 * By which fields they name their clients. The others are dropped: a proxy that sets one kind hands on the other as its
 * client has sent it.
 */
enum forwarded_mode {
	FORWARDED_AUTO, /* X-Forwarded-For, -Proto or -Host where one of them came, else Forwarded */
	FORWARDED_X,
	FORWARDED_RFC, /* Forwarded (RFC 7239) */
};

struct trust { /* zeroed = nobody */
	size_t n;
	struct {
		uint8_t addr[16]; /* IPv4 as ::ffff:a.b.c.d */
		unsigned bits;
	} networks[TRUST_NETWORKS];
};

/* Adds what text says, separated by blanks or commas. *t is untouched on failure. */
int trust_add(struct trust *t, const char *text, struct err *err);
bool trust_holds(const struct trust *t, const struct sockaddr *peer);
/* Of an address as text, IPv4 or IPv6 without brackets; anything else is not trusted. */
bool trust_holds_text(const struct trust *t, const char *addr);
