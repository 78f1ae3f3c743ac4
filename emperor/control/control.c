/*
 * control - see control.h.
 *
 * A client's life: accepted, its credentials checked, one line read (LIMIT_CONTROL_LINE, CONTROL_LINE_S), held until the
 * directories were looked at if it is about an app, answered at once or when its outcome is known (CONTROL_WAIT_S), written (CONTROL_LINE_S), closed. One timer per client bounds
 * each of these; clients are few. Nothing here waits: an answer that does not fit the socket is kept and written on.
 */
#include "emperor/control/client.h"

#include <errno.h>
#include <sys/socket.h>

#include "shared/err.h"
#include "shared/fd.h"

static void read_line(struct client *c)
{
	ssize_t n = recv(c->fd, c->in + c->in_n, sizeof(c->in) - c->in_n, MSG_DONTWAIT);
	const char *end;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_free(c);
		return;
	}
	c->in_n += (size_t)n;
	end = memchr(c->in, '\n', c->in_n);
	if (end)
		answers_run_line(c, span_of(c->in, (size_t)(end - c->in)));
	else if (c->in_n == sizeof(c->in))
		client_reply_error(c, "the line is too long");
}

/* While an outcome is awaited: is the client still there? What it says is of no matter. */
static void read_on(struct client *c)
{
	char dropped[256];
	ssize_t n = recv(c->fd, dropped, sizeof(dropped), MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		client_free(c);
}

static void write_reply(struct client *c)
{
	struct iovec iov = {c->out + c->out_at, c->out_n - c->out_at};
	ssize_t n = fd_send(c->fd, &iov, 1, &c->pass_fd, c->pass_fd >= 0 ? 1 : 0);

	if (n == -EAGAIN || n == -ETOOMANYREFS)
		return;
	if (n > 0 && c->pass_fd >= 0)
		(void)close(TAKE_FD(c->pass_fd));
	c->out_at += n > 0 ? (size_t)n : 0;
	if (n <= 0 || c->out_at == c->out_n)
		client_free(c);
}

static void on_ready(struct ev_loop *loop, ev_io *io, int revents)
{
	struct client *c = container_of(io, struct client, io);

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
	struct client *c = container_of(timer, struct client, timer);

	(void)loop;
	(void)revents;
	if (!c->out && c->waits_n > 0)
		waits_reply(c);
	else
		client_free(c);
}

static bool may_command(int fd)
{
	struct ucred cred;
	socklen_t n = sizeof(cred);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) == 0 &&
	       (cred.uid == 0 || cred.uid == geteuid());
}

static void add_client(struct control *control, int fd)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c) {
		(void)close(fd);
		return;
	}
	c->control = control;
	c->fd = fd;
	c->pass_fd = -1;
	TAILQ_INSERT_TAIL(&control->clients, c, link);
	control->clients_n++;
	ev_init(&c->timer, on_late);
	ev_io_init(&c->io, on_ready, fd, EV_READ);
	client_rearm(c, CONTROL_LINE_S);
	if (may_command(fd))
		ev_io_start(control->loop, &c->io);
	else
		client_reply_error(c, "only root and the emperor's own user may do this");
}

static void on_accept(struct ev_loop *loop, ev_io *io, int revents)
{
	struct control *control = container_of(io, struct control, accept_io);

	(void)revents;
	while (control->clients_n < LIMIT_CONTROL_CONNS) {
		int fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			add_client(control, fd);
			continue;
		}
		if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
			return;
		ev_io_stop(loop, io);
		ev_timer_again(loop, &control->pause);
		return;
	}
	ev_io_stop(loop, io); /* client_free() starts it again */
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
	TAILQ_INIT(&control->clients);
	ev_io_init(&control->accept_io, on_accept, listen_fd, EV_READ);
	ev_init(&control->pause, on_pause_over);
	control->pause.repeat = 1.0;
	r = fd_set_nonblock(listen_fd, true);
	if (r == 0)
		r = vassals_observe(vassals, waits_on_change, control);
	if (r < 0) {
		free(control);
		return err_set(err, r, "control: cannot start: %s", strerror(-r));
	}
	ev_io_start(loop, &control->accept_io);
	*ret_control = control;
	return 0;
}

void control_looked(struct control *control)
{
	struct client *c;

	if (!control)
		return;
	/* None of them goes away in here: an answer is written by the loop. */
	TAILQ_FOREACH(c, &control->clients, link)
		if (c->held_n > 0)
			answers_run_held(c);
}

void control_free(struct control *control)
{
	if (!control)
		return;
	while (!TAILQ_EMPTY(&control->clients))
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not follow TAILQ's back links */
		client_free(TAILQ_FIRST(&control->clients));
	ev_io_stop(control->loop, &control->accept_io);
	ev_timer_stop(control->loop, &control->pause);
	free(control);
}
