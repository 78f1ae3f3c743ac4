/*
 * trusted - see trusted.h. By what was noted when it came: a peer that has gone meanwhile has no address to ask for.
 */
#include "vassal/front/trusted.h"

#include "shared/vassal_config.h"
#include "vassal/front/state.h"

bool trusted_peer(const struct conn *c)
{
	return c->unix_peer || trust_holds_text(&c->front->config->trusted_proxies, c->addr);
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
