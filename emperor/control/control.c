/*
 * control - see control.h.
 *
 * A client's life: accepted, its credentials checked, one line read (LIMIT_CONTROL_LINE, CONTROL_LINE_S), answered at
 * once or when its outcome is known (CONTROL_WAIT_S), written (CONTROL_LINE_S), closed. One timer per client bounds
 * each of these; clients are few. Nothing here waits: an answer that does not fit the socket is kept and written on.
 *
 * The outcome of reload, start and stop comes from the observer, which may run inside the very call that gives the
 * command: a client only notes it there and never goes away before the loop calls again.
 */
#include "emperor/control/control.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "emperor/control/command.h"
#include "emperor/control/report.h"
#include "emperor/vassals/vassals.h"
#include "shared/clock.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/json.h"
#include "shared/scoreboard.h"

#define CONTROL_LINE_S 10.0  /* a program writes its line at once, and reads its answer */
#define CONTROL_WAIT_S 600.0 /* the slowest start that an operator will watch */

enum outcome { PENDING, DONE, FAILED };

struct wait { /* for one app */
	uint32_t id;
	enum outcome outcome;
	uint64_t generation; /* before the command */
	char name[LIMIT_NAME];
	char *text; /* owned: why it failed; NULL */
};

struct conn {
	TAILQ_ENTRY(conn) link;
	struct control *control;
	int fd;
	ev_io io;
	ev_timer timer;
	size_t in_n;
	char in[LIMIT_CONTROL_LINE];
	char *out; /* owned; NULL until the answer is known */
	size_t out_n, out_at;
	int pass_fd; /* beside the first byte of the answer; owned; -1 */
	enum command_verb verb;
	bool calling;       /* inside the call that gives the command */
	struct wait *waits; /* owned */
	size_t waits_n;
};

struct control {
	struct ev_loop *loop;
	struct vassals *vassals; /* borrowed */
	struct control_facts facts;
	int listen_fd; /* borrowed */
	ev_io accept_io;
	ev_timer pause; /* out of descriptors: not again before it rings */
	size_t conns_n;
	TAILQ_HEAD(conn_list, conn) conns;
};

/* -- clients -------------------------------------------------------------------------------------------- */

static void conn_free(struct conn *c)
{
	struct control *control = c->control;

	TAILQ_REMOVE(&control->conns, c, link);
	ev_io_stop(control->loop, &c->io);
	ev_timer_stop(control->loop, &c->timer);
	(void)close(c->fd);
	if (c->pass_fd >= 0)
		(void)close(c->pass_fd);
	for (size_t i = 0; i < c->waits_n; i++)
		free(c->waits[i].text);
	free(c->waits);
	free(c->out);
	free(c);
	control->conns_n--;
	ev_io_start(control->loop, &control->accept_io);
}

static void rearm(struct conn *c, double seconds)
{
	c->timer.repeat = seconds;
	ev_timer_again(c->control->loop, &c->timer);
}

static void watch(struct conn *c, int events)
{
	ev_io_stop(c->control->loop, &c->io);
	ev_io_set(&c->io, c->fd, events);
	ev_io_start(c->control->loop, &c->io);
}

/* The answer is known; the loop writes it. Takes root, which may be NULL (no memory). */
static void reply(struct conn *c, json_t *root)
{
	static const char broke[] = "{\"ok\":false,\"error\":\"out of memory\"}\n";

	c->out = root ? json_dump_text(root, false, &c->out_n) : NULL;
	json_decref(root);
	if (!c->out) {
		c->out = strdup(broke);
		c->out_n = c->out ? strlen(c->out) : 0;
	}
	rearm(c, CONTROL_LINE_S);
	watch(c, EV_WRITE);
}

static json_t *make_reply(bool ok)
{
	json_t *root = json_object();

	if (root)
		json_put(root, "ok", json_boolean(ok));
	return root;
}

static void reply_error(struct conn *c, const char *text)
{
	json_t *root = make_reply(false);

	if (root)
		json_put_text(root, "error", text);
	reply(c, root);
}

/* -- commands that wait --------------------------------------------------------------------------------- */

static enum outcome judge(enum command_verb verb, const struct wait *w, const struct app_info *info,
			  bool gone, unsigned event_kind)
{
	if (verb == COMMAND_STOP)
		return gone || info->state == APP_STOPPED ? DONE : PENDING;
	if (gone || event_kind == EVENT_FAILED || info->state == APP_BACKOFF ||
	    info->state == APP_STOPPED)
		return FAILED;
	if (info->state == APP_SLEEPING && verb == COMMAND_START)
		return DONE;
	return info->state == APP_RUNNING && info->generation > w->generation ? DONE : PENDING;
}

static const char *why_failed(const struct app_info *info, bool gone, const char *event_text)
{
	if (gone)
		return "the app is gone";
	if (info->last_error && info->last_error[0])
		return info->last_error;
	if (event_text && event_text[0])
		return event_text;
	return info->reason && info->reason[0] ? info->reason : "no reason is known";
}

static void reply_outcome(struct conn *c)
{
	json_t *root, *apps = json_array();
	bool ok = true;

	for (size_t i = 0; i < c->waits_n; i++) {
		json_t *app = make_reply(c->waits[i].outcome == DONE);

		ok = ok && c->waits[i].outcome == DONE;
		if (app) {
			json_put_text(app, "name", c->waits[i].name);
			if (c->waits[i].outcome == FAILED)
				json_put_text(app, "error",
					      c->waits[i].text ? c->waits[i].text : "failed");
			if (c->waits[i].outcome == PENDING)
				json_put_text(app, "error", "no outcome yet; still trying");
		}
		(void)json_array_append_new(apps, app);
	}
	root = make_reply(ok);
	if (root)
		json_put(root, "apps", apps);
	else
		json_decref(apps);
	reply(c, root);
}

static void finish_if_known(struct conn *c)
{
	if (c->out || c->calling)
		return;
	for (size_t i = 0; i < c->waits_n; i++)
		if (c->waits[i].outcome == PENDING)
			return;
	reply_outcome(c);
}

static void on_change(void *arg, const struct app_info *info, bool gone, unsigned event_kind,
		      const char *event_text)
{
	struct control *control = arg;
	struct conn *c;

	TAILQ_FOREACH(c, &control->conns, link)
	{
		bool changed = false;

		for (size_t i = 0; i < c->waits_n && !c->out; i++) {
			struct wait *w = &c->waits[i];

			if (w->id != info->id || w->outcome != PENDING)
				continue;
			w->outcome = judge(c->verb, w, info, gone, event_kind);
			changed = w->outcome != PENDING;
			if (w->outcome == FAILED)
				w->text = strdup(why_failed(info, gone, event_text));
		}
		if (changed)
			finish_if_known(c);
	}
}

static void add_wait(void *arg, const struct app_info *info)
{
	struct conn *c = arg;
	struct wait *w;

	if (c->waits_n == LIMIT_APPS)
		return;
	if (info->state == APP_STOPPED && c->verb == COMMAND_RELOAD)
		return; /* stopped by command: a reload of all leaves it so */
	w = reallocarray(c->waits, c->waits_n + 1, sizeof(*w));
	if (!w)
		return;
	c->waits = w;
	w += c->waits_n++;
	*w = (struct wait){.id = info->id, .generation = info->generation};
	(void)snprintf(w->name, sizeof(w->name), "%s", info->name);
}

static int give_command(struct control *control, const struct command *cmd, struct err *err)
{
	const char *name = cmd->all ? NULL : cmd->app;

	switch (cmd->verb) {
	case COMMAND_RELOAD:
		return vassals_reload(control->vassals, name, err);
	case COMMAND_START:
		return vassals_start(control->vassals, name, err);
	default:
		return vassals_stop(control->vassals, name, err);
	}
}

/* An app that is already as wished will not change again: "start" of one that runs, "stop" of one that stands. */
static void judge_now(struct conn *c)
{
	for (size_t i = 0; i < c->waits_n; i++) {
		struct app_info info;
		struct wait *w = &c->waits[i];

		if (w->outcome != PENDING)
			continue;
		if (!vassals_find(c->control->vassals, w->name, &info))
			w->outcome = c->verb == COMMAND_STOP ? DONE : FAILED;
		else if (c->verb == COMMAND_START && info.state == APP_RUNNING)
			w->outcome = DONE;
		else if (c->verb == COMMAND_STOP && info.state == APP_STOPPED)
			w->outcome = DONE;
	}
}

static void run_and_wait(struct conn *c, const struct command *cmd)
{
	struct vassals *vassals = c->control->vassals;
	struct app_info info;
	struct err err = {0};
	int r;

	c->verb = cmd->verb;
	if (!cmd->no_wait && cmd->all)
		vassals_visit(vassals, add_wait, c);
	else if (!cmd->no_wait && vassals_find(vassals, cmd->app, &info))
		add_wait(c, &info);
	c->calling = true; /* the observer may already hear of it */
	r = give_command(c->control, cmd, &err);
	c->calling = false;
	if (r < 0) {
		reply_error(c, err.text[0] ? err.text : strerror(-r));
		return;
	}
	judge_now(c);
	rearm(c, CONTROL_WAIT_S);
	watch(c, EV_READ); /* the client may leave */
	finish_if_known(c);
}

/* -- commands that answer at once ----------------------------------------------------------------------- */

static void add_report(void *arg, const struct app_info *info)
{
	(void)json_array_append_new(arg, report_app(info, NULL));
}

static bool find_app(struct conn *c, const char *name, struct app_info *ret)
{
	char text[LIMIT_NAME + 64];

	if (vassals_find(c->control->vassals, name, ret))
		return true;
	(void)snprintf(text, sizeof(text), "%s: there is no such app", name);
	reply_error(c, text);
	return false;
}

static void run_status(struct conn *c, const struct command *cmd)
{
	struct vassals *vassals = c->control->vassals;
	struct app_info info;
	json_t *root, *apps;

	if (cmd->app[0] && !find_app(c, cmd->app, &info))
		return;
	root = make_reply(true);
	apps = json_array();
	if (cmd->app[0])
		(void)json_array_append_new(apps,
					    report_app(&info, vassals_notes(vassals, cmd->app)));
	else
		vassals_visit(vassals, add_report, apps);
	if (root)
		json_put(root, "apps", apps);
	else
		json_decref(apps);
	reply(c, root);
}

static void run_reopen(struct conn *c, const struct command *cmd)
{
	struct err err = {0};
	int r = vassals_reopen_logs(c->control->vassals, cmd->app[0] ? cmd->app : NULL, &err);

	if (r < 0)
		reply_error(c, err.text[0] ? err.text : strerror(-r));
	else
		reply(c, make_reply(true));
}

static void run_board(struct conn *c, const struct command *cmd)
{
	struct app_info info;
	json_t *root;

	if (!find_app(c, cmd->app, &info))
		return;
	if (info.board_fd >= 0)
		c->pass_fd = fcntl(info.board_fd, F_DUPFD_CLOEXEC, 0);
	if (c->pass_fd < 0) {
		reply_error(c, "the app has no scoreboard: it has never run");
		return;
	}
	root = make_reply(true);
	if (root)
		json_put_u64(root, "generation", info.generation);
	reply(c, root);
}

static void run_version(struct conn *c, const struct command *cmd)
{
	json_t *root = make_reply(true);

	(void)cmd;
	if (root) {
		json_put_text(root, "version", EMPEROR_VERSION);
		json_put_u64(root, "pid", (uint64_t)getpid());
	}
	reply(c, root);
}

static void run_where(struct conn *c, const struct command *cmd)
{
	const struct control_facts *f = &c->control->facts;
	json_t *root = make_reply(true);

	(void)cmd;
	if (root) {
		json_put_text(root, "run_dir", f->run_dir ? f->run_dir : "");
		json_put_text(root, "db", f->db ? f->db : "");
		json_put_text(root, "stats_socket", f->stats_socket ? f->stats_socket : "");
	}
	reply(c, root);
}

static void (*const runners[COMMAND_COUNT])(struct conn *c, const struct command *cmd) = {
	[COMMAND_STATUS] = run_status,   [COMMAND_RELOAD] = run_and_wait,
	[COMMAND_START] = run_and_wait,  [COMMAND_STOP] = run_and_wait,
	[COMMAND_REOPEN] = run_reopen,   [COMMAND_BOARD] = run_board,
	[COMMAND_VERSION] = run_version, [COMMAND_WHERE] = run_where,
};

/* -- input and output ----------------------------------------------------------------------------------- */

static void run_line(struct conn *c, struct span line)
{
	struct command cmd;
	struct err err = {0};

	if (command_parse(line, &cmd, &err) < 0)
		reply_error(c, err.text);
	else
		runners[cmd.verb](c, &cmd);
}

static void read_line(struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->in_n, sizeof(c->in) - c->in_n, MSG_DONTWAIT);
	const char *end;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_free(c);
		return;
	}
	c->in_n += (size_t)n;
	end = memchr(c->in, '\n', c->in_n);
	if (end)
		run_line(c, span_of(c->in, (size_t)(end - c->in)));
	else if (c->in_n == sizeof(c->in))
		reply_error(c, "the line is too long");
}

/* While an outcome is awaited: is the client still there? What it says is of no matter. */
static void read_on(struct conn *c)
{
	char dropped[256];
	ssize_t n = recv(c->fd, dropped, sizeof(dropped), MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		conn_free(c);
}

static void write_reply(struct conn *c)
{
	struct iovec iov = {c->out + c->out_at, c->out_n - c->out_at};
	ssize_t n = fd_send(c->fd, &iov, 1, &c->pass_fd, c->pass_fd >= 0 ? 1 : 0);

	if (n == -EAGAIN || n == -ETOOMANYREFS)
		return;
	if (n > 0 && c->pass_fd >= 0)
		(void)close(TAKE_FD(c->pass_fd));
	c->out_at += n > 0 ? (size_t)n : 0;
	if (n <= 0 || c->out_at == c->out_n)
		conn_free(c);
}

static void on_ready(struct ev_loop *loop, ev_io *io, int revents)
{
	struct conn *c = container_of(io, struct conn, io);

	(void)loop;
	(void)revents;
	if (c->out)
		write_reply(c);
	else if (c->waits_n > 0)
		read_on(c);
	else
		read_line(c);
}

static void on_late(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct conn *c = container_of(timer, struct conn, timer);

	(void)loop;
	(void)revents;
	if (!c->out && c->waits_n > 0)
		reply_outcome(c);
	else
		conn_free(c);
}

static bool may_command(int fd)
{
	struct ucred cred;
	socklen_t n = sizeof(cred);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) == 0 &&
	       (cred.uid == 0 || cred.uid == geteuid());
}

static void add_conn(struct control *control, int fd)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c) {
		(void)close(fd);
		return;
	}
	c->control = control;
	c->fd = fd;
	c->pass_fd = -1;
	TAILQ_INSERT_TAIL(&control->conns, c, link);
	control->conns_n++;
	ev_init(&c->timer, on_late);
	ev_io_init(&c->io, on_ready, fd, EV_READ);
	rearm(c, CONTROL_LINE_S);
	if (may_command(fd))
		ev_io_start(control->loop, &c->io);
	else
		reply_error(c, "only root and the emperor's own user may do this");
}

static void on_accept(struct ev_loop *loop, ev_io *io, int revents)
{
	struct control *control = container_of(io, struct control, accept_io);

	(void)revents;
	while (control->conns_n < LIMIT_CONTROL_CONNS) {
		int fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			add_conn(control, fd);
			continue;
		}
		if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
			return;
		ev_io_stop(loop, io);
		ev_timer_again(loop, &control->pause);
		return;
	}
	ev_io_stop(loop, io); /* conn_free() starts it again */
}

static void on_pause_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct control *control = container_of(timer, struct control, pause);

	(void)revents;
	ev_timer_stop(loop, timer);
	ev_io_start(loop, &control->accept_io);
}

int control_start(struct control **ret_control, struct ev_loop *loop, int listen_fd,
		  struct vassals *vassals, const struct control_facts *facts, struct err *err)
{
	struct control *control = calloc(1, sizeof(*control));
	int r;

	if (!control)
		return err_set(err, -ENOMEM, "control: out of memory");
	control->loop = loop;
	control->vassals = vassals;
	control->facts = *facts;
	control->listen_fd = listen_fd;
	TAILQ_INIT(&control->conns);
	ev_io_init(&control->accept_io, on_accept, listen_fd, EV_READ);
	ev_init(&control->pause, on_pause_over);
	control->pause.repeat = 1.0;
	r = fd_set_nonblock(listen_fd, true);
	if (r == 0)
		r = vassals_observe(vassals, on_change, control);
	if (r < 0) {
		free(control);
		return err_set(err, r, "control: cannot start: %s", strerror(-r));
	}
	ev_io_start(loop, &control->accept_io);
	*ret_control = control;
	return 0;
}

void control_free(struct control *control)
{
	if (!control)
		return;
	while (!TAILQ_EMPTY(&control->conns))
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not follow TAILQ's back links */
		conn_free(TAILQ_FIRST(&control->conns));
	ev_io_stop(control->loop, &control->accept_io);
	ev_timer_stop(control->loop, &control->pause);
	free(control);
}
