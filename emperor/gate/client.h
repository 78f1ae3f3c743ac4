/*
 * client - a connection in the gate's hands. A value: whoever is given one owns its descriptor from then on.
 *
 * One that a front handed back shares its description with that front, which may still hold a copy and turn any flag
 * of it: nothing here relies on O_NONBLOCK, and closing takes a lingering time away that would make close() wait.
 */
#pragma once
#include "shared/base.h"
#include <sys/socket.h>

struct client {
	int fd;
	uint16_t port; /* index of the shared port */
	bool crowd; /* a trusted proxy or a UNIX socket: its next request may be another person's */
	bool handed_back; /* hostile: see above */
	uint8_t protocol; /* enum gate_protocol, of a listener that standin.h watches; and so is the next */
	unsigned retry_after_s;
};

static inline ssize_t client_read(const struct client *c, void *buf, size_t size)
{
	return recv(c->fd, buf, size, MSG_DONTWAIT);
}

static inline ssize_t client_write(const struct client *c, const void *data, size_t n)
{
	return send(c->fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static inline void client_close(const struct client *c)
{
	const struct linger off = {0};

	if (c->handed_back)
		(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
	(void)close(c->fd);
}
