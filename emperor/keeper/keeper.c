/*
 * keeper - see keeper.h. A table of names and descriptors, and a loop around poll(): there is nothing else to do.
 *
 * An emperor that ends says so (KEEPER_STOP). One that is just gone was killed: then whoever connects to the listener and
 * has our own uid is the next one, is given everything, and has the link from there on. TERM while there is an emperor
 * is not for us (a service manager signals everybody at once, and the emperor still needs us if it is killed meanwhile);
 * it counts once there is none.
 */
#include "emperor/keeper/keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include "emperor/role.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/log.h"
#include "shared/proctitle.h"

#define SLOTS       4096 /* chains of two at 1,000 apps */
#define PATIENCE_MS 5000 /* an emperor that does not take what it asked for is none */

struct item {
	struct item *next; /* in its slot */
	bool named;        /* since ROLE_BEGIN */
	int fd;            /* owned */
	uint64_t a, b, c, d, e;
	char name[];
};

struct keeper {
	int link_fd;   /* owned; -1: there is no emperor */
	int listen_fd; /* owned; -1: none yet */
	int signal_fd; /* owned */
	bool term_asked, ended;
	bool lost; /* some of what the emperor said, since it began */
	size_t n;
	struct item *slots[SLOTS];
};

static size_t slot_of(const char *name)
{
	uint32_t h = 2166136261U; /* FNV-1a */

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 16777619U;
	return h % SLOTS;
}

static struct item **find(struct keeper *k, const char *name)
{
	struct item **at = &k->slots[slot_of(name)];

	while (*at && !str_eq((*at)->name, name))
		at = &(*at)->next;
	return at;
}

static void remove_at(struct keeper *k, struct item **at)
{
	struct item *item = *at;

	*at = item->next;
	k->n--;
	(void)close(item->fd);
	free(item);
}

static int keep(struct keeper *k, const struct role_msg *m, int *fd, struct err *err)
{
	struct item **at = find(k, m->text);
	struct item *item = *at;
	size_t n = strlen(m->text) + 1;

	if (!item) {
		item = k->n < KEEPER_NAMES ? malloc(sizeof(*item) + n) : NULL;
		if (!item)
			return err_set(err, -ENOMEM, "%s: no room for it", m->text);
		*item = (struct item){.fd = -1};
		memcpy(item->name, m->text, n);
		*at = item;
		k->n++;
	} else {
		(void)close(item->fd);
	}
	item->fd = TAKE_FD(*fd);
	item->named = true;
	item->a = m->a;
	item->b = m->b;
	item->c = m->c;
	item->d = m->d;
	item->e = m->e;
	return 0;
}

static void begin(struct keeper *k)
{
	for (size_t i = 0; i < SLOTS; i++)
		for (struct item *item = k->slots[i]; item; item = item->next)
			item->named = false;
}

static void end(struct keeper *k)
{
	for (size_t i = 0; i < SLOTS; i++)
		for (struct item **at = &k->slots[i]; *at;)
			if ((*at)->named)
				at = &(*at)->next;
			else
				remove_at(k, at);
}

static void take(struct keeper *k, const struct role_msg *m, int *fd)
{
	const struct role_msg pong = {.kind = ROLE_PONG};
	struct err err = {0};
	struct item **at;

	switch (m->kind) {
	case ROLE_BEGIN:
		begin(k);
		break;
	case ROLE_END:
		end(k);
		break;
	case ROLE_PING:
		(void)role_send(k->link_fd, &pong, NULL, NULL, 0);
		break;
	case KEEPER_LISTENER:
		if (k->listen_fd >= 0)
			(void)close(k->listen_fd);
		k->listen_fd = TAKE_FD(*fd);
		break;
	case KEEPER_KEEP:
		if (keep(k, m, fd, &err) < 0)
			log_error("%s", err.text);
		break;
	case KEEPER_DROP:
		at = find(k, m->text);
		if (*at)
			remove_at(k, at);
		break;
	case KEEPER_STOP:
		k->ended = true;
		break;
	default:
		log_error("a message of kind %u is not for the keeper", m->kind);
	}
}

static void lose_emperor(struct keeper *k)
{
	(void)close(TAKE_FD(k->link_fd));
	if (k->ended)
		return;
	k->ended = k->term_asked || k->listen_fd < 0;
	log_warning("the emperor is gone: its %zu descriptors wait for the next one", k->n);
}

static void hear(struct keeper *k)
{
	while (k->link_fd >= 0 && !k->ended) {
		struct role_msg m;
		struct err err = {0};
		int fds[2] = {-1, -1};
		int n = 0;
		int r = role_recv(k->link_fd, &m, fds, &n, &err);

		if (r == -EAGAIN)
			return;
		if (r == -EMFILE) {
			role_lose(k->link_fd, &k->lost);
			continue;
		}
		if (r == -EBADMSG) {
			log_error("%s", err.text);
			continue;
		}
		if (r <= 0) {
			lose_emperor(k);
			return;
		}
		if (role_counts(&k->lost, &m))
			take(k, &m, &fds[0]);
		for (int i = 0; i < n; i++)
			if (fds[i] >= 0)
				(void)close(fds[i]);
	}
}

/* It waits for nothing but this. */
static int send_patiently(int fd, const struct role_msg *m, const char *text, const int *fds,
			  int nfds)
{
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		int r = role_send(fd, m, text, fds, nfds);

		if (r != -EAGAIN)
			return r;
		if (poll(&p, 1, PATIENCE_MS) <= 0)
			return -ETIMEDOUT;
	}
}

static int send_item(int fd, const struct item *item)
{
	const struct role_msg m = {
		.kind = KEEPER_ITEM,
		.a = item->a,
		.b = item->b,
		.c = item->c,
		.d = item->d,
		.e = item->e,
	};

	return send_patiently(fd, &m, item->name, &item->fd, 1);
}

static int give_all(const struct keeper *k, int fd)
{
	const struct role_msg ready = {.kind = ROLE_READY, .a = ROLE_VERSION};
	const struct role_msg last = {.kind = KEEPER_LAST, .a = k->n};
	int r = send_patiently(fd, &ready, NULL, NULL, 0);

	for (size_t i = 0; i < SLOTS && r == 0; i++)
		for (const struct item *item = k->slots[i]; item && r == 0; item = item->next)
			r = send_item(fd, item);
	return r == 0 ? send_patiently(fd, &last, NULL, NULL, 0) : r;
}

static bool is_ours(int fd)
{
	struct ucred cred;
	socklen_t n = sizeof(cred);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) == 0 && cred.uid == geteuid();
}

static void open_up(struct keeper *k)
{
	int fd = accept4(k->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int r;

	if (fd < 0)
		return;
	/* Two at once cannot be: an emperor has the lock of its run directory first. */
	if (!is_ours(fd) || k->link_fd >= 0) {
		log_warning("somebody knocked who is not the next emperor: refused");
		(void)close(fd);
		return;
	}
	r = give_all(k, fd);
	if (r < 0) {
		log_warning("an emperor asked for its descriptors and went away: %s", strerror(-r));
		(void)close(fd);
		return;
	}
	log_info("another emperor has its %zu descriptors", k->n);
	k->term_asked = false;
	k->link_fd = fd;
}

static void hear_signal(struct keeper *k)
{
	struct signalfd_siginfo si;

	while (read(k->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
		k->term_asked = true;
	if (k->link_fd < 0)
		k->ended = true;
}

static void loop(struct keeper *k)
{
	while (!k->ended) {
		/* A negative descriptor is left out: who knocks waits until the emperor before is gone. */
		struct pollfd p[] = {
			{.fd = k->link_fd, .events = POLLIN},
			{.fd = k->link_fd < 0 ? k->listen_fd : -1, .events = POLLIN},
			{.fd = k->signal_fd, .events = POLLIN},
		};

		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			return;
		if (p[0].revents)
			hear(k);
		if (p[2].revents)
			hear_signal(k);
		if (p[1].revents && k->link_fd < 0 && !k->ended)
			open_up(k);
	}
}

static int open_signals(struct keeper *k)
{
	sigset_t set;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	k->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return k->signal_fd < 0 ? -errno : 0;
}

static int run(struct keeper *k)
{
	const struct role_msg ready = {.kind = ROLE_READY, .a = ROLE_VERSION};
	int r = open_signals(k);

	/* One that is killed while we start has told us something already, for the next one. */
	if (r == 0)
		r = role_send(k->link_fd, &ready, NULL, NULL, 0);
	if (r < 0 && r != -EPIPE) {
		log_error("cannot start: %s", strerror(-r));
		return EXIT_FAILURE;
	}
	loop(k);
	return EXIT_SUCCESS;
}

static void raise_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return;
	r.rlim_cur = r.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &r);
}

int keeper_run(int link_fd)
{
	struct keeper *k = calloc(1, sizeof(*k));
	int code;

	if (!k)
		return EXIT_FAILURE;
	/* Whoever could look into this process would have every app's doors. */
	(void)prctl(PR_SET_DUMPABLE, 0);
	raise_limit();
	(void)fd_set_nonblock(link_fd, true);
	(void)fd_set_cloexec(link_fd, true);
	k->link_fd = link_fd;
	k->listen_fd = -1;
	code = run(k);
	begin(k);
	end(k);
	free(k);
	log_flush(1000);
	return code;
}
