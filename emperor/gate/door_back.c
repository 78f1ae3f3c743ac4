/*
 * door_back - out of a door: the connections that fronts hand back, and those that nobody takes any more.
 *
 * What fronts send is hostile: the message is refused by pass_recv() or its descriptor by ports_recognise(), closed
 * and counted. Each turn reads a batch, so one front that floods its door shares the loop with all others.
 */
#include "emperor/gate/doors_inner.h"

#include <errno.h>
#include <poll.h>

#include "emperor/gate/ports.h"
#include "shared/err.h"
#include "shared/log.h"

#define HAND_BACK_BATCH 32
#define HAND_BACK_LAST  1024 /* more than DOOR_SNDBUF holds of the smallest */

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
		return;
	}
	if (!c.crowd || d->one_uid) {
		d->handler.handed_back(d->handler.arg, &c, p->bytes);
		return;
	}
	/*
	 * It got one request of it. With others it would speak as the proxy to another user's app, which believes a proxy.
	 * An honest front has kept it from the time when all apps were one user's.
	 */
	count_refused(app, "a proxy's connection, of which it was given one request");
	if (p->bytes.n > 0)
		door_refuse(app, &c, p->bytes, RETRY_CROWDED_S);
	else
		client_close(&c);
}

bool door_is_shut(int fd)
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
		else if (r == 0 && door_is_shut(app->gate_fd))
			stop_hearing(app);
		else
			count_refused(app, r == 0        ? "an empty message"
					   : err.text[0] ? err.text
							 : strerror(-r));
		if (!ev_is_active(&app->hand_backs))
			return;
	}
}

void door_back_open(struct app *app)
{
	ev_io_init(&app->hand_backs, on_hand_back, app->gate_fd, EV_READ);
	ev_io_start(app->doors->loop, &app->hand_backs);
}

void door_take_all_back(struct app *app)
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

/* Only we send into this end, but nothing is lost by checking. */
void door_drain(struct app *app, unsigned retry_after_s, bool for_others)
{
	struct doors *d = app->doors;
	struct pass p;
	struct client c;
	int r;

	while ((r = pass_recv(app->front_fd, d->buf, sizeof(d->buf), &p, NULL)) == 1 ||
	       r == -EBADMSG || r == -EMFILE) {
		if (r == 1 && ports_recognise(d->ports, p.fd, &c) && for_others)
			d->handler.handed_back(d->handler.arg, &c, p.bytes);
		else if (r == 1 && ports_recognise(d->ports, p.fd, &c))
			door_refuse(app, &c, p.bytes, retry_after_s);
		else if (r == 1)
			(void)close(p.fd);
	}
}
