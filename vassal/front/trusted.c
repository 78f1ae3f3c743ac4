/*
 * trusted - see trusted.h.
 */
#include "vassal/front/trusted.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "shared/vassal_config.h"
#include "vassal/front/state.h"

bool trusted_peer(const struct conn *c)
{
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof(ss);

	if (getpeername(c->fd, (struct sockaddr *)&ss, &len) < 0)
		return false;
	return ss.ss_family == AF_UNIX ||
	       trust_holds(&c->front->config->trusted_proxies, (const struct sockaddr *)&ss);
}

/* By the address that a PROXY header has given. */
static bool is_named_trusted(const struct conn *c)
{
	const struct trust *t = &c->front->config->trusted_proxies;
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, c->addr, &in.sin_addr) == 1)
		return trust_holds(t, (const struct sockaddr *)&in);
	return inet_pton(AF_INET6, c->addr, &in6.sin6_addr) == 1 &&
	       trust_holds(t, (const struct sockaddr *)&in6);
}

bool trusted_client(struct conn *c)
{
	if (!c->trust_known)
		c->is_trusted = c->proxied ? is_named_trusted(c) : trusted_peer(c);
	c->trust_known = true;
	return c->is_trusted;
}
