/*
 * stats - see stats.h. Receives what the emperor says (role.h), looks at the scoreboards once a second (one atomic
 * load for each app, so that a hundred idle apps cost nothing) and makes a row for each app once a minute. Files are the
 * store's business, clients serve's.
 *
 * When the emperor has gone (end of file on the link) what is in hand is stored and the role ends: a new emperor starts
 * its own.
 */
#include "emperor/stats/stats.h"

#include <errno.h>
#include <ev.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "emperor/app_state.h"
#include "emperor/role.h"
#include "emperor/stats/collect.h"
#include "emperor/stats/serve.h"
#include "emperor/stats/store.h"
#include "shared/clock.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/log.h"

#define POLL_S        1.
#define PRUNE_MINUTES 60
#define STOP_S        5  /* a disk that does not come back must not hold the emperor's end */
#define MESSAGE_TURN  64 /* messages in one callback; clients get their turn in between */

struct stats {
	struct ev_loop *loop;
	struct registry registry;
	struct store *store; /* NULL = no database */
	struct serve *serve;
	char *database;    /* path; "" is NULL */
	uint64_t minute_s; /* start of the minute that is running */
	unsigned minutes_n;
	ev_io link;
	bool lost; /* some of what the emperor said, since it began */
	ev_timer poll;
	ev_signal term;
};

static uint64_t wall_s(void)
{
	return clock_wall_ns() / NS_PER_S;
}

static uint64_t minute_of(uint64_t s)
{
	return s - s % 60;
}

/* -- records -------------------------------------------------------------------------------------------- */

static void on_event(void *arg, const struct record_event *e)
{
	struct stats *s = arg;

	if (s->store)
		store_add_event(s->store, e);
}

static void on_blame(void *arg, const struct record_blame *b)
{
	struct stats *s = arg;

	if (s->store)
		store_add_blame(s->store, b);
}

static void collect_rings(struct stats *s, struct app *a, uint64_t now_ns)
{
	collect_events(a, now_ns, on_event, s);
	collect_blames(a, now_ns, on_blame, on_event, s);
}

static void end_minute_of(struct stats *s, struct app *a, uint64_t now_s)
{
	struct record_minute m;

	if (collect_minute(a, s->minute_s, now_s, &m) && s->store)
		store_add_minute(s->store, &m);
}

static void end_minute(struct stats *s)
{
	uint64_t now_s = wall_s();

	for (size_t i = 0; i < s->registry.apps_n; i++)
		end_minute_of(s, s->registry.apps[i], now_s);
	s->minute_s = minute_of(now_s);
	if (s->store && s->minutes_n++ % PRUNE_MINUTES == 0)
		store_prune(s->store);
}

static void collect_all(void *arg)
{
	struct stats *s = arg;
	uint64_t now_ns = clock_wall_ns();

	for (size_t i = 0; i < s->registry.apps_n; i++)
		collect_rings(s, s->registry.apps[i], now_ns);
}

static void on_poll(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct stats *s = container_of(w, struct stats, poll);
	uint64_t now_ns = clock_wall_ns();

	(void)loop;
	(void)revents;
	collect_all(s);
	if (minute_of(now_ns / NS_PER_S) != s->minute_s)
		end_minute(s);
}

/* What is known of an app and not yet stored. */
static void finish_app(struct stats *s, struct app *a)
{
	collect_rings(s, a, clock_wall_ns());
	end_minute_of(s, a, wall_s());
}

/* -- messages ------------------------------------------------------------------------------------------- */

static void on_notice(void *arg, bool good, const char *text)
{
	(void)arg;
	if (good)
		log_info("history: %s", text);
	else
		log_warning("history: %s", text);
}

static int take_db(struct stats *s, const struct role_msg *m, int fd, struct err *err)
{
	struct store *store = NULL;
	int r = 0;

	(void)fd;
	serve_set_emperor(s->serve, (uint32_t)m->a);
	if (str_eq(app_text(s->database), m->text))
		return 0;
	if (m->text[0])
		r = store_new(&store, s->loop, m->text, on_notice, s, err);
	if (r < 0)
		return r;
	serve_set_store(s->serve, store, m->text);
	(void)store_free(s->store, STOP_S);
	s->store = store;
	app_set_text(&s->database, m->text);
	s->minutes_n = 0;
	/* Opens the file now, so that an operator reads at once what is wrong with it. */
	if (store)
		store_prune(store);
	return 0;
}

static int take_listener(struct stats *s, const struct role_msg *m, int fd, struct err *err)
{
	return serve_add_listener(s->serve, m->text, fd, err);
}

static int take_app(struct stats *s, const struct role_msg *m, int fd, struct err *err)
{
	struct app *a = registry_find(&s->registry, m->app);
	int r;

	if (a)
		finish_app(s, a);
	r = registry_add(&s->registry, m->app, m->text, fd, &a, err);
	(void)close(fd);
	if (r < 0)
		return r;
	a->unnamed = false;
	collect_begin(a, wall_s());
	return 0;
}

/* Another emperor, or the first: what it does not name is not there any more. */
static int take_all_begin(struct stats *s, const struct role_msg *m, int fd, struct err *err)
{
	(void)m;
	(void)fd;
	(void)err;
	for (size_t i = 0; i < s->registry.apps_n; i++)
		s->registry.apps[i]->unnamed = true;
	return 0;
}

static void forget(struct stats *s, struct app *a)
{
	finish_app(s, a);
	serve_drop_listeners(s->serve, a->name);
	registry_remove(&s->registry, a->id);
}

static int take_all_end(struct stats *s, const struct role_msg *m, int fd, struct err *err)
{
	(void)m;
	(void)fd;
	(void)err;
	for (size_t i = s->registry.apps_n; i-- > 0;)
		if (s->registry.apps[i]->unnamed)
			forget(s, s->registry.apps[i]);
	return 0;
}

static struct app *find_app(const struct stats *s, const struct role_msg *m, struct err *err)
{
	struct app *a = registry_find(&s->registry, m->app);

	if (!a)
		(void)err_set(err, -ENOENT,
			      "message %u is about an app (%u) that was not introduced", m->kind,
			      m->app);
	return a;
}

static int take_app_gone(struct stats *s, const struct role_msg *m, int fd, struct err *err)
{
	struct app *a = find_app(s, m, err);

	(void)fd;
	if (!a)
		return -ENOENT;
	forget(s, a);
	return 0;
}

static int take_state(struct stats *s, const struct role_msg *m, int fd, struct err *err)
{
	struct app *a = find_app(s, m, err);

	(void)fd;
	if (!a)
		return -ENOENT;
	if (m->a >= APP_STATE_COUNT)
		return err_set(err, -EINVAL, "%s: unknown state %" PRIu64, a->name, m->a);
	a->state = (unsigned)m->a;
	a->generation = m->b;
	a->pid = (uint32_t)m->c;
	a->since_wall_ns = m->d;
	a->uid = (uint32_t)(m->e >> 32);
	a->restarts = (uint32_t)m->e;
	if (a->first_run_wall_ns == 0 && a->pid > 0)
		a->first_run_wall_ns = m->d;
	app_set_text(&a->reason, m->text);
	return 0;
}

static int take_event(struct stats *s, const struct role_msg *m, int fd, struct err *err)
{
	struct app *a = m->app > 0 ? find_app(s, m, err) : NULL;
	const char *name = a ? a->name : RECORD_NO_APP;
	struct record_event e = {.wall_ns = m->d, .generation = m->b, .kind = (uint32_t)m->a};

	(void)fd;
	if (!a && m->app > 0)
		return -ENOENT;
	if (m->a == EVENT_NONE || m->a >= EVENT_KIND_COUNT)
		return err_set(err, -EINVAL, "%s: unknown event %" PRIu64, name, m->a);
	if (a && e.kind == EVENT_FAILED)
		app_set_text(&a->last_error, m->text);
	else if (a && (e.kind == EVENT_STARTED || e.kind == EVENT_RELOADED))
		app_set_text(&a->last_error, "");
	(void)snprintf(e.app, sizeof(e.app), "%s", name);
	(void)snprintf(e.text, sizeof(e.text), "%s", m->text);
	on_event(s, &e);
	return 0;
}

static int take_ini(struct stats *s, const struct role_msg *m, int ini_fd, struct err *err)
{
	_cleanup_(fd_closep) int fd = ini_fd;
	_cleanup_(freep) struct record_ini *record = NULL;
	const struct app *a = find_app(s, m, err);
	const void *bytes = NULL;
	size_t n = 0;
	int r;

	if (!a)
		return -ENOENT;
	if (!s->store)
		return 0;
	r = fd_map_sealed(fd, LIMIT_INI_SHOWN, &bytes, &n, err);
	if (r < 0)
		return r;
	record = calloc(1, sizeof(*record) + n);
	if (record) {
		record->wall_ns = m->d;
		record->generation = m->b;
		record->digest = m->a;
		record->n = n;
		(void)snprintf(record->app, sizeof(record->app), "%s", a->name);
		(void)snprintf(record->release, sizeof(record->release), "%s", m->text);
		memcpy(record->bytes, bytes, n);
		store_add_ini(s->store, record);
	}
	(void)munmap((void *)(uintptr_t)bytes, n);
	return record ? 0 : err_set(err, -ENOMEM, "%s: out of memory", a->name);
}

static int take_ping(struct stats *s, const struct role_msg *m, int fd, struct err *err)
{
	const struct role_msg pong = {.kind = ROLE_PONG};

	(void)m;
	(void)fd;
	(void)err;
	(void)role_send(s->link.fd, &pong, NULL, NULL, 0);
	return 0;
}

static int take_stop(struct stats *s, const struct role_msg *m, int fd, struct err *err)
{
	(void)m;
	(void)fd;
	(void)err;
	ev_break(s->loop, EVBREAK_ALL);
	return 0;
}

/* Each takes fd, if its kind has one. */
typedef int take_fn(struct stats *s, const struct role_msg *m, int fd, struct err *err);

static const struct {
	take_fn *fn;
	int nfds;
} takers[ROLE_KIND_COUNT] = {
	[STATS_DB] = {take_db, 0},          [STATS_LISTENER] = {take_listener, 1},
	[STATS_APP] = {take_app, 1},        [STATS_APP_GONE] = {take_app_gone, 0},
	[STATS_STATE] = {take_state, 0},    [STATS_EVENT] = {take_event, 0},
	[ROLE_BEGIN] = {take_all_begin, 0}, [ROLE_END] = {take_all_end, 0},
	[ROLE_PING] = {take_ping, 0},       [STATS_STOP] = {take_stop, 0},
	[STATS_INI] = {take_ini, 1},
};

static void take(struct stats *s, const struct role_msg *m, int fds[2], int nfds)
{
	struct err err = {0};

	if (m->kind >= ROLE_KIND_COUNT || !takers[m->kind].fn || takers[m->kind].nfds != nfds) {
		for (int i = 0; i < nfds; i++)
			(void)close(fds[i]);
		log_error("refused message %u with %d descriptors from the emperor", m->kind, nfds);
		return;
	}
	if (takers[m->kind].fn(s, m, nfds > 0 ? fds[0] : -1, &err) < 0)
		log_error("%s", err.text);
}

static void on_link(struct ev_loop *loop, ev_io *w, int revents)
{
	struct stats *s = container_of(w, struct stats, link);

	(void)revents;
	for (unsigned i = 0; i < MESSAGE_TURN; i++) {
		struct role_msg m;
		struct err err = {0};
		int fds[2];
		int nfds = 0;
		int r = role_recv(w->fd, &m, fds, &nfds, &err);

		if (r == -EAGAIN)
			return;
		if (r == -EMFILE) {
			role_lose(w->fd, &s->lost);
			continue;
		}
		if (r == -EBADMSG) {
			log_error("%s", err.text);
			continue;
		}
		if (r <= 0) {
			log_info("the emperor has gone");
			ev_io_stop(loop, w);
			ev_break(loop, EVBREAK_ALL);
			return;
		}
		if (role_counts(&s->lost, &m))
			take(s, &m, fds, nfds);
	}
}

/* -- the role ------------------------------------------------------------------------------------------- */

/* A service manager that signals the whole group: what is in hand is stored all the same. */
static void on_term(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

static int start(struct stats *s, int link_fd, struct err *err)
{
	const struct role_msg ready = {.kind = ROLE_READY, .a = ROLE_VERSION};
	int r = fd_set_nonblock(link_fd, true);

	if (r < 0)
		return err_set(err, r, "link: %s", strerror(-r));
	s->loop = ev_loop_new(EVFLAG_AUTO);
	if (!s->loop)
		return err_set(err, -ENOMEM, "cannot make an event loop");
	r = serve_new(&s->serve, s->loop, &s->registry, err);
	if (r < 0)
		return r;
	serve_before_history(s->serve, collect_all, s);
	s->minute_s = minute_of(wall_s());
	ev_io_init(&s->link, on_link, link_fd, EV_READ);
	ev_io_start(s->loop, &s->link);
	ev_timer_init(&s->poll, on_poll, POLL_S, POLL_S);
	ev_timer_start(s->loop, &s->poll);
	ev_signal_init(&s->term, on_term, SIGTERM);
	ev_signal_start(s->loop, &s->term);
	r = role_send(link_fd, &ready, NULL, NULL, 0);
	return r < 0 ? err_set(err, r, "link: %s", strerror(-r)) : 0;
}

static void finish(struct stats *s)
{
	bool ended;

	for (size_t i = 0; i < s->registry.apps_n; i++)
		finish_app(s, s->registry.apps[i]);
	if (s->serve)
		serve_set_store(s->serve, NULL, "");
	serve_free(s->serve);
	ended = store_free(s->store, STOP_S);
	registry_done(&s->registry);
	free(s->database);
	if (!s->loop)
		return;
	ev_io_stop(s->loop, &s->link);
	ev_timer_stop(s->loop, &s->poll);
	ev_signal_stop(s->loop, &s->term);
	if (ended)
		ev_loop_destroy(s->loop);
}

int stats_run(int link_fd)
{
	struct stats s = {0};
	struct err err = {0};
	int r;

	/* Another process of this user could take every scoreboard and the database out of ours (ptrace, pidfd_getfd). */
	(void)prctl(PR_SET_DUMPABLE, 0);
	/* A file that may not grow (RLIMIT_FSIZE) is a failed write to be counted, not the end of the process. */
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	/* Events name request targets, which may hold what is nobody else's business. */
	(void)umask(0027);
	/* The role has 2 MB: one heap for both threads, and nothing kept that was given back. */
	(void)mallopt(M_ARENA_MAX, 1);
	(void)mallopt(M_TRIM_THRESHOLD, 128 * 1024);
	r = start(&s, link_fd, &err);
	if (r == 0)
		ev_run(s.loop, 0);
	else
		log_error("%s", err.text);
	finish(&s);
	return r == 0 ? 0 : 1;
}
