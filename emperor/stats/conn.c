/*
 * conn - see conn.h.
 *
 * One timer serves all phases: first it is the sniff (a client that is still silent wants bare JSON), then the time
 * that is left for the answer, then the grace for a last write and for the client's end of file. That last wait
 * matters: closing a TCP socket with unread bytes resets it, and the client may lose the answer.
 */
#include "emperor/stats/conn.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "shared/json.h"

#define LATE_GRACE_S   2 /* to write the refusal that a late answer became */
#define LINGER_GRACE_S 2 /* for the client to read what is in flight and close */

static void arm(struct conn *c, double seconds)
{
	ev_timer_stop(c->loop, &c->timer);
	ev_timer_set(&c->timer, seconds, 0.);
	ev_timer_start(c->loop, &c->timer);
}

static void watch(struct conn *c, int events)
{
	ev_io_stop(c->loop, &c->io);
	if (events) {
		ev_io_set(&c->io, c->io.fd, events);
		ev_io_start(c->loop, &c->io);
	}
}

void conn_close(struct conn *c)
{
	if (c->phase == CONN_CLOSED)
		return;
	c->phase = CONN_CLOSED;
	ev_io_stop(c->loop, &c->io);
	ev_timer_stop(c->loop, &c->timer);
	(void)close(c->io.fd);
	c->events->closed(c);
}

void conn_free(struct conn *c)
{
	if (!c)
		return;
	free(c->body);
	free(c);
}

static void linger(struct conn *c)
{
	c->phase = CONN_LINGERING;
	(void)shutdown(c->io.fd, SHUT_WR);
	arm(c, LINGER_GRACE_S);
	watch(c, EV_READ);
}

static void write_some(struct conn *c)
{
	size_t total = c->head_n + c->body_n;

	while (c->sent < total) {
		size_t in_head = MIN(c->sent, c->head_n);
		size_t in_body = c->sent - in_head;
		struct iovec iov[2] = {
			{c->head + in_head, c->head_n - in_head},
			{c->body + in_body, c->body_n - in_body},
		};
		struct msghdr msg = {.msg_iov = iov, .msg_iovlen = c->body_n > 0 ? 2 : 1};
		ssize_t n = sendmsg(c->io.fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			watch(c, EV_WRITE);
			return;
		}
		if (n < 0) {
			conn_close(c);
			return;
		}
		c->sent += (size_t)n;
	}
	linger(c);
}

static void make_head(struct conn *c, int status)
{
	int n;

	if (!c->http)
		return;
	n = snprintf(c->head, sizeof(c->head),
		     "HTTP/1.1 %d %s\r\n"
		     "Content-Type: application/json\r\n"
		     "Content-Length: %zu\r\n"
		     "Cache-Control: no-store\r\n"
		     "X-Content-Type-Options: nosniff\r\n"
		     "%s"
		     "Connection: close\r\n\r\n",
		     status, request_status_text(status), c->body_n,
		     status == 405   ? "Allow: GET, HEAD\r\n"
		     : status == 503 ? "Retry-After: 5\r\n"
				     : "");
	c->head_n = (size_t)n;
	if (c->head_only)
		c->body_n = 0;
}

void conn_answer(struct conn *c, int status, char *body, size_t n)
{
	static const char no_memory[] = "{\"error\":\"out of memory\"}\n";

	if (c->phase >= CONN_WRITING) {
		free(body);
		return;
	}
	if (!body) {
		status = 500;
		body = strdup(no_memory);
		n = body ? sizeof(no_memory) - 1 : 0;
	}
	c->phase = CONN_WRITING;
	c->body = body;
	c->body_n = n;
	make_head(c, status);
	write_some(c);
}

void conn_refuse(struct conn *c, int status, const char *why)
{
	json_t *root = json_object();
	size_t n = 0;
	char *text;

	json_put_text(root, "error", why);
	text = json_dump_text(root, false, &n);
	json_decref(root);
	conn_answer(c, status, text, n);
}

static void ask(struct conn *c, const struct request *request)
{
	c->phase = CONN_ASKING;
	/* Bytes or an end of file that come now are for the end: level-triggered, they would spin. */
	watch(c, 0);
	c->events->request(c, request);
}

static void understand(struct conn *c)
{
	struct request request;
	const char *why = "";
	int status = request_parse(c->in, c->in_n, &request, &why);

	if (status == 0)
		return;
	c->head_only = request.head_only;
	if (status == 200)
		ask(c, &request);
	else
		conn_refuse(c, status, why);
}

static void read_request(struct conn *c)
{
	ssize_t n = recv(c->io.fd, c->in + c->in_n, sizeof(c->in) - c->in_n, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0 || (n == 0 && c->http)) {
		conn_close(c);
		return;
	}
	if (n == 0) { /* it has shut its side without a word */
		ask(c, NULL);
		return;
	}
	if (!c->http) {
		c->http = true;
		arm(c, LIMIT_STATS_S);
	}
	c->in_n += (size_t)n;
	understand(c);
}

static void read_away(struct conn *c)
{
	ssize_t n = recv(c->io.fd, c->in, sizeof(c->in), MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		conn_close(c);
}

static void on_io(struct ev_loop *loop, ev_io *w, int revents)
{
	struct conn *c = container_of(w, struct conn, io);

	(void)loop;
	(void)revents;
	if (c->phase == CONN_READING)
		read_request(c);
	else if (c->phase == CONN_WRITING)
		write_some(c);
	else if (c->phase == CONN_LINGERING)
		read_away(c);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct conn *c = container_of(w, struct conn, timer);

	(void)loop;
	(void)revents;
	if (c->phase == CONN_READING && !c->http) {
		arm(c, LIMIT_STATS_S);
		ask(c, NULL);
	} else if (c->phase == CONN_READING) {
		arm(c, LATE_GRACE_S);
		conn_refuse(c, 408, "the request did not come in time");
	} else if (c->phase == CONN_ASKING) {
		arm(c, LATE_GRACE_S);
		c->events->late(c);
	} else {
		conn_close(c);
	}
}

struct conn *conn_new(struct ev_loop *loop, int fd, const struct conn_events *events, void *owner,
		      void *listener)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c) {
		(void)close(fd);
		return NULL;
	}
	c->loop = loop;
	c->events = events;
	c->owner = owner;
	c->listener = listener;
	ev_io_init(&c->io, on_io, fd, EV_READ);
	ev_timer_init(&c->timer, on_timer, LIMIT_STATS_SNIFF_MS / 1000., 0.);
	ev_io_start(loop, &c->io);
	ev_timer_start(loop, &c->timer);
	return c;
}
