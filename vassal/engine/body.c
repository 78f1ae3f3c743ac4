/*
 * body - see body.h.
 *
 * The only messages from the front to a worker are these answers, so whoever asks may read the pair.
 */
#include "vassal/engine/body.h"

#include <errno.h>
#include <poll.h>

#include "shared/clock.h"
#include "shared/err.h"
#include "vassal/engine/engine.h"
#include "vassal/engine/lane.h"

/* The front is an event loop that never blocks; one that is silent for this long will not answer any more. */
#define ANSWER_TIMEOUT_NS (10 * NS_PER_S)

/* One message, or -EAGAIN. */
static int receive(const struct crew_link *link, int *ret_fd, struct err *err)
{
	struct crew_msg m;
	int fd = -1;
	int r = crew_recv(link->fd, &m, &fd, err);

	if (r == 0)
		_exit(CREW_EXIT_ORPHAN);
	if (r < 0)
		return r;
	if (m.kind == CREW_BODY && m.b == link->asked) {
		*ret_fd = fd;
		return 0;
	}
	/* The late answer to a question that was given up, perhaps for this very slot: another request's body. */
	fd_closep(&fd);
	return -EAGAIN;
}

static int wait_for_body(const struct crew_link *link, int *ret_fd, struct err *err)
{
	uint64_t until = clock_now_ns() + ANSWER_TIMEOUT_NS;

	for (;;) {
		struct pollfd p = {.fd = link->fd, .events = POLLIN};
		uint64_t now = clock_now_ns();
		int r;

		if (now >= until)
			return err_set(err, -ETIMEDOUT,
				       "the front did not hand over the request body");
		r = poll(&p, 1, (int)((until - now) / NS_PER_MS) + 1);
		if (r <= 0)
			continue;
		r = receive(link, ret_fd, err);
		if (r != -EAGAIN)
			return r;
	}
}

/* Without the GIL. */
static int ask(struct crew_link *link, unsigned slot, int *ret_fd, struct err *err)
{
	struct crew_msg m = {.kind = CREW_WANT_BODY, .worker = link->worker, .a = slot};
	int r;

	(void)pthread_mutex_lock(&link->lock);
	m.b = ++link->asked;
	do
		r = crew_send(link->fd, &m, NULL, -1);
	while (r == -EAGAIN &&
	       poll(&(struct pollfd){.fd = link->fd, .events = POLLOUT}, 1, -1) != 0);
	if (r < 0)
		(void)err_set(err, r, "asking the front for the request body: %s", strerror(-r));
	else
		r = wait_for_body(link, ret_fd, err);
	(void)pthread_mutex_unlock(&link->lock);
	return r;
}

int body_open(void *arg, int *ret_fd)
{
	struct lane *l = arg;
	struct err err = {0};
	int r = -EBADF;

	if (l->link) {
		Py_BEGIN_ALLOW_THREADS;
		r = ask(l->link, l->slot, ret_fd, &err);
		Py_END_ALLOW_THREADS;
	}
	if (r == 0)
		return 0;
	PyErr_Format(PyExc_OSError, "wsgi.input: %s", err.text);
	return -1;
}
