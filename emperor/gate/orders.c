/*
 * orders - what the emperor says (role.h) becomes the state of the gate's parts. Each message is a statement of how things
 * are; one that makes no sense is refused and said, and changes nothing.
 */
#include "emperor/gate/parts.h"

#include <errno.h>
#include <sys/mman.h>

#include "emperor/role.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/log.h"

#define LINK_BATCH       64
#define ROUTES_MAX_BYTES (sizeof(struct routes_head) + (size_t)ROUTES_MAX * sizeof(struct route))

/* Another emperor, or the first: what it does not name is not there any more. */
static int take_begin(struct gate *g, const struct role_msg *m, int *fds, struct err *err)
{
	(void)m;
	(void)fds;
	(void)err;
	doors_begin(g->doors);
	ports_begin(g->ports);
	standin_begin(g->standin);
	return 0;
}

static int take_end(struct gate *g, const struct role_msg *m, int *fds, struct err *err)
{
	(void)m;
	(void)fds;
	(void)err;
	ports_end(g->ports);
	standin_end(g->standin);
	doors_end(g->doors);
	return 0;
}

static int take_ping(struct gate *g, const struct role_msg *m, int *fds, struct err *err)
{
	const struct role_msg pong = {.kind = ROLE_PONG};

	(void)m;
	(void)fds;
	(void)err;
	(void)role_send(g->link_fd, &pong, NULL, NULL, 0);
	return 0;
}

static int take_port(struct gate *g, const struct role_msg *m, int *fds, struct err *err)
{
	int r = ports_set(g->ports, m->app, TAKE_FD(fds[0]), err);

	if (r == 0)
		log_info("listening on %s", m->text);
	return r;
}

static int take_trust(struct gate *g, const struct role_msg *m, int *fds, struct err *err)
{
	struct trust t = {0};
	int r = trust_add(&t, m->text, err);

	(void)fds;
	if (r == 0)
		g->trust = t;
	return r;
}

static int take_app(struct gate *g, const struct role_msg *m, int *fds, struct err *err)
{
	return doors_set_app(g->doors, m->app, m->a, m->text, TAKE_FD(fds[0]), TAKE_FD(fds[1]),
			     err);
}

static int take_app_gone(struct gate *g, const struct role_msg *m, int *fds, struct err *err)
{
	(void)fds;
	(void)err;
	doors_drop_app(g->doors, m->app);
	standin_drop_app(g->standin, m->app);
	return 0;
}

static unsigned retry_of(uint64_t seconds)
{
	return (unsigned)MIN(seconds, 86400U);
}

static int take_state(struct gate *g, const struct role_msg *m, int *fds, struct err *err)
{
	(void)fds;
	if (m->a != GATE_SERVING && m->a != GATE_DOWN)
		return err_set(err, -EBADMSG, "unknown state %llu of app %u",
			       (unsigned long long)m->a, m->app);
	if (!doors_set_state(g->doors, m->app, m->a == GATE_DOWN, retry_of(m->b)))
		return err_set(err, -ENOENT, "state of app %u, which is unknown", m->app);
	standin_set_retry(g->standin, m->app, retry_of(m->b));
	return 0;
}

static int take_listener(struct gate *g, const struct role_msg *m, int *fds, struct err *err)
{
	const struct standin_listener l = {
		.app = m->app,
		.number = m->b,
		.protocol = (enum gate_protocol)m->a,
		.retry_after_s = retry_of(m->c),
	};

	if (m->a >= GATE_PROTOCOL_COUNT)
		return err_set(err, -EBADMSG, "unknown protocol %llu of app %u",
			       (unsigned long long)m->a, m->app);
	return g->stopping ? 0 : standin_lend(g->standin, &l, TAKE_FD(fds[0]), err);
}

static int take_listener_gone(struct gate *g, const struct role_msg *m, int *fds, struct err *err)
{
	(void)fds;
	(void)err;
	/* It may have gone by itself: shut down by its owner. */
	(void)standin_take_back(g->standin, m->app, m->b);
	return 0;
}

static int take_routes(struct gate *g, const struct role_msg *m, int *fds, struct err *err)
{
	const void *data;
	struct routes *routes;
	size_t n;
	int r = fd_map_sealed(fds[0], ROUTES_MAX_BYTES, &data, &n, err);

	(void)m;
	if (r < 0)
		return r;
	r = routes_build(data, n, &routes, err);
	(void)munmap((void *)(uintptr_t)data, n);
	if (r < 0)
		return r;
	routes_free(g->routes);
	g->routes = routes;
	return 0;
}

static int take_stop(struct gate *g, const struct role_msg *m, int *fds, struct err *err)
{
	(void)fds;
	(void)err;
	gate_begin_stop(g, m->a == 1);
	return 0;
}

/* A handler takes a descriptor by putting -1 in its place. */
typedef int take_fn(struct gate *g, const struct role_msg *m, int *fds, struct err *err);

static take_fn *const takers[ROLE_KIND_COUNT] = {
	[GATE_PORT] = take_port,         [GATE_TRUST] = take_trust,
	[GATE_APP] = take_app,           [GATE_APP_GONE] = take_app_gone,
	[GATE_STATE] = take_state,       [GATE_ROUTES] = take_routes,
	[GATE_LISTENER] = take_listener, [GATE_LISTENER_GONE] = take_listener_gone,
	[ROLE_BEGIN] = take_begin,       [ROLE_END] = take_end,
	[ROLE_PING] = take_ping,         [GATE_STOP] = take_stop,
};

static void take(struct gate *g, const struct role_msg *m, int *fds, int nfds)
{
	struct err err = {0};

	if (!takers[m->kind])
		(void)err_set(&err, -EBADMSG, "a message of kind %u is not for the gate", m->kind);
	else
		(void)takers[m->kind](g, m, fds, &err);
	if (err.code)
		log_error("%s", err.text);
	for (int i = 0; i < nfds; i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
}

static void lose_emperor(struct gate *g)
{
	ev_io_stop(g->loop, &g->link_io);
	(void)close(TAKE_FD(g->link_fd));
	if (g->term_asked)
		gate_begin_stop(g, false);
	else if (!g->stopping)
		log_warning("the emperor is gone: serving on with what is known");
}

void gate_on_link(struct ev_loop *loop, ev_io *io, int revents)
{
	struct gate *g = container_of(io, struct gate, link_io);

	(void)loop;
	(void)revents;
	for (int i = 0; i < LINK_BATCH; i++) {
		struct role_msg m;
		struct err err = {0};
		int fds[2], nfds;
		int r = role_recv(g->link_fd, &m, fds, &nfds, &err);

		if (r == -EAGAIN)
			return;
		if (r == -EMFILE) {
			role_lose(g->link_fd, &g->lost);
		} else if (r == -EBADMSG) {
			log_error("%s", err.text);
		} else if (r <= 0) {
			lose_emperor(g);
			return;
		} else if (role_counts(&g->lost, &m)) {
			take(g, &m, fds, nfds);
		}
	}
}
