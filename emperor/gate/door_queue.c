/*
 * door_queue - the way into a door: a connection is passed, waits in the app's queue, or is refused.
 *
 * A full door (EAGAIN) is watched for writing; too many descriptors in flight (ETOOMANYREFS, counted by the kernel per
 * user over all doors) has no event, so the sweep tries those again. Order within an app is kept: who comes while
 * others are queued goes behind them.
 */
#include "emperor/gate/doors_inner.h"

#include <errno.h>

#include "shared/clock.h"
#include "shared/log.h"

static int send_client(struct app *app, const struct client *c, const struct doors_pass *p)
{
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not follow TAILQ's back links */
	unsigned flags = (c->crowd && !app->doors->one_uid ? PASS_ONE_REQUEST : 0) |
			 (p->bounce ? PASS_BOUNCE : 0) | (p->proxied ? PASS_UNOPENED : 0);
	struct pass pass = {
		.head = {.epoch = p->epoch, .flags = (uint16_t)flags, .listener = c->port},
		.script = p->script,
		.carve = p->carve,
		.bytes = p->bytes,
		.fd = c->fd};

	return pass_send(app->gate_fd, &pass);
}

static bool is_crowded(int r)
{
	return r == -EAGAIN || r == -ETOOMANYREFS || r == -ENOBUFS || r == -ENOMEM;
}

void door_refuse(const struct app *app, const struct client *c, struct span bytes, unsigned s)
{
	app->doors->handler.refuse(app->doors->handler.arg, c, bytes, s);
}

/*
 * Its front holds it as well. One that set SO_LINGER and closed first would leave the last close(), and the wait for the
 * client, to us: whoever has closed can no longer set it again.
 */
static void close_passed(const struct client *c)
{
	static const struct linger off = {0};

	(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
	client_close(c);
}

/* Off the queue; whoever calls has the client. */
static void unqueue(struct app *app, struct queued *q)
{
	TAILQ_REMOVE(&app->queue, q, link);
	app->queued_n--;
	app->doors->queued_n--;
	app->doors->queued_bytes -= q->pass.bytes.n;
}

void door_refuse_queue(struct app *app, unsigned retry_after_s, bool for_others)
{
	struct queued *q;

	ev_io_stop(app->doors->loop, &app->writable);
	while ((q = TAILQ_FIRST(&app->queue))) {
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not follow TAILQ's back links */
		unqueue(app, q);
		if (for_others)
			app->doors->handler.handed_back(app->doors->handler.arg, &q->client,
							q->pass.bytes);
		else
			door_refuse(app, &q->client, q->pass.bytes, retry_after_s);
		free(q);
	}
}

static struct span put(char **at, struct span s)
{
	char *p = *at;

	if (s.n > 0)
		memcpy(p, s.p, s.n);
	*at += s.n;
	return span_of(p, s.n);
}

static void enqueue(struct app *app, const struct client *c, const struct doors_pass *p,
		    uint64_t now_ns)
{
	struct doors *d = app->doors;
	struct queued *q = NULL;
	char *at;

	if (app->queued_n < LIMIT_GATE_QUEUE && d->queued_n < LIMIT_GATE_CONNS &&
	    d->queued_bytes + p->bytes.n <= LIMIT_GATE_QUEUE_BYTES)
		q = malloc(sizeof(*q) + p->script.n + p->carve.n + p->bytes.n);
	if (!q) {
		door_refuse(app, c, p->bytes, RETRY_CROWDED_S);
		return;
	}
	at = q->data;
	q->client = *c;
	q->since_ns = now_ns;
	q->pass = (struct doors_pass){.epoch = p->epoch,
				      .bounce = p->bounce,
				      .proxied = p->proxied,
				      .script = put(&at, p->script),
				      .carve = put(&at, p->carve),
				      .bytes = put(&at, p->bytes)};
	TAILQ_INSERT_TAIL(&app->queue, q, link);
	app->queued_n++;
	d->queued_n++;
	d->queued_bytes += p->bytes.n;
}

/* Sends from the queue while the door takes it. Watches for writing only while that can help. */
void door_flush(struct app *app)
{
	struct queued *q;
	int r = 0;

	while ((q = TAILQ_FIRST(&app->queue))) {
		r = send_client(app, &q->client, &q->pass);
		if (is_crowded(r))
			break;
		unqueue(app, q);
		if (r < 0)
			door_refuse(app, &q->client, q->pass.bytes, RETRY_CROWDED_S);
		else
			close_passed(&q->client);
		free(q);
	}
	if (q && r == -EAGAIN)
		ev_io_start(app->doors->loop, &app->writable);
	else
		ev_io_stop(app->doors->loop, &app->writable);
}

static void on_writable(struct ev_loop *loop, ev_io *io, int revents)
{
	(void)loop;
	(void)revents;
	door_flush(container_of(io, struct app, writable));
}

static void sweep_app(struct app *app, void *arg)
{
	const uint64_t *now_ns = arg;
	struct queued *q;

	if (app->queued_n == 0)
		return;
	door_flush(app);
	while ((q = TAILQ_FIRST(&app->queue)) &&
	       /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not follow TAILQ's back links */
	       q->since_ns + LIMIT_GATE_QUEUE_S * NS_PER_S <= *now_ns) {
		unqueue(app, q);
		door_refuse(app, &q->client, q->pass.bytes, RETRY_DEFAULT_S);
		free(q);
	}
}

void door_queue_open(struct app *app)
{
	ev_io_init(&app->writable, on_writable, app->gate_fd, EV_WRITE);
}

void doors_pass(struct doors *d, uint32_t id, const struct client *c, const struct doors_pass *p,
		uint64_t now_ns)
{
	struct app *app = doors_app(d, id);
	int r;

	if (!app || app->down || app->broken) {
		d->handler.refuse(d->handler.arg, c, p->bytes,
				  app ? app->retry_after_s : RETRY_DEFAULT_S);
		return;
	}
	r = app->queued_n > 0 ? -EAGAIN : send_client(app, c, p);
	if (r == 0) {
		close_passed(c);
	} else if (is_crowded(r)) {
		bool first = app->queued_n == 0;

		enqueue(app, c, p, now_ns);
		if (first && app->queued_n > 0 && r == -EAGAIN)
			ev_io_start(d->loop, &app->writable);
	} else {
		app->broken = r == -EPIPE;
		log_warning("%s: cannot pass a connection: %s%s", app->name, strerror(-r),
			    app->broken ? "; nothing is passed until it has a new door" : "");
		door_refuse(app, c, p->bytes, RETRY_CROWDED_S);
	}
}

void doors_sweep(struct doors *d, uint64_t now_ns)
{
	if (d->queued_n > 0)
		doors_each(d, sweep_app, &now_ns);
}
