/*
 * handover - see handover.h.
 *
 * The worker's own descriptor may be closed as soon as this has returned: what is in a message is the kernel's.
 */
#include "vassal/engine/handover.h"
#include "vassal/engine/engine.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "vassal/engine/body.h"
#include "vassal/engine/forked.h"
#include "vassal/engine/lane.h"
#include "vassal/exchange/exchange.h"

/* The front takes messages as they come; one that does not for so long gets the bytes through the ring. */
#define HANDOVER_TIMEOUT_MS 1000

bool handover_file(const struct lane *l, int fd, off_t at)
{
	struct crew_msg m = {.kind = CREW_FILE, .a = l->slot, .b = (uint64_t)at};
	struct pollfd p;
	char first;
	int r;

	if (!l->link || !(l->flags & EXCHANGE_TAKES_FILE) || forked_is())
		return false;
	m.worker = l->link->worker;
	p = (struct pollfd){.fd = l->link->fd, .events = POLLOUT};
	Py_BEGIN_ALLOW_THREADS;
	/* one that cannot be read is ours to say, while the answer can still be another */
	r = pread(fd, &first, 1, at) == 1 ? crew_send(l->link->fd, &m, NULL, fd) : -EIO;
	if (r == -EAGAIN && poll(&p, 1, HANDOVER_TIMEOUT_MS) > 0)
		r = crew_send(l->link->fd, &m, NULL, fd);
	Py_END_ALLOW_THREADS;
	return r == 0;
}
