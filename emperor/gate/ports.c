/*
 * ports - see ports.h. When accept() is out of descriptors or the gate of room, and nobody can go, all ports pause: the rest
 * waits in the kernel's backlog, where it costs nothing. The gate's sweep resumes them.
 */
#include "emperor/gate/ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "shared/err.h"
#include "shared/fd.h"
#include "shared/trust.h"

#define ACCEPT_BATCH 64 /* of one port in one loop turn: the others, and the link, get theirs */

union any_address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
	struct sockaddr_storage storage;
};

struct port {
	struct ports *ports;
	ev_io io;
	int fd;     /* -1 = no such port */
	bool named; /* since ports_begin() */
	union any_address self;
	socklen_t self_n;
};

struct ports {
	struct ev_loop *loop;
	const struct trust *trust; /* borrowed */
	struct ports_handler handler;
	bool paused;
	struct port port[LIMIT_PORTS];
};

static bool is_crowd(const struct ports *p, const union any_address *peer)
{
	return peer->sa.sa_family == AF_UNIX || trust_holds(p->trust, &peer->sa);
}

static void pause_all(struct ports *p)
{
	p->paused = true;
	for (size_t i = 0; i < ARRAY_SIZE(p->port); i++)
		if (p->port[i].fd >= 0)
			ev_io_stop(p->loop, &p->port[i].io);
}

/* False when there is no sense in going on now. */
static bool accept_one(struct port *port)
{
	struct ports *p = port->ports;
	union any_address peer = {.sa = {.sa_family = AF_UNSPEC}};
	socklen_t n = sizeof(peer);
	struct client c = {.port = (uint16_t)(port - p->port)};

	if (!p->handler.has_room(p->handler.arg)) {
		pause_all(p);
		return false;
	}
	c.fd = accept4(port->fd, &peer.sa, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (c.fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			if (p->handler.make_room(p->handler.arg))
				return true;
			pause_all(p);
			return false;
		}
		/* Anything else but "no more" is one connection's own misfortune (accept(2), Error handling). */
		return errno != EAGAIN && errno != EINVAL && errno != EBADF;
	}
	c.crowd = is_crowd(p, &peer);
	p->handler.accepted(p->handler.arg, &c);
	return true;
}

static void on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct port *port = container_of(io, struct port, io);

	(void)loop;
	(void)revents;
	for (int i = 0; i < ACCEPT_BATCH && accept_one(port); i++)
		;
}

int ports_new(struct ports **ret_ports, struct ev_loop *loop, const struct trust *trust,
	      const struct ports_handler *handler, struct err *err)
{
	struct ports *p = calloc(1, sizeof(*p));

	if (!p)
		return err_set(err, -ENOMEM, "out of memory");
	p->loop = loop;
	p->trust = trust;
	p->handler = *handler;
	for (size_t i = 0; i < ARRAY_SIZE(p->port); i++) {
		p->port[i].ports = p;
		p->port[i].fd = -1;
	}
	*ret_ports = p;
	return 0;
}

static void close_port(struct port *port)
{
	if (port->fd < 0)
		return;
	ev_io_stop(port->ports->loop, &port->io);
	(void)close(port->fd);
	port->fd = -1;
}

void ports_close(struct ports *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(p->port); i++)
		close_port(&p->port[i]);
}

void ports_end_for_good(struct ports *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(p->port); i++) {
		struct port *port = &p->port[i];

		for (int k = 0; port->fd >= 0 && k < LIMIT_GATE_CONNS && accept_one(port); k++)
			;
		if (port->fd >= 0)
			(void)shutdown(port->fd, SHUT_RDWR);
		close_port(port);
	}
}

void ports_free(struct ports *p)
{
	if (!p)
		return;
	ports_close(p);
	free(p);
}

int ports_set(struct ports *p, unsigned index, int fd, struct err *err)
{
	_cleanup_(fd_closep) int owned = fd;
	union any_address self = {.sa = {.sa_family = AF_UNSPEC}};
	socklen_t n = sizeof(self);
	struct port *port;

	if (index >= ARRAY_SIZE(p->port))
		return err_set(err, -EINVAL, "port number %u of at most %zu", index,
			       ARRAY_SIZE(p->port));
	if (getsockname(fd, &self.sa, &n) < 0 || fd_set_nonblock(fd, true) < 0)
		return err_set(err, -errno, "port %u: not a socket: %s", index, strerror(errno));
	port = &p->port[index];
	close_port(port);
	port->fd = TAKE_FD(owned);
	port->named = true;
	port->self = self;
	port->self_n = n;
	ev_io_init(&port->io, on_readable, port->fd, EV_READ);
	if (!p->paused)
		ev_io_start(p->loop, &port->io);
	return 0;
}

void ports_begin(struct ports *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(p->port); i++)
		p->port[i].named = false;
}

void ports_end(struct ports *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(p->port); i++)
		if (!p->port[i].named)
			close_port(&p->port[i]);
}

void ports_resume(struct ports *p)
{
	p->paused = false;
	for (size_t i = 0; i < ARRAY_SIZE(p->port); i++)
		if (p->port[i].fd >= 0)
			ev_io_start(p->loop, &p->port[i].io);
}

bool ports_paused(const struct ports *p)
{
	return p->paused;
}

/* Is self an address that this listener accepts on? */
static bool port_covers(const struct port *port, const union any_address *self, socklen_t n)
{
	if (port->fd < 0 || port->self.sa.sa_family != self->sa.sa_family)
		return false;
	switch (self->sa.sa_family) {
	case AF_INET:
		return port->self.in.sin_port == self->in.sin_port &&
		       (port->self.in.sin_addr.s_addr == htonl(INADDR_ANY) ||
			port->self.in.sin_addr.s_addr == self->in.sin_addr.s_addr);
	case AF_INET6:
		return port->self.in6.sin6_port == self->in6.sin6_port &&
		       (IN6_IS_ADDR_UNSPECIFIED(&port->self.in6.sin6_addr) ||
			IN6_ARE_ADDR_EQUAL(&port->self.in6.sin6_addr, &self->in6.sin6_addr));
	case AF_UNIX:
		return n > offsetof(struct sockaddr_un, sun_path) && port->self_n == n &&
		       memcmp(&port->self.un, &self->un, n) == 0;
	default:
		return false;
	}
}

static bool get_int(int fd, int name, int *ret)
{
	socklen_t n = sizeof(*ret);

	return getsockopt(fd, SOL_SOCKET, name, ret, &n) == 0;
}

bool ports_recognise(const struct ports *p, int fd, struct client *ret)
{
	union any_address self = {.sa = {.sa_family = AF_UNSPEC}};
	union any_address peer = {.sa = {.sa_family = AF_UNSPEC}};
	socklen_t self_n = sizeof(self), peer_n = sizeof(peer);
	int type, listening;

	if (!get_int(fd, SO_TYPE, &type) || type != SOCK_STREAM ||
	    !get_int(fd, SO_ACCEPTCONN, &listening) || listening)
		return false;
	if (getsockname(fd, &self.sa, &self_n) < 0 || getpeername(fd, &peer.sa, &peer_n) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(p->port); i++) {
		if (!port_covers(&p->port[i], &self, self_n))
			continue;
		*ret = (struct client){.fd = fd,
				       .port = (uint16_t)i,
				       .crowd = is_crowd(p, &peer),
				       .handed_back = true};
		return true;
	}
	return false;
}
