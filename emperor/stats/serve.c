/*
 * serve - see serve.h.
 *
 * Clients of apps' sockets together get at most three quarters of the places, and of one app's at most
 * APP_CONNS_MAX, so that nobody can keep an operator from the emperor's view. A listener without a place is not
 * read; its clients wait in the backlog.
 */
#include "emperor/stats/serve.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "emperor/stats/conn.h"
#include "emperor/stats/store.h"
#include "emperor/stats/view.h"
#include "shared/clock.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/json.h"
#include "shared/listen.h"

#define APP_CONNS_MAX  8
#define APPS_CONNS_MAX (LIMIT_STATS_CONNS * 3 / 4)
#define ACCEPT_TURN    16 /* accepts in one callback */
/* After a failed accept (descriptors, memory): level-triggered, it would spin. */
#define RESUME_S 1.
/* The memory of an answer above this is given back to the kernel, not kept by malloc. */
#define TRIM_BYTES ((size_t)64 * 1024)

struct listener {
	struct listener *next;
	struct serve *serve;
	ev_io io;
	unsigned conns_n;
	bool dropped;         /* closed, and only waiting for its last connection */
	char app[LIMIT_NAME]; /* "" = the emperor's view */
};

struct serve {
	struct ev_loop *loop;
	struct registry *registry; /* borrowed */
	struct store *store;       /* borrowed; NULL = no database */
	char *database;            /* its path */
	uint32_t emperor_pid;
	struct listener *listeners;
	struct conn *conns; /* also those that are closed and not yet freed */
	unsigned conns_n, app_conns_n;
	bool big_answer;
	void (*before_history)(void *arg);
	void *before_arg;
	ev_prepare sweep;
	ev_timer resume;
};

/* -- listeners ------------------------------------------------------------------------------------------ */

static bool has_place(const struct listener *l)
{
	const struct serve *s = l->serve;

	if (s->conns_n >= LIMIT_STATS_CONNS)
		return false;
	return !l->app[0] || (l->conns_n < APP_CONNS_MAX && s->app_conns_n < APPS_CONNS_MAX);
}

static void resume_listeners(struct serve *s)
{
	for (struct listener *l = s->listeners; l; l = l->next)
		if (!l->dropped && has_place(l))
			ev_io_start(s->loop, &l->io);
}

static void drop(struct listener *l)
{
	if (l->dropped)
		return;
	l->dropped = true;
	ev_io_stop(l->serve->loop, &l->io);
	(void)close(l->io.fd);
}

/* -- answers -------------------------------------------------------------------------------------------- */

static void send_json(struct conn *c, json_t *root)
{
	struct serve *s = c->owner;
	size_t n = 0;
	char *text = json_dump_text(root, true, &n);

	json_decref(root);
	s->big_answer = s->big_answer || n > TRIM_BYTES;
	conn_answer(c, 200, text, n);
}

static void answer_app(struct conn *c, const char *name)
{
	const struct serve *s = c->owner;
	const struct app *a = registry_find_name(s->registry, name);

	if (!a)
		conn_refuse(c, 404, "no such app");
	else
		send_json(c, view_app(a, clock_wall_ns(), clock_now_ns()));
}

static void answer_emperor(struct conn *c)
{
	const struct serve *s = c->owner;
	struct view_emperor e = {.pid = s->emperor_pid, .database = app_text(s->database)};
	struct store_status status;
	char path[32];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/proc/%u", e.pid);
	if (stat(path, &st) == 0) {
		e.uid = st.st_uid;
		e.gid = st.st_gid;
	}
	if (s->store) {
		store_read_status(s->store, &status);
		e.status = &status;
	}
	send_json(c, view_emperor(s->registry, &e, clock_wall_ns()));
}

static void on_answer(void *arg, char *text, size_t n, const struct err *err)
{
	struct conn *c = arg;
	struct serve *s = c->owner;

	c->query = NULL;
	s->big_answer = s->big_answer || n > TRIM_BYTES;
	if (text)
		conn_answer(c, 200, text, n);
	else
		conn_refuse(c, 503, err->text);
}

static void ask_store(struct conn *c, const struct request *r, const char *app)
{
	struct serve *s = c->owner;
	struct store_question q = {.what = STORE_EVENTS, .after_id = r->after_id, .n = r->n};
	struct store_query *query = NULL;
	struct err err = {0};

	if (!s->store) {
		conn_refuse(c, 503, "there is no database");
		return;
	}
	if (r->want == WANT_BLAME)
		q.what = STORE_BLAMES;
	if (r->want == WANT_INIS) {
		q.what = STORE_INIS;
		q.n = LIMIT_STATS_INIS;
		q.generation = r->generation;
	}
	if (r->want == WANT_HISTORY) {
		q.what = STORE_HISTORY;
		q.n = r->minutes;
		q.from_s = (int64_t)(clock_wall_ns() / NS_PER_S) - (int64_t)r->minutes * 60;
	}
	(void)snprintf(q.app, sizeof(q.app), "%s", app);
	if (s->before_history)
		s->before_history(s->before_arg);
	if (store_ask(s->store, &q, on_answer, c, &query, &err) < 0)
		conn_refuse(c, 503, err.text);
	else
		c->query = query;
}

static void on_request(struct conn *c, const struct request *r)
{
	static const struct request bare = {.want = WANT_ROOT};
	const struct listener *l = c->listener;
	const char *app;

	if (!r)
		r = &bare;
	/* An app's socket may be open to whom the app's owner likes: it shows nobody else's requests. */
	if (l->app[0] && r->app[0] && !str_eq(l->app, r->app)) {
		conn_refuse(c, 404, "no such app");
		return;
	}
	app = r->app[0] ? r->app : l->app;
	if ((r->want == WANT_HISTORY || r->want == WANT_INIS) && !app[0])
		conn_refuse(c, 400, "history is of one app: ?app=NAME");
	else if (r->want == WANT_INIS &&
		 l->app[0]) /* whoever may look there need not be the operator */
		conn_refuse(c, 404, "no such path");
	else if (r->want == WANT_INIS || r->want == WANT_EVENTS || r->want == WANT_HISTORY ||
		 r->want == WANT_BLAME)
		ask_store(c, r, app);
	else if (app[0])
		answer_app(c, app);
	else
		answer_emperor(c);
}

static void forget_query(struct conn *c)
{
	if (c->query)
		store_forget(c->query);
	c->query = NULL;
}

static void on_late(struct conn *c)
{
	forget_query(c);
	conn_refuse(c, 503, "the database did not answer in time");
}

static void on_closed(struct conn *c)
{
	struct serve *s = c->owner;
	struct listener *l = c->listener;

	forget_query(c);
	l->conns_n--;
	s->conns_n--;
	if (l->app[0])
		s->app_conns_n--;
	resume_listeners(s);
}

/* -- accepting ------------------------------------------------------------------------------------------ */

static void accept_one(struct listener *l, int fd)
{
	static const struct conn_events events = {on_request, on_late, on_closed};
	struct serve *s = l->serve;
	struct conn *c = conn_new(s->loop, fd, &events, s, l);

	if (!c)
		return;
	c->next = s->conns;
	s->conns = c;
	s->conns_n++;
	l->conns_n++;
	if (l->app[0])
		s->app_conns_n++;
}

static void on_listener(struct ev_loop *loop, ev_io *w, int revents)
{
	struct listener *l = container_of(w, struct listener, io);

	(void)revents;
	for (unsigned i = 0; i < ACCEPT_TURN && has_place(l); i++) {
		int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			accept_one(l, fd);
		} else if (errno == EAGAIN || errno == EINVAL) {
			if (listen_is_shut(w->fd))
				drop(l);
			return;
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
			   errno == ENOBUFS) {
			ev_io_stop(loop, w);
			ev_timer_again(loop, &l->serve->resume);
			return;
		}
	}
	if (!has_place(l))
		ev_io_stop(loop, w);
}

static void on_resume(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)revents;
	ev_timer_stop(loop, w);
	resume_listeners(container_of(w, struct serve, resume));
}

/* -- ends of turns -------------------------------------------------------------------------------------- */

static void sweep_conns(struct serve *s)
{
	for (struct conn **at = &s->conns; *at;) {
		struct conn *c = *at;

		if (c->phase != CONN_CLOSED) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		conn_free(c);
	}
}

static void sweep_listeners(struct serve *s)
{
	for (struct listener **at = &s->listeners; *at;) {
		struct listener *l = *at;

		if (!l->dropped || l->conns_n > 0) {
			at = &l->next;
			continue;
		}
		*at = l->next;
		free(l);
	}
}

static void on_sweep(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct serve *s = container_of(w, struct serve, sweep);

	(void)loop;
	(void)revents;
	sweep_conns(s);
	sweep_listeners(s);
	if (s->big_answer && !s->conns) {
		s->big_answer = false;
		(void)malloc_trim(0);
	}
}

/* -- public --------------------------------------------------------------------------------------------- */

int serve_new(struct serve **ret_serve, struct ev_loop *loop, struct registry *registry,
	      struct err *err)
{
	struct serve *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	s->loop = loop;
	s->registry = registry;
	ev_prepare_init(&s->sweep, on_sweep);
	ev_prepare_start(loop, &s->sweep);
	ev_timer_init(&s->resume, on_resume, 0., RESUME_S);
	*ret_serve = s;
	return 0;
}

void serve_set_emperor(struct serve *s, uint32_t pid)
{
	s->emperor_pid = pid;
}

void serve_before_history(struct serve *s, void (*fn)(void *arg), void *arg)
{
	s->before_history = fn;
	s->before_arg = arg;
}

void serve_set_store(struct serve *s, struct store *store, const char *path)
{
	for (struct conn *c = s->conns; c; c = c->next)
		if (c->query)
			on_late(c);
	s->store = store;
	app_set_text(&s->database, path);
}

void serve_free(struct serve *s)
{
	if (!s)
		return;
	for (struct conn *c = s->conns; c; c = c->next)
		conn_close(c);
	for (struct listener *l = s->listeners; l; l = l->next)
		drop(l);
	sweep_conns(s);
	sweep_listeners(s);
	ev_prepare_stop(s->loop, &s->sweep);
	ev_timer_stop(s->loop, &s->resume);
	free(s->database);
	free(s);
}

static bool same_socket(int a, int b)
{
	struct stat x;
	struct stat y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

static bool is_listening(int fd)
{
	int on = 0;
	socklen_t n = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &n) == 0 && on;
}

int serve_add_listener(struct serve *s, const char *app, int fd, struct err *err)
{
	_cleanup_(fd_closep) int taken = fd;
	struct listener *l;
	unsigned n = 0;

	if (strlen(app) >= LIMIT_NAME)
		return err_set(err, -EINVAL, "an app's name has at most %d bytes", LIMIT_NAME - 1);
	if (!is_listening(fd))
		return err_set(err, -ENOTSOCK, "the stats listener of \"%s\" does not listen", app);
	for (l = s->listeners; l; l = l->next) {
		n += !l->dropped;
		if (!l->dropped && str_eq(l->app, app) && same_socket(l->io.fd, fd))
			return 0;
	}
	if (n >= LIMIT_APPS)
		return err_set(err, -ENOSPC, "more than %d stats sockets", LIMIT_APPS);
	l = calloc(1, sizeof(*l));
	if (!l || fd_set_nonblock(fd, true) < 0) {
		free(l);
		return err_set(err, -ENOMEM, "stats listener of \"%s\": out of memory", app);
	}
	if (app[0])
		serve_drop_listeners(s, app);
	l->serve = s;
	(void)snprintf(l->app, sizeof(l->app), "%s", app);
	ev_io_init(&l->io, on_listener, TAKE_FD(taken), EV_READ);
	l->next = s->listeners;
	s->listeners = l;
	if (has_place(l))
		ev_io_start(s->loop, &l->io);
	return 0;
}

void serve_drop_listeners(struct serve *s, const char *app)
{
	for (struct listener *l = s->listeners; l; l = l->next)
		if (str_eq(l->app, app))
			drop(l);
}
