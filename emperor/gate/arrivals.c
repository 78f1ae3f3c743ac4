/*
 * arrivals - see arrivals.h. All have the same time, so the list is ordered by nature.
 */
#include "emperor/gate/arrivals.h"

#include <errno.h>
#include <sys/queue.h>

#include "emperor/role.h"
#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/err.h"
#include "shared/limits.h"
#include "shared/proxy.h"

struct arrival {
	struct poll_item item;
	TAILQ_ENTRY(arrival) link;
	struct arrivals *a;
	struct client client;
	uint64_t since_ns;
	struct buf in;
};

struct arrivals {
	struct pollset *ps; /* borrowed */
	struct arrivals_handler handler;
	size_t n, limit;
	TAILQ_HEAD(arrival_list, arrival) list;
	char scratch[LIMIT_GATE_READ]; /* for those that never wait */
};

/* Leaves the list without ending the connection: somebody took it, or is about to. */
static void forget(struct arrival *in)
{
	TAILQ_REMOVE(&in->a->list, in, link);
	in->a->n--;
	pollset_del(in->a->ps, &in->item);
	buf_done(&in->in);
	free(in);
}

static void drop(struct arrival *in)
{
	struct client c = in->client;

	forget(in);
	client_close(&c);
}

static bool decide(struct arrivals *a, const struct client *c, struct span bytes,
		   enum arrivals_end end)
{
	if (end == ARRIVALS_OPEN && bytes.n >= LIMIT_GATE_READ)
		end = ARRIVALS_LATE;
	return a->handler.decide(a->handler.arg, c, bytes, end);
}

/*
 * Can more be told than the last time? Of HTTP by the end of a line, or by what stands at the beginning of one (TLS
 * behind a PROXY header): a byte at a time costs no rescan.
 */
static bool tells_more(const struct arrival *in, struct span fresh)
{
	struct span held = buf_span(&in->in);
	struct proxy proxy;
	long header;

	if (in->client.protocol != GATE_HTTP || held.n == 0 || held.p[held.n - 1] == '\n' ||
	    memchr(fresh.p, '\n', fresh.n) || held.n + fresh.n >= LIMIT_GATE_HEAD)
		return true;
	/* the header's version 2 ends with any byte, and what follows may come with its last ones */
	header = proxy_parse(held.p, held.n, &proxy);
	return header == PROXY_MORE || header == (long)held.n;
}

static void on_bytes(struct arrival *in, struct span fresh)
{
	struct arrivals *a = in->a;
	bool first = in->in.n == 0, more = tells_more(in, fresh);

	if (!first && buf_append(&in->in, fresh.p, fresh.n, LIMIT_GATE_READ) < 0) {
		drop(in);
		return;
	}
	if (more) {
		pollset_del(a->ps, &in->item); /* who takes it may pass it on */
		if (decide(a, &in->client, first ? fresh : buf_span(&in->in), ARRIVALS_OPEN)) {
			forget(in);
			return;
		}
		if (pollset_add(a->ps, &in->item, EPOLLIN) < 0) {
			drop(in);
			return;
		}
	}
	if (first && buf_append(&in->in, fresh.p, fresh.n, LIMIT_GATE_READ) < 0)
		drop(in);
}

/* Out of the set before the decision, as above. */
static void settle(struct arrival *in, enum arrivals_end why)
{
	pollset_del(in->a->ps, &in->item);
	if (in->in.n > 0 && decide(in->a, &in->client, buf_span(&in->in), why))
		forget(in);
	else /* a browser's connection kept in reserve: there is no question to answer */
		drop(in);
}

static void on_event(struct poll_item *item, uint32_t events)
{
	struct arrival *in = container_of(item, struct arrival, item);
	char *scratch = in->a->scratch;
	ssize_t n = client_read(&in->client, scratch, LIMIT_GATE_READ - in->in.n);

	(void)events; /* whatever it is, reading says it */
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		on_bytes(in, span_of(scratch, (size_t)n));
	else if (n == 0)
		settle(in, ARRIVALS_SHUT);
	else
		drop(in);
}

/* Keeps the client until more comes. */
static void wait_for_more(struct arrivals *a, const struct client *c, struct span bytes,
			  uint64_t now_ns)
{
	struct arrival *in = a->n < a->limit ? calloc(1, sizeof(*in)) : NULL;

	if (!in) {
		client_close(c);
		return;
	}
	in->item = (struct poll_item){.fn = on_event, .fd = c->fd};
	in->a = a;
	in->client = *c;
	in->since_ns = now_ns;
	TAILQ_INSERT_TAIL(&a->list, in, link);
	a->n++;
	if ((bytes.n > 0 && buf_append(&in->in, bytes.p, bytes.n, LIMIT_GATE_READ) < 0) ||
	    pollset_add(a->ps, &in->item, EPOLLIN) < 0)
		drop(in);
}

int arrivals_new(struct arrivals **ret_arrivals, struct pollset *ps, size_t limit,
		 const struct arrivals_handler *handler, struct err *err)
{
	struct arrivals *a = calloc(1, sizeof(*a));

	if (!a)
		return err_set(err, -ENOMEM, "out of memory");
	a->ps = ps;
	a->handler = *handler;
	a->limit = limit;
	TAILQ_INIT(&a->list);
	*ret_arrivals = a;
	return 0;
}

void arrivals_free(struct arrivals *a)
{
	if (!a)
		return;
	while (!TAILQ_EMPTY(&a->list))
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not follow TAILQ's back links */
		drop(TAILQ_FIRST(&a->list));
	free(a);
}

void arrivals_add(struct arrivals *a, const struct client *c, uint64_t now_ns)
{
	ssize_t n = client_read(c, a->scratch, sizeof(a->scratch));

	if (n > 0)
		arrivals_add_read(a, c, span_of(a->scratch, (size_t)n), now_ns);
	else if (n < 0 && errno == EAGAIN)
		wait_for_more(a, c, span_of("", 0), now_ns);
	else
		client_close(c);
}

void arrivals_add_read(struct arrivals *a, const struct client *c, struct span bytes,
		       uint64_t now_ns)
{
	if (bytes.n == 0 || !decide(a, c, bytes, ARRIVALS_OPEN))
		wait_for_more(a, c, bytes, now_ns);
}

bool arrivals_give_way(struct arrivals *a, uint64_t now_ns)
{
	struct arrival *oldest = TAILQ_FIRST(&a->list);

	if (!oldest || now_ns - oldest->since_ns < LIMIT_GATE_FAIR_S * NS_PER_S)
		return false;
	settle(oldest, ARRIVALS_LATE);
	return true;
}

bool arrivals_room(struct arrivals *a, uint64_t now_ns)
{
	return a->n < a->limit || arrivals_give_way(a, now_ns);
}

void arrivals_sweep(struct arrivals *a, uint64_t now_ns)
{
	struct arrival *oldest;

	while ((oldest = TAILQ_FIRST(&a->list)) &&
	       /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not follow TAILQ's back links */
	       oldest->since_ns + LIMIT_GATE_HEAD_S * NS_PER_S <= now_ns)
		settle(oldest, ARRIVALS_LATE);
}

void arrivals_end_all(struct arrivals *a)
{
	while (!TAILQ_EMPTY(&a->list))
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not follow TAILQ's back links */
		settle(TAILQ_FIRST(&a->list), ARRIVALS_LATE);
}

size_t arrivals_count(const struct arrivals *a)
{
	return a->n;
}
