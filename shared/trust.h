/*
 * trust - a list of networks, "10.0.0.0/8 ::1": the proxies whose connections carry many people's requests. Pure.
 */
#pragma once
#include "shared/base.h"
#include <sys/socket.h>

struct err;

#define TRUST_NETWORKS \
	64 /* more than a cloud's load balancers announce; each costs a compare per connection */

struct trust { /* zeroed = nobody */
	size_t n;
	struct {
		uint8_t addr[16]; /* IPv4 as ::ffff:a.b.c.d */
		unsigned bits;
	} networks[TRUST_NETWORKS];
};

/* Separated by blanks or commas. *ret is untouched on failure. */
int trust_parse(const char *text, struct trust *ret, struct err *err);
bool trust_holds(const struct trust *t, const struct sockaddr *peer);
