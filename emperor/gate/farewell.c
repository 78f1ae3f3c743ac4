/*
 * farewell - see farewell.h. Everyone has the same time, so the list is ordered by nature and a sweep looks at its
 * head only.
 */
#include "emperor/gate/farewell.h"

#include <errno.h>
#include <sys/queue.h>

#include "shared/clock.h"
#include "shared/err.h"
#include "shared/limits.h"

struct parting {
	struct poll_item item; /* first: see on_event() */
	TAILQ_ENTRY(parting) link;
	struct farewell *f;
	struct client client;
	uint64_t until_ns;
	size_t drained;
	size_t n;   /* of rest, still to be written */
	char *rest; /* owned; only for a client whose socket was full */
};

struct farewell {
	struct pollset *ps; /* borrowed */
	size_t n;
	TAILQ_HEAD(parting_list, parting) list;
};

static void end(struct parting *p)
{
	struct farewell *f = p->f;

	TAILQ_REMOVE(&f->list, p, link);
	f->n--;
	pollset_del(f->ps, &p->item);
	client_close(&p->client);
	free(p->rest);
	free(p);
}

/* False when it is over: the client has left, or has sent too much. */
static bool drain(struct parting *p)
{
	char dropped[4096];

	for (;;) {
		ssize_t n = client_read(&p->client, dropped, sizeof(dropped));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		p->drained += (size_t)n;
		if (n == 0 || p->drained > LIMIT_GATE_DRAIN)
			return false;
	}
}

/* False when the rest can never be written. */
static bool write_rest(struct parting *p)
{
	ssize_t n = client_write(&p->client, p->rest, p->n);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	p->n -= (size_t)n;
	memmove(p->rest, p->rest + n, p->n);
	if (p->n > 0)
		return true;
	(void)shutdown(p->client.fd, SHUT_WR);
	return pollset_add(p->f->ps, &p->item, EPOLLIN) == 0;
}

static void on_event(struct poll_item *item, uint32_t events)
{
	struct parting *p = container_of(item, struct parting, item);
	bool on = !(events & EPOLLERR);

	if (on && p->n > 0 && (events & EPOLLOUT))
		on = write_rest(p);
	if (on && (events & (EPOLLIN | EPOLLHUP)))
		on = drain(p);
	if (!on)
		end(p);
}

static bool keep_rest(struct parting *p, const char *text, size_t n)
{
	if (n == 0) {
		(void)shutdown(p->client.fd, SHUT_WR);
		return true;
	}
	p->rest = malloc(n);
	if (!p->rest)
		return false;
	memcpy(p->rest, text, n);
	p->n = n;
	return true;
}

int farewell_new(struct farewell **ret_farewell, struct pollset *ps, struct err *err)
{
	struct farewell *f = calloc(1, sizeof(*f));

	if (!f)
		return err_set(err, -ENOMEM, "out of memory");
	f->ps = ps;
	TAILQ_INIT(&f->list);
	*ret_farewell = f;
	return 0;
}

void farewell_free(struct farewell *f)
{
	if (!f)
		return;
	while (!TAILQ_EMPTY(&f->list))
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not follow TAILQ's back links */
		end(TAILQ_FIRST(&f->list));
	free(f);
}

void farewell_say(struct farewell *f, const struct client *c, const char *text, size_t n,
		  uint64_t now_ns)
{
	ssize_t w = client_write(c, text, n);
	size_t sent = w > 0 ? (size_t)w : 0;
	struct parting *p = NULL;

	if ((w >= 0 || errno == EAGAIN) && f->n < LIMIT_GATE_CONNS)
		p = calloc(1, sizeof(*p));
	if (!p) {
		client_close(c);
		return;
	}
	p->item = (struct poll_item){.fn = on_event, .fd = c->fd};
	p->f = f;
	p->client = *c;
	p->until_ns = now_ns + LIMIT_GATE_LINGER_S * NS_PER_S;
	TAILQ_INSERT_TAIL(&f->list, p, link);
	f->n++;
	if (!keep_rest(p, text + sent, n - sent) || !drain(p) ||
	    pollset_add(f->ps, &p->item, p->n > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN) < 0)
		end(p);
}

void farewell_sweep(struct farewell *f, uint64_t now_ns)
{
	while (!TAILQ_EMPTY(&f->list) && TAILQ_FIRST(&f->list)->until_ns <= now_ns)
		end(TAILQ_FIRST(&f->list));
}

bool farewell_give_way(struct farewell *f)
{
	if (TAILQ_EMPTY(&f->list))
		return false;
	end(TAILQ_FIRST(&f->list));
	return true;
}

size_t farewell_count(const struct farewell *f)
{
	return f->n;
}
