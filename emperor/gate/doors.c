/*
 * doors - see doors.h.
 *
 * A full door (EAGAIN) is watched for writing; too many descriptors in flight (ETOOMANYREFS, counted by the kernel per
 * user over all doors) has no event, so the sweep tries those again. Order within an app is kept: who comes while
 * others are queued goes behind them.
 *
 * What fronts send is hostile: the message is refused by pass_recv() or its descriptor by ports_recognise(), closed
 * and counted. Each turn reads a batch, so one front that floods its door shares the loop with all others.
 */
#include "emperor/gate/doors.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/queue.h>

#include "emperor/gate/ports.h"
#include "shared/clock.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/limits.h"
#include "shared/log.h"
#include "shared/pass.h"

#define APP_SLOTS \
	((size_t)2 * LIMIT_APPS) /* a power of two; ids are consecutive, so chains stay short */
#define HAND_BACK_BATCH 32
#define HAND_BACK_LAST  1024 /* more than DOOR_SNDBUF holds of the smallest */
#define DOOR_SNDBUF \
	(256 *      \
	 1024) /* the kernel doubles it: 680 short heads, 50 of 8 KB; 1 MB would let a dead app hoard */
#define RETRY_DEFAULT_S 5
#define RETRY_CROWDED_S 1

struct queued {
	TAILQ_ENTRY(queued) link;
	struct client client;
	uint64_t since_ns;
	struct doors_pass pass; /* spans into data */
	char data[];
};

struct app {
	struct app *next; /* in its slot */
	struct doors *doors;
	uint32_t id;
	uint64_t uid;
	char name[LIMIT_NAME];
	int gate_fd, front_fd; /* owned */
	ev_io hand_backs, writable;
	bool named;        /* since doors_begin() */
	bool down, broken; /* broken: its front shut it down; the emperor makes a new one */
	unsigned retry_after_s;
	uint64_t refused; /* hand-backs */
	size_t queued_n;
	TAILQ_HEAD(queued_list, queued) queue;
};

struct doors {
	struct ev_loop *loop;
	const struct ports *ports; /* borrowed */
	struct doors_handler handler;
	size_t apps_n, queued_n;
	size_t queued_bytes;
	bool one_uid; /* all apps are one user's: none of them learns anything from another's requests */
	struct app *slots[APP_SLOTS];
	char buf[PASS_BUF_SIZE];
};

static struct app *find(const struct doors *d, uint32_t id)
{
	struct app *app = d->slots[id % APP_SLOTS];

	while (app && app->id != id)
		app = app->next;
	return app;
}

static void each_app(struct doors *d, void (*fn)(struct app *app, void *arg), void *arg)
{
	for (size_t i = 0; i < APP_SLOTS; i++)
		for (struct app *app = d->slots[i], *next; app; app = next) {
			next = app->next;
			fn(app, arg);
		}
}

static void compare_uid(struct app *app, void *arg)
{
	const struct app **first = arg;

	if (!*first)
		*first = app;
	if ((*first)->uid != app->uid)
		app->doors->one_uid = false;
}

static void update_one_uid(struct doors *d)
{
	const struct app *first = NULL;

	d->one_uid = true;
	each_app(d, compare_uid, &first);
}

/* -- out ------------------------------------------------------------------------------------------------ */

static int send_client(struct app *app, const struct client *c, const struct doors_pass *p)
{
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not follow TAILQ's back links */
	unsigned flags = (c->crowd && !app->doors->one_uid ? PASS_ONE_REQUEST : 0) |
			 (p->bounce ? PASS_BOUNCE : 0);
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

static void refuse(const struct app *app, const struct client *c, struct span bytes, unsigned s)
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

static void refuse_queue(struct app *app, unsigned retry_after_s)
{
	struct queued *q;

	ev_io_stop(app->doors->loop, &app->writable);
	while ((q = TAILQ_FIRST(&app->queue))) {
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not follow TAILQ's back links */
		unqueue(app, q);
		refuse(app, &q->client, q->pass.bytes, retry_after_s);
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
		refuse(app, c, p->bytes, RETRY_CROWDED_S);
		return;
	}
	at = q->data;
	q->client = *c;
	q->since_ns = now_ns;
	q->pass = (struct doors_pass){.epoch = p->epoch,
				      .bounce = p->bounce,
				      .script = put(&at, p->script),
				      .carve = put(&at, p->carve),
				      .bytes = put(&at, p->bytes)};
	TAILQ_INSERT_TAIL(&app->queue, q, link);
	app->queued_n++;
	d->queued_n++;
	d->queued_bytes += p->bytes.n;
}

/* Sends from the queue while the door takes it. Watches for writing only while that can help. */
static void flush(struct app *app)
{
	struct queued *q;
	int r = 0;

	while ((q = TAILQ_FIRST(&app->queue))) {
		r = send_client(app, &q->client, &q->pass);
		if (is_crowded(r))
			break;
		unqueue(app, q);
		if (r < 0)
			refuse(app, &q->client, q->pass.bytes, RETRY_CROWDED_S);
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
	flush(container_of(io, struct app, writable));
}

void doors_pass(struct doors *d, uint32_t id, const struct client *c, const struct doors_pass *p,
		uint64_t now_ns)
{
	struct app *app = find(d, id);
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
		refuse(app, c, p->bytes, RETRY_CROWDED_S);
	}
}

/* -- back ----------------------------------------------------------------------------------------------- */

/* Says it at the 1st, 2nd, 4th, 8th ... so that a hostile front cannot fill the log. */
static void count_refused(struct app *app, const char *why)
{
	app->refused++;
	if ((app->refused & (app->refused - 1)) == 0)
		log_warning("%s: a connection that it gave back was refused (%llu so far): %s",
			    app->name, (unsigned long long)app->refused, why);
}

static void take_back(struct app *app, const struct pass *p)
{
	struct doors *d = app->doors;
	struct client c;

	if (!ports_recognise(d->ports, p->fd, &c)) {
		(void)close(p->fd);
		count_refused(app, "not a connection of a shared port");
	} else {
		d->handler.handed_back(d->handler.arg, &c, p->bytes);
	}
}

/* We hold the other end too, so it is no end of file: its front called shutdown(2) on it, which holds for all copies. */
static bool is_shut(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP));
}

/* It would be readable for ever. What is passed to the app may still arrive. */
static void stop_hearing(struct app *app)
{
	ev_io_stop(app->doors->loop, &app->hand_backs);
	log_warning("%s: its front has shut its door: nothing can be handed back until it has a "
		    "new one",
		    app->name);
}

static void on_hand_back(struct ev_loop *loop, ev_io *io, int revents)
{
	struct app *app = container_of(io, struct app, hand_backs);
	struct doors *d = app->doors;

	(void)loop;
	(void)revents;
	for (int i = 0; i < HAND_BACK_BATCH; i++) {
		struct pass p;
		struct err err = {0};
		int r = pass_recv(app->gate_fd, d->buf, sizeof(d->buf), &p, &err);

		if (r == -EAGAIN)
			return;
		if (r == 1)
			take_back(app, &p);
		else if (r == 0 && is_shut(app->gate_fd))
			stop_hearing(app);
		else
			count_refused(app, r == 0        ? "an empty message"
					   : err.text[0] ? err.text
							 : strerror(-r));
		if (!ev_is_active(&app->hand_backs))
			return;
	}
}

/* What the app gave back before it ended must not end with its door. At most what a door holds: it may go on sending. */
static void take_all_back(struct app *app)
{
	struct doors *d = app->doors;
	struct pass p;
	int r = 1;

	if (app->gate_fd < 0)
		return;
	for (int i = 0; i < HAND_BACK_LAST && (r == 1 || r == -EBADMSG); i++) {
		r = pass_recv(app->gate_fd, d->buf, sizeof(d->buf), &p, NULL);
		if (r == 1)
			take_back(app, &p);
	}
}

/* Everything that the app has not taken yet. Only we send into this end, but nothing is lost by checking. */
static void drain_door(struct app *app, unsigned retry_after_s)
{
	struct doors *d = app->doors;
	struct pass p;
	struct client c;
	int r;

	while ((r = pass_recv(app->front_fd, d->buf, sizeof(d->buf), &p, NULL)) == 1 ||
	       r == -EBADMSG || r == -EMFILE) {
		if (r == 1 && ports_recognise(d->ports, p.fd, &c))
			refuse(app, &c, p.bytes, retry_after_s);
		else if (r == 1)
			(void)close(p.fd);
	}
}

/* -- apps ----------------------------------------------------------------------------------------------- */

static void shut(struct app *app)
{
	if (app->gate_fd < 0)
		return;
	ev_io_stop(app->doors->loop, &app->hand_backs);
	ev_io_stop(app->doors->loop, &app->writable);
	(void)close(app->gate_fd);
	(void)close(app->front_fd);
}

static void open_door(struct app *app, int gate_fd, int front_fd)
{
	const int size = DOOR_SNDBUF;

	/* More than the system allows is cut to what it allows. */
	(void)setsockopt(gate_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	(void)fd_set_nonblock(gate_fd, true);
	(void)fd_set_nonblock(front_fd, true);
	app->gate_fd = gate_fd;
	app->front_fd = front_fd;
	app->broken = false;
	ev_io_init(&app->hand_backs, on_hand_back, gate_fd, EV_READ);
	ev_io_init(&app->writable, on_writable, gate_fd, EV_WRITE);
	ev_io_start(app->doors->loop, &app->hand_backs);
}

static struct app *add_app(struct doors *d, uint32_t id)
{
	struct app *app = d->apps_n < LIMIT_APPS ? calloc(1, sizeof(*app)) : NULL;

	if (!app)
		return NULL;
	app->doors = d;
	app->id = id;
	app->gate_fd = app->front_fd = -1;
	app->retry_after_s = RETRY_DEFAULT_S;
	TAILQ_INIT(&app->queue);
	app->next = d->slots[id % APP_SLOTS];
	d->slots[id % APP_SLOTS] = app;
	d->apps_n++;
	return app;
}

int doors_set_app(struct doors *d, uint32_t id, uint64_t uid, const char *name, int gate_fd,
		  int front_fd, struct err *err)
{
	struct app *app = find(d, id);

	if (!app)
		app = add_app(d, id);
	if (!app) {
		(void)close(gate_fd);
		(void)close(front_fd);
		return err_set(err, -ENOSPC, "%s: no room for one more app", name);
	}
	/* Nobody takes from a door that was replaced because it was shut. */
	if (app->gate_fd >= 0 && (is_shut(app->gate_fd) || is_shut(app->front_fd)))
		drain_door(app, RETRY_CROWDED_S);
	take_all_back(app);
	shut(app);
	app->named = true;
	app->uid = uid;
	(void)snprintf(app->name, sizeof(app->name), "%s", name);
	open_door(app, gate_fd, front_fd);
	update_one_uid(d);
	flush(app);
	return 0;
}

static void free_app(struct app *app)
{
	struct doors *d = app->doors;
	struct app **at = &d->slots[app->id % APP_SLOTS];

	while (*at != app)
		at = &(*at)->next;
	*at = app->next;
	d->apps_n--;
	shut(app);
	free(app);
}

void doors_drop_app(struct doors *d, uint32_t id)
{
	struct app *app = find(d, id);

	if (!app)
		return;
	take_all_back(app);
	refuse_queue(app, RETRY_DEFAULT_S);
	drain_door(app, RETRY_DEFAULT_S);
	free_app(app);
	update_one_uid(d);
}

static void forget_name(struct app *app, void *arg)
{
	(void)arg;
	app->named = false;
}

void doors_begin(struct doors *d)
{
	each_app(d, forget_name, NULL);
}

static void drop_unnamed(struct app *app, void *arg)
{
	(void)arg;
	if (!app->named)
		doors_drop_app(app->doors, app->id);
}

void doors_end(struct doors *d)
{
	each_app(d, drop_unnamed, NULL);
}

bool doors_set_state(struct doors *d, uint32_t id, bool down, unsigned retry_after_s)
{
	struct app *app = find(d, id);

	if (!app)
		return false;
	app->down = down;
	app->retry_after_s = retry_after_s > 0 ? retry_after_s : RETRY_DEFAULT_S;
	if (down) {
		drain_door(app, app->retry_after_s);
		refuse_queue(app, app->retry_after_s);
	}
	return true;
}

/* -- all of them ---------------------------------------------------------------------------------------- */

int doors_new(struct doors **ret_doors, struct ev_loop *loop, const struct ports *ports,
	      const struct doors_handler *handler, struct err *err)
{
	struct doors *d = calloc(1, sizeof(*d));

	if (!d)
		return err_set(err, -ENOMEM, "out of memory");
	d->loop = loop;
	d->ports = ports;
	d->handler = *handler;
	d->one_uid = true;
	*ret_doors = d;
	return 0;
}

static void sweep_app(struct app *app, void *arg)
{
	const uint64_t *now_ns = arg;
	struct queued *q;

	if (app->queued_n == 0)
		return;
	flush(app);
	while ((q = TAILQ_FIRST(&app->queue)) &&
	       /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not follow TAILQ's back links */
	       q->since_ns + LIMIT_GATE_QUEUE_S * NS_PER_S <= *now_ns) {
		unqueue(app, q);
		refuse(app, &q->client, q->pass.bytes, RETRY_DEFAULT_S);
		free(q);
	}
}

void doors_sweep(struct doors *d, uint64_t now_ns)
{
	if (d->queued_n > 0)
		each_app(d, sweep_app, &now_ns);
}

size_t doors_queued(const struct doors *d)
{
	return d->queued_n;
}

static void end_app(struct app *app, void *arg)
{
	(void)arg;
	refuse_queue(app, RETRY_DEFAULT_S);
}

void doors_end_all(struct doors *d)
{
	each_app(d, end_app, NULL);
}

static void close_app(struct app *app, void *arg)
{
	(void)arg;
	refuse_queue(app, RETRY_DEFAULT_S);
	free_app(app);
}

void doors_free(struct doors *d)
{
	if (!d)
		return;
	each_app(d, close_app, NULL);
	free(d);
}
