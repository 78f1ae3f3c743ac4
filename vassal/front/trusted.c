/*
 * trusted - see trusted.h.
 */
#include "vassal/front/trusted.h"

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

bool trusted_client(struct conn *c)
{
	if (!c->trust_known)
		c->is_trusted =
			c->proxied ? trust_holds_text(&c->front->config->trusted_proxies, c->addr)
				   : trusted_peer(c);
	c->trust_known = true;
	return c->is_trusted;
}
