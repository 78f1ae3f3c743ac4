/*
 * legacy - see legacy.h.
 */
#include "emperor/vassals/legacy.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "emperor/keeper/keeper.h"
#include "shared/clock.h"
#include "shared/err.h"
#include "shared/fd.h"

#define FETCH_S 10 /* all of it; it takes 30 ms with 1,000 apps */

struct legacy {
	int link_fd; /* owned; -1: taken */
	size_t n, room;
	struct stored *v; /* owned; sorted by name once it is complete */
};

uint64_t legacy_identify(int fd)
{
	uint64_t cookie = 0;
	socklen_t n = sizeof(cookie);
	struct stat st;

	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &n) == 0)
		return cookie;
	return fstat(fd, &st) == 0 ? (uint64_t)st.st_ino : 0;
}

static int knock(const char *dir, int *ret_fd, struct err *err)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	_cleanup_(fd_closep) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int n = snprintf(un.sun_path, sizeof(un.sun_path), "%s/" KEEPER_SOCKET, dir);

	if (fd < 0)
		return err_set(err, -errno, "socket: %s", strerror(errno));
	if (n < 0 || (size_t)n >= sizeof(un.sun_path))
		return -ENOENT; /* then no keeper can listen there either */
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0)
		return errno == ENOENT || errno == ECONNREFUSED
			       ? -ENOENT
			       : err_set(err, -errno, "%s: %s", un.sun_path, strerror(errno));
	if (fd_set_nonblock(fd, true) < 0)
		return err_set(err, -errno, "%s: %s", un.sun_path, strerror(errno));
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int add(struct legacy *s, const struct role_msg *m, int *fd)
{
	if (s->n == s->room) {
		size_t room = s->room ? s->room * 2 : 64;
		struct stored *v =
			room <= KEEPER_NAMES ? reallocarray(s->v, room, sizeof(*v)) : NULL;

		if (!v)
			return -ENOMEM;
		s->v = v;
		s->room = room;
	}
	s->v[s->n] = (struct stored){
		.name = strdup(m->text),
		.a = m->a,
		.b = m->b,
		.c = m->c,
		.d = m->d,
		.e = m->e,
	};
	if (!s->v[s->n].name)
		return -ENOMEM;
	s->v[s->n++].fd = TAKE_FD(*fd);
	return 0;
}

/* 1: that was the last. */
static int take(struct legacy *s, const struct role_msg *m, int *fd, struct err *err)
{
	switch (m->kind) {
	case ROLE_READY:
		if (m->a == ROLE_VERSION)
			return 0;
		return err_set(err, -EPROTO,
			       "the keeper of the emperor before speaks version %llu, this emperor "
			       "%d: start that one again and stop it, or end the keeper "
			       "(keeper.pid): then the apps start anew",
			       (unsigned long long)m->a, ROLE_VERSION);
	case KEEPER_ITEM:
		return add(s, m, fd) < 0 ? err_set(err, -ENOMEM, "out of memory") : 0;
	case KEEPER_LAST:
		return m->a == s->n ? 1
				    : err_set(err, -EPROTO,
					      "the keeper gave %zu descriptors and speaks of %llu",
					      s->n, (unsigned long long)m->a);
	default:
		return err_set(err, -EPROTO, "the keeper said something strange (%u)", m->kind);
	}
}

static int receive(struct legacy *s, struct err *err)
{
	struct role_msg m;
	int fds[2] = {-1, -1};
	int n = 0;
	int r = role_recv(s->link_fd, &m, fds, &n, err);

	if (r == 0)
		return err_set(err, -EPROTO, "the keeper hung up");
	if (r < 0)
		return r;
	r = take(s, &m, &fds[0], err);
	for (int i = 0; i < n; i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
	return r;
}

static int fetch(struct legacy *s, struct err *err)
{
	uint64_t until_ns = clock_now_ns() + FETCH_S * NS_PER_S;

	for (;;) {
		struct pollfd p = {.fd = s->link_fd, .events = POLLIN};
		uint64_t now_ns = clock_now_ns();
		int r = receive(s, err);

		if (r != 0 && r != -EAGAIN)
			return r < 0 ? r : 0;
		if (now_ns >= until_ns)
			return err_set(err, -ETIMEDOUT,
				       "the keeper of the emperor before does not answer: end it "
				       "(keeper.pid), then the apps start anew");
		if (r == -EAGAIN)
			(void)poll(&p, 1, (int)((until_ns - now_ns) / NS_PER_MS) + 1);
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct stored *)a)->name, ((const struct stored *)b)->name);
}

int legacy_fetch(const char *dir, struct legacy **ret, struct err *err)
{
	struct legacy *s = calloc(1, sizeof(*s));
	int r;

	*ret = NULL;
	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	s->link_fd = -1;
	r = knock(dir, &s->link_fd, err);
	if (r == 0)
		r = fetch(s, err);
	if (r < 0) {
		legacy_free(s);
		return r == -ENOENT ? 0 : r;
	}
	if (s->n > 0)
		qsort(s->v, s->n, sizeof(*s->v), by_name);
	*ret = s;
	return 0;
}

int legacy_take_link(struct legacy *s)
{
	return TAKE_FD(s->link_fd);
}

int legacy_take(struct legacy *s, const char *name, struct stored *ret)
{
	struct stored key = {.name = (char *)(uintptr_t)name};
	struct stored *item =
		s && s->n > 0 ? bsearch(&key, s->v, s->n, sizeof(*s->v), by_name) : NULL;

	if (!item || item->fd < 0)
		return -1;
	if (ret)
		*ret = *item;
	return TAKE_FD(item->fd);
}

size_t legacy_count(const struct legacy *s)
{
	return s ? s->n : 0;
}

void legacy_each(const struct legacy *s, void (*fn)(void *arg, const struct stored *item),
		 void *arg)
{
	for (size_t i = 0; s && i < s->n; i++)
		if (s->v[i].fd >= 0)
			fn(arg, &s->v[i]);
}

void legacy_free(struct legacy *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		if (s->v[i].fd >= 0)
			(void)close(s->v[i].fd);
		free(s->v[i].name);
	}
	if (s->link_fd >= 0)
		(void)close(s->link_fd);
	free(s->v);
	free(s);
}
