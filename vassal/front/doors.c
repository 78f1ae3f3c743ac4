/*
 * doors - see doors.h.
 */
#include "vassal/front/doors.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "shared/address.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/vassal_config.h"
#include "vassal/front/conn.h"
#include "vassal/front/crowd.h"
#include "vassal/front/front.h"
#include "vassal/front/intake.h"
#include "vassal/front/state.h"

#define ACCEPTS_PER_TURN 32 /* of one door: those that are connected already want their turn */

static void watch(struct front *f, struct door *d)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &d->watched};

	if (d->fd >= 0 && !d->open && epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, d->fd, &ev) == 0)
		d->open = true;
}

static void unwatch(struct front *f, struct door *d)
{
	if (d->open)
		(void)epoll_ctl(f->epoll_fd, EPOLL_CTL_DEL, d->fd, NULL);
	d->open = false;
}

static void for_own_doors(struct front *f, void (*fn)(struct front *f, struct door *d))
{
	for (uint32_t i = 0; i < f->listeners_n; i++)
		fn(f, &f->listeners[i]);
	fn(f, &f->gate);
}

static void for_adopted(struct front *f, void (*fn)(struct front *f, struct door *d))
{
	for (unsigned i = 0; i < ARRAY_SIZE(f->adopt); i++)
		fn(f, &f->adopt[i]);
}

void doors_close(struct front *f)
{
	/* a pause goes on for the adopted ones: they are not ours to close */
	f->doors_open = false;
	for_own_doors(f, unwatch);
}

/* The limit, or no descriptors: what comes waits in the backlog. */
static void pause_doors(struct front *f)
{
	if (f->doors_paused)
		return;
	f->doors_paused = true;
	for_own_doors(f, unwatch);
	for_adopted(f, unwatch);
}

void doors_resume(struct front *f)
{
	if (!f->doors_paused)
		return;
	f->doors_paused = false;
	if (f->doors_open)
		for_own_doors(f, watch);
	for_adopted(f, watch);
}

void doors_open(struct front *f)
{
	f->doors_open = true;
	f->doors_paused = true;
	doors_resume(f);
}

/*
 * May another connection be passed to us? One for which no descriptor is left is lost: the kernel drops it. The numbers
 * are given from below, so as long as one near the limit is free those after it are; asked only when it can matter.
 */
static bool has_room(const struct front *f)
{
	unsigned at = f->fds_limit > LIMIT_SPARE_FDS ? f->fds_limit - LIMIT_SPARE_FDS : 0;
	int fd;

	if (f->conns_n >= f->conns_limit)
		return false;
	if (f->conns_n < f->conns_carefree)
		return true;
	fd = fcntl(f->epoll_fd, F_DUPFD_CLOEXEC, (int)at);
	if (fd < 0)
		return false;
	(void)close(fd);
	return (unsigned)fd == at;
}

static void set_nodelay(int fd)
{
	int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void name_door(struct door *d)
{
	if (address_of_self(d->fd, d->name, d->port) < 0)
		d->name[0] = d->port[0] = '\0';
	d->is_unix = d->name[0] == '\0';
}

static int map_epoch(struct front *f, int fd, struct err *err)
{
	void *p;

	if (fd < 0)
		return 0;
	p = mmap(NULL, sizeof(uint32_t), PROT_READ, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (p == MAP_FAILED)
		return err_set(err, -errno, "routes epoch: mmap: %s", strerror(errno));
	f->epoch = p;
	return 0;
}

int doors_init(struct front *f, const struct front_setup *setup, struct err *err)
{
	f->listeners_n = setup->listeners_n;
	for (uint32_t i = 0; i < f->listeners_n; i++) {
		struct door *d = &f->listeners[i];

		*d = (struct door){.watched.kind = WATCH_DOOR,
				   .kind = DOOR_LISTENER,
				   .fd = setup->listener_fds[i],
				   .index = (uint16_t)i};
		d->spoken = LISTENER_HTTP;
		if (i < f->config->listeners_n)
			d->spoken = (uint8_t)f->config->listeners[i].protocol;
		if (d->fd < 0)
			continue;
		name_door(d);
		/* accepted sockets inherit it: no call per connection */
		if (!d->is_unix)
			set_nodelay(d->fd);
	}
	f->gate = (struct door){.watched.kind = WATCH_DOOR,
				.kind = DOOR_GATE,
				.fd = setup->gate_fd,
				.spoken = LISTENER_HTTP};
	for (unsigned i = 0; i < ARRAY_SIZE(f->adopt); i++)
		f->adopt[i] =
			(struct door){.watched.kind = WATCH_DOOR, .kind = DOOR_ADOPT, .fd = -1};
	return map_epoch(f, setup->routes_epoch_fd, err);
}

void doors_adopt(struct front *f, int fd)
{
	for (unsigned i = 0; i < ARRAY_SIZE(f->adopt); i++) {
		if (f->adopt[i].fd >= 0)
			continue;
		f->adopt[i].fd = fd;
		if (!f->doors_paused)
			watch(f, &f->adopt[i]);
		return;
	}
	(void)close(
		fd); /* more generations than there can be: the older one keeps its connections */
}

static void note_peer(struct conn *c, const struct sockaddr_storage *ss)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)ss;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;
	unsigned port = 0;

	c->unix_peer = ss->ss_family == AF_UNIX;
	if (ss->ss_family == AF_INET) {
		(void)inet_ntop(AF_INET, &in->sin_addr, c->addr, sizeof(c->addr));
		port = ntohs(in->sin_port);
	} else if (ss->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		/* apps and their allow-lists know the client as IPv4 */
		(void)inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], c->addr, sizeof(c->addr));
		port = ntohs(in6->sin6_port);
	} else if (ss->ss_family == AF_INET6) {
		(void)inet_ntop(AF_INET6, &in6->sin6_addr, c->addr, sizeof(c->addr));
		port = ntohs(in6->sin6_port);
	} else {
		return;
	}
	(void)snprintf(c->port, sizeof(c->port), "%u", port);
}

static void begin(struct conn *c, bool readable)
{
	struct front *f = c->front;

	c->begun_ns = f->now_ns;
	c->readable = readable;
	timer_set(&f->timers[TIMER_HEAD], &c->timer, f->now_ns);
	intake_run(c);
}

static void accept_some(struct front *f, struct door *d)
{
	for (unsigned i = 0; i < ACCEPTS_PER_TURN && d->open; i++) {
		struct sockaddr_storage ss = {0};
		socklen_t len = sizeof(ss);
		struct conn *c;
		int fd;

		if (f->conns_n >= f->conns_limit && !crowd_make_room(f)) {
			pause_doors(f);
			return;
		}
		fd = accept4(d->fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno != EMFILE && errno != ENFILE && errno != ENOMEM &&
			    errno != ENOBUFS)
				return;
			if (crowd_make_room(f))
				continue;
			pause_doors(f); /* until a connection ends, or the next tick */
			return;
		}
		c = conn_new(f, fd);
		if (!c) {
			(void)close(fd);
			pause_doors(f);
			return;
		}
		c->spoken = d->spoken;
		c->listener = d->index;
		c->own_listener = true;
		note_peer(c, &ss);
		begin(c, true); /* with TCP_DEFER_ACCEPT the request is there */
	}
}

static struct route *route_of(const struct pass *p)
{
	struct route *r = calloc(1, sizeof(*r) + p->script.n + p->carve.n);

	if (!r)
		return NULL;
	r->epoch = p->head.epoch;
	r->flags = p->head.flags;
	memcpy(r->text, p->script.p, p->script.n);
	memcpy(r->text + p->script.n, p->carve.p, p->carve.n);
	r->script = span_of(r->text, p->script.n);
	r->carve = span_of(r->text + p->script.n, p->carve.n);
	if (p->head.flags & PASS_HOST) {
		r->has_host = true;
		r->host_n = MIN(p->host.n, sizeof(r->host));
		memcpy(r->host, p->host.p, r->host_n);
	}
	return r;
}

static bool is_door_of(const struct door *d, const struct address *self, const char *host,
		       const char *port)
{
	struct address a = {.len = sizeof(a.storage)};

	if (!d->is_unix)
		return str_eq(d->port, port) && (str_eq(d->name, host) || str_eq(d->name, "::") ||
						 str_eq(d->name, "0.0.0.0"));
	return getsockname(d->fd, &a.sa, &a.len) == 0 && address_equal(&a, self);
}

/* An adopted connection of an own listener: which of ours it is now, and what that speaks, by its address. */
static void find_listener(struct conn *c)
{
	const struct front *f = c->front;
	struct address self = {.len = sizeof(self.storage)};
	char host[INET6_ADDRSTRLEN];

	c->own_listener = true;
	c->listener = UINT16_MAX;
	if (getsockname(c->fd, &self.sa, &self.len) < 0 ||
	    address_of_self(c->fd, host, c->self_port) < 0)
		return;
	for (uint32_t i = 0; i < f->listeners_n; i++)
		if (is_door_of(&f->listeners[i], &self, host, c->self_port)) {
			c->listener = (uint16_t)i;
			c->spoken = f->listeners[i].spoken;
		}
}

static void take_passed(struct front *f, const struct door *d, const struct pass *p)
{
	struct conn *c = conn_new(f, p->fd);
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof(ss);
	char host[INET6_ADDRSTRLEN];

	if (!c) {
		(void)close(p->fd);
		return;
	}
	/* a descriptor that blocks would stop everybody */
	(void)fd_set_nonblock(c->fd, true);
	c->protocol = p->head.flags & PASS_FASTCGI ? PROTO_FASTCGI : PROTO_HTTP;
	c->spoken = LISTENER_HTTP;
	c->opened = !(p->head.flags & PASS_UNOPENED);
	c->listener = p->head.listener;
	if (getpeername(c->fd, (struct sockaddr *)&ss, &len) == 0)
		note_peer(c, &ss);
	if (ss.ss_family != AF_UNIX && d->kind == DOOR_GATE)
		set_nodelay(c->fd);
	if (d->kind == DOOR_ADOPT && (p->head.flags & PASS_OWN_LISTENER)) {
		find_listener(c);
	} else {
		(void)address_of_self(c->fd, host, c->self_port);
		c->route = route_of(p);
	}
	if ((!c->own_listener && !c->route) ||
	    buf_append(&c->in, p->bytes.p, p->bytes.n, SIZE_MAX / 2) < 0) {
		conn_kill(c, true);
		return;
	}
	/* what was read took all there was; whatever came since, epoll tells when we begin to watch */
	begin(c, p->bytes.n == 0);
}

static void receive_some(struct front *f, struct door *d)
{
	char buf[PASS_BUF_SIZE];

	for (unsigned i = 0; i < ACCEPTS_PER_TURN && d->open; i++) {
		struct err err = {0};
		struct pass p;
		int r;

		if (!has_room(f) && !(crowd_make_room(f) && has_room(f))) {
			pause_doors(f);
			return;
		}
		r = pass_recv(d->fd, buf, sizeof(buf), &p, &err);
		if (r == 1) {
			take_passed(f, d, &p);
			continue;
		}
		if (r == -EBADMSG || r == -EMFILE)
			logbook_say(&f->log, f->wall_ns, "%s", err.text);
		if (r == -EBADMSG)
			continue;
		if (r == -EMFILE)
			pause_doors(f);
		if (r == 0) {
			unwatch(f, d);
			(void)close(TAKE_FD(d->fd));
		}
		return;
	}
}

void door_event(struct door *d, struct front *f, uint32_t events)
{
	(void)events;
	if (!d->open)
		return;
	if (d->kind == DOOR_LISTENER)
		accept_some(f, d);
	else
		receive_some(f, d);
}
