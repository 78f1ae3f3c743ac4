/*
 * doors - see doors.h.
 */
#include "emperor/vassals/doors.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "emperor/vassals/load.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/listen.h"

#define DOORS_GATE_BYTES \
	(1024 * 1024) /* some 900 waiting connections of 300 bytes: a second of a busy port */

void doors_init(struct doors *d)
{
	*d = (struct doors){
		.gate_end = -1, .front_end = -1, .next_gate_end = -1, .next_front_end = -1};
}

static void raise_buffer(int fd)
{
	int bytes = DOORS_GATE_BYTES;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

static int open_pair(int *ret_gate_end, int *ret_front_end, struct err *err)
{
	int fds[2];
	int r = fd_seqpacket_pair(fds, true);

	if (r < 0)
		return err_set(err, r, "gate door: %s", strerror(-r));
	raise_buffer(fds[0]);
	raise_buffer(fds[1]);
	*ret_gate_end = fds[0];
	*ret_front_end = fds[1];
	return 0;
}

static void close_pair(int *gate_end, int *front_end)
{
	if (*gate_end >= 0)
		(void)close(TAKE_FD(*gate_end));
	if (*front_end >= 0)
		(void)close(TAKE_FD(*front_end));
}

int doors_open_gate(struct doors *d, struct err *err)
{
	return open_pair(&d->gate_end, &d->front_end, err);
}

/* A pair that is shut in one direction shows that at the end which can no longer receive. */
static bool is_shut(int gate_end, int front_end)
{
	struct pollfd ends[] = {{.fd = gate_end, .events = POLLRDHUP},
				{.fd = front_end, .events = POLLRDHUP}};

	(void)poll(ends, ARRAY_SIZE(ends), 0);
	return (ends[0].revents | ends[1].revents) & (POLLRDHUP | POLLHUP);
}

int doors_front_end(struct doors *d, struct err *err)
{
	int r = 0;

	/* A candidate that failed may have shut that one too. */
	if (d->next_gate_end >= 0 && is_shut(d->next_gate_end, d->next_front_end))
		close_pair(&d->next_gate_end, &d->next_front_end);
	if (d->next_gate_end < 0 && is_shut(d->gate_end, d->front_end))
		r = open_pair(&d->next_gate_end, &d->next_front_end, err);
	if (r < 0)
		return r;
	return d->next_front_end >= 0 ? d->next_front_end : d->front_end;
}

int doors_renew_gate(struct doors *d, struct err *err)
{
	int gate_end, front_end;
	int r = open_pair(&gate_end, &front_end, err);

	if (r < 0)
		return r;
	close_pair(&d->gate_end, &d->front_end);
	close_pair(&d->next_gate_end, &d->next_front_end);
	d->gate_end = gate_end;
	d->front_end = front_end;
	return 0;
}

bool doors_take_next(struct doors *d)
{
	if (d->next_gate_end < 0)
		return false;
	close_pair(&d->gate_end, &d->front_end);
	d->gate_end = TAKE_FD(d->next_gate_end);
	d->front_end = TAKE_FD(d->next_front_end);
	return true;
}

static struct door *find(const struct doors *d, const struct address *a)
{
	for (size_t i = 0; i < d->n; i++)
		if (address_equal(&d->v[i].address, a))
			return &d->v[i];
	return NULL;
}

static void close_door(struct doors *d, size_t i)
{
	/* A generation that drains holds copies: shut down, so that clients are refused and not left waiting there. */
	listen_remove(d->v[i].name_fd, &d->v[i].address, &d->v[i].made);
	(void)shutdown(d->v[i].fd, SHUT_RD);
	(void)close(d->v[i].fd);
	if (d->v[i].name_fd >= 0)
		(void)close(d->v[i].name_fd);
	d->v[i] = d->v[--d->n];
}

static int open_one(struct doors *d, const struct address *a, const struct listen_options *o,
		    int *ret_fd, bool *ret_clamped, struct err *err)
{
	const struct door *known = find(d, a);
	struct door *v;
	bool clamped = false;
	int fd, name_fd;
	int r;

	if (known) {
		*ret_fd = known->fd;
		return 0;
	}
	if (d->n == DOORS_MAX)
		return err_set(err, -E2BIG, "more than %zu listeners", DOORS_MAX);
	v = reallocarray(d->v, d->n + 1, sizeof(*v));
	if (!v)
		return err_set(err, -ENOMEM, "listeners: out of memory");
	d->v = v;
	r = listen_open_named(a, o, &fd, &name_fd, &clamped, err);
	if (r < 0)
		return r;
	*ret_clamped |= clamped;
	d->v[d->n++] = (struct door){
		.address = *a,
		.fd = fd,
		.number = ++d->numbers,
		.lent = -1,
		.name_fd = name_fd,
		.made = *o,
	};
	*ret_fd = fd;
	return 0;
}

/* In every protocol that an app is asked by the client begins; a stats client listens. */
#define SPEAKS_FIRST true
#define SPEAKS_LAST  false

static struct listen_options options_for(const struct loaded *l, bool speaks_first)
{
	struct listen_options o = {
		.backlog = (int)MIN(l->config.listen, (unsigned)INT32_MAX),
		.defer_accept = speaks_first,
		.mode = l->config.chmod_socket,
		.owner_uid = l->socket_uid,
		.owner_gid = l->socket_gid,
		.bind_uid = l->privs.uid,
		.bind_gid = l->privs.gid,
		.bind_groups_n = l->privs.groups_n,
	};

	memcpy(o.bind_groups, l->privs.groups, sizeof(o.bind_groups));
	return o;
}

int doors_open(struct doors *d, const struct loaded *l, struct door_set *ret_set, bool *ret_clamped,
	       struct err *err)
{
	const struct vassal_config *c = &l->config;
	struct door_set set = {.listeners_n = c->listeners_n, .stats = -1};
	struct listen_options o = options_for(l, SPEAKS_FIRST);

	*ret_clamped = false;
	for (size_t i = 0; i < c->listeners_n; i++) {
		int r = open_one(d, &c->listeners[i].address, &o, &set.listeners[i], ret_clamped,
				 err);

		if (r < 0)
			return r;
	}
	if (l->stats.len > 0) {
		int r;

		o = options_for(l, SPEAKS_LAST);
		r = open_one(d, &l->stats, &o, &set.stats, ret_clamped, err);
		if (r < 0)
			return r;
	}
	*ret_set = set;
	return 0;
}

static int adjust_one(struct doors *d, const struct address *a, const struct listen_options *o,
		      struct err *err)
{
	struct door *door = find(d, a);
	int r = door ? listen_adjust(door->fd, door->name_fd, a, &door->made, o, err) : 0;

	if (door && r == 0)
		door->made = *o;
	return r;
}

int doors_adjust(struct doors *d, const struct loaded *l, struct err *err)
{
	struct listen_options o = options_for(l, SPEAKS_FIRST);
	struct err first = {0};

	for (size_t i = 0; i < l->config.listeners_n; i++) {
		const struct listener_config *c = &l->config.listeners[i];

		(void)adjust_one(d, &c->address, &o, first.code ? NULL : &first);
	}
	if (l->stats.len > 0) {
		o = options_for(l, SPEAKS_LAST);
		(void)adjust_one(d, &l->stats, &o, first.code ? NULL : &first);
	}
	if (first.code && err)
		*err = first;
	return first.code;
}

void doors_take_gate(struct doors *d, int gate_end, int front_end)
{
	close_pair(&d->gate_end, &d->front_end);
	d->gate_end = gate_end;
	d->front_end = front_end;
}

static bool is_called(const struct address *a, const char *text)
{
	char own[ADDRESS_TEXT];

	address_format(a, own);
	return str_eq(own, text);
}

/* Which of its addresses that is. */
static const struct address *address_called(const struct loaded *l, const char *text)
{
	for (size_t i = 0; i < l->config.listeners_n; i++) {
		const struct listener_config *c = &l->config.listeners[i];

		if (is_called(&c->address, text))
			return &c->address;
	}
	return l->stats.len > 0 && is_called(&l->stats, text) ? &l->stats : NULL;
}

/* A UNIX socket that was shut down (close_door) refuses everybody, and yet says that it listens. */
static bool listens(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};
	int on = 0;
	socklen_t n = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &n) == 0 && on && poll(&p, 1, 0) == 0;
}

int doors_restore(struct doors *d, const struct loaded *l, const char *address, uint64_t number,
		  int fd, int name_fd, struct err *err)
{
	_cleanup_(fd_closep) int socket_fd = fd;
	_cleanup_(fd_closep) int path_fd = name_fd;
	const struct address *a = address_called(l, address);
	struct door *v;

	if (!a)
		return 0;
	if (!listens(fd))
		return err_set(err, -EINVAL, "%s: what was kept does not listen: opened anew",
			       address);
	v = d->n < DOORS_MAX ? reallocarray(d->v, d->n + 1, sizeof(*v)) : NULL;
	if (!v)
		return err_set(err, -ENOMEM, "%s: out of memory", address);
	d->v = v;
	d->v[d->n++] = (struct door){
		.address = *a,
		.fd = TAKE_FD(socket_fd),
		.number = number,
		.lent = -1,
		.name_fd = TAKE_FD(path_fd),
		.made = options_for(l, a == &l->stats ? SPEAKS_LAST : SPEAKS_FIRST),
	};
	return 0;
}

int doors_find(const struct doors *d, const struct address *a)
{
	const struct door *door = a->len > 0 ? find(d, a) : NULL;

	return door ? door->fd : -1;
}

static bool wants(const struct loaded *l, const struct address *a)
{
	for (size_t i = 0; i < l->config.listeners_n; i++)
		if (address_equal(&l->config.listeners[i].address, a))
			return true;
	return l->stats.len > 0 && address_equal(&l->stats, a);
}

size_t doors_move(struct doors *from, struct doors *to, const struct loaded *l)
{
	size_t moved = 0;

	for (size_t i = from->n; i-- > 0;) {
		const struct door *door = &from->v[i];
		struct door *v;

		if (!wants(l, &door->address) || find(to, &door->address) || to->n == DOORS_MAX)
			continue;
		v = reallocarray(to->v, to->n + 1, sizeof(*v));
		if (!v)
			return moved;
		to->v = v;
		v[to->n] = *door;
		v[to->n++].number = ++to->numbers;
		from->v[i] = from->v[--from->n];
		moved++;
	}
	return moved;
}

void doors_prune(struct doors *d, const struct loaded *const *keep, size_t keep_n)
{
	for (size_t i = d->n; i-- > 0;) {
		bool wanted = false;

		for (size_t k = 0; k < keep_n && !wanted; k++)
			wanted = keep[k] && wants(keep[k], &d->v[i].address);
		if (!wanted)
			close_door(d, i);
	}
}

void doors_shut(const struct doors *d)
{
	/* fronts and the keeper hold the same sockets: closing ours would leave a backlog that nobody looks into */
	for (size_t i = 0; i < d->n; i++)
		(void)shutdown(d->v[i].fd, SHUT_RDWR);
}

void doors_done(struct doors *d)
{
	while (d->n > 0)
		close_door(d, d->n - 1);
	close_pair(&d->gate_end, &d->front_end);
	close_pair(&d->next_gate_end, &d->next_front_end);
	free(d->v);
	doors_init(d);
}
