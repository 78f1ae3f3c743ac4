/*
 * roles_link - what a role is told and what it answers. What it does not take yet waits in a bounded queue; one that lets
 * it fill, does not answer, or speaks another version is killed, and roles.c has the next one follow.
 */
#include "emperor/vassals/roles_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "shared/err.h"
#include "shared/fd.h"
#include "shared/log.h"

struct queued {
	struct queued *next;
	struct role_msg m;
	char *text; /* owned, or NULL */
	int fds[2]; /* owned duplicates */
	int nfds;
};

/* Whoever keeps our end of its link alive must hear that it is another, or none. */
static void tell_link(const struct role *role)
{
	const struct roles_setup *setup = &role->roles->setup;

	if (setup->link && role->id != ROLE_ID_KEEPER)
		setup->link(setup->arg, role->id, role->link_fd);
}

static void queued_free(struct queued *q)
{
	for (int i = 0; i < q->nfds; i++)
		(void)close(q->fds[i]);
	free(q->text);
	free(q);
}

static void drop_queue(struct role *role)
{
	while (role->first) {
		struct queued *q = role->first;

		role->first = q->next;
		queued_free(q);
	}
	role->last = &role->first;
	role->queued_n = 0;
}

void role_link_close(struct role *role)
{
	struct ev_loop *loop = role->roles->setup.loop;

	ev_io_stop(loop, &role->link_io);
	ev_io_stop(loop, &role->write_io);
	ev_io_stop(loop, &role->outcome_io);
	if (role->link_fd >= 0) {
		(void)close(TAKE_FD(role->link_fd));
		tell_link(role);
	}
	if (role->outcome_fd >= 0)
		(void)close(TAKE_FD(role->outcome_fd));
	drop_queue(role);
	ev_timer_stop(loop, &role->ping);
	ev_timer_stop(loop, &role->again);
	role->ready = false;
}

/* It does not listen as it should; its end brings the next one. */
static void give_up(struct role *role, const char *why)
{
	log_error("%s: %s: killed, a new one follows", role_facts[role->id].name, why);
	exits_signal(&role->exits, SIGKILL);
	role_link_close(role);
}

static bool is_full(int r)
{
	return r == -EAGAIN || r == -ETOOMANYREFS || r == -ENOBUFS;
}

/* Of one that has ended its exit tells. */
static void say_lost(const struct role *role, const struct role_msg *m, int r)
{
	if (r < 0 && r != -EPIPE && r != -ECONNRESET)
		log_error("%s: cannot be told (%u): %s", role_facts[role->id].name, m->kind,
			  strerror(-r));
}

static void flush(struct role *role)
{
	while (role->first) {
		struct queued *q = role->first;
		int r = role_send(role->link_fd, &q->m, q->text, q->fds, q->nfds);

		if (is_full(r))
			break;
		say_lost(role, &q->m, r);
		role->first = q->next;
		if (!role->first)
			role->last = &role->first;
		role->queued_n--;
		queued_free(q);
	}
	if (role->first)
		ev_io_start(role->roles->setup.loop, &role->write_io);
	else
		ev_io_stop(role->roles->setup.loop, &role->write_io);
}

static void on_writable(struct ev_loop *loop, ev_io *io, int revents)
{
	(void)loop;
	(void)revents;
	flush(container_of(io, struct role, write_io));
}

static bool enqueue(struct role *role, const struct role_msg *m, const char *text, const int *fds,
		    int nfds)
{
	struct queued *q;

	if (role->queued_n >= ROLES_QUEUE_MAX)
		return false;
	q = calloc(1, sizeof(*q));
	if (!q)
		return false;
	q->m = *m;
	q->text = text ? strdup(text) : NULL;
	for (int i = 0; i < nfds; i++) {
		int fd = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);

		if (fd < 0) {
			queued_free(q);
			return false;
		}
		q->fds[q->nfds++] = fd;
	}
	*role->last = q;
	role->last = &q->next;
	role->queued_n++;
	return true;
}

void roles_tell(struct roles *r, enum role_id id, const struct role_msg *m, const char *text,
		const int *fds, int nfds)
{
	struct role *role = &r->role[id];

	if (role->link_fd < 0)
		return;
	/* Whatever is told to it at once needs no descriptors of ours beside those that there are. */
	if (!role->first) {
		int sent = role_send(role->link_fd, m, text, fds, nfds);

		if (!is_full(sent)) {
			say_lost(role, m, sent);
			return;
		}
	}
	if (!enqueue(role, m, text, fds, nfds)) {
		give_up(role, "does not take what it is told");
		return;
	}
	flush(role);
}

static void take(struct role *role, const struct role_msg *m)
{
	role->unanswered = 0;
	if (m->kind == ROLE_PONG)
		return;
	if (m->kind == ROLE_AGAIN) {
		if (!ev_is_active(&role->again)) {
			ev_timer_set(&role->again, ROLES_AGAIN_S, 0);
			ev_timer_start(role->roles->setup.loop, &role->again);
		}
		return;
	}
	if (m->kind != ROLE_READY) {
		log_error("%s: said something that is not its to say (%u)",
			  role_facts[role->id].name, m->kind);
		return;
	}
	if (m->a != ROLE_VERSION) {
		give_up(role, "speaks another version");
		return;
	}
	role->ready = true;
	log_debug("%s: ready (pid %d)", role_facts[role->id].name, (int)role->pid);
}

static void on_link(struct ev_loop *loop, ev_io *io, int revents)
{
	struct role *role = container_of(io, struct role, link_io);
	struct role_msg m;
	struct err err = {0};
	int fds[2];
	int n;
	int r = 1;

	(void)revents;
	while (role->link_fd >= 0 && (r = role_recv(role->link_fd, &m, fds, &n, &err)) > 0) {
		for (int i = 0; i < n; i++)
			(void)close(fds[i]);
		take(role, &m);
	}
	if (role->link_fd < 0 || r == -EAGAIN)
		return;
	if (r == 0)
		ev_io_stop(loop, io); /* its exit follows */
	else if (r != -EBADMSG)
		give_up(role, strerror(-r));
	else
		log_error("%s: %s", role_facts[role->id].name, err.text);
}

static void on_again(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct role *role = container_of(timer, struct role, again);

	(void)loop;
	(void)revents;
	if (!role->stopping)
		role->roles->setup.fresh(role->roles->setup.arg, role->id);
}

static void on_ping(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct role *role = container_of(timer, struct role, ping);
	const struct role_msg m = {.kind = ROLE_PING};

	(void)revents;
	if (!role->ready)
		return;
	/* It may have answered while it was us who stood still. */
	if (role->unanswered >= ROLES_PING_MISSES)
		on_link(loop, &role->link_io, 0);
	if (role->unanswered >= ROLES_PING_MISSES) {
		give_up(role, "does not answer");
		return;
	}
	role->unanswered++;
	roles_tell(role->roles, role->id, &m, NULL, NULL, 0);
}

void role_link_init(struct role *role)
{
	role->link_fd = -1;
	role->last = &role->first;
	ev_init(&role->link_io, on_link);
	ev_init(&role->write_io, on_writable);
	ev_init(&role->ping, on_ping);
	ev_init(&role->again, on_again);
}

void role_link_watch(struct role *role)
{
	struct ev_loop *loop = role->roles->setup.loop;

	ev_io_set(&role->link_io, role->link_fd, EV_READ);
	ev_io_set(&role->write_io, role->link_fd, EV_WRITE);
	ev_io_start(loop, &role->link_io);
	role->started_ns = clock_now_ns();
	role->unanswered = 0;
	if (role->roles->setup.ping_s > 0) {
		role->ping.repeat = role->roles->setup.ping_s;
		ev_timer_again(loop, &role->ping);
	}
	tell_link(role);
}
