/*
 * blame - see blame.h. Costs a request nothing until something is wrong with it: what it asked for is read back from
 * its exchange slot, which a worker may have written over, hence by way of a copy.
 *
 * A worker's stacks come later than the wish for them (pool.h), or come when nobody waits yet: a worker that did not
 * leave in time is asked first, killed, and only then is it known which request went down with it. So records wait for
 * stacks, and the last stacks wait for records; both bounded.
 */
#include "vassal/front/blame.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "shared/clock.h"
#include "shared/vassal_config.h"
#include "vassal/front/slot_view.h"
#include "vassal/front/state.h"
#include "vassal/pool/pool.h"
#include "vassal/pool/stacks.h"

#define PENDING_MAX 32 /* the ring holds no more; the oldest is written as it is */
#define DUMPS       4  /* workers that are killed together; each 7 KB, made when needed */
#define WAIT_NS \
	(5 * NS_PER_S) /* the pool always answers; should it not, the record is worth more */
#define DUMP_NS (10 * NS_PER_S)
#define LOG_LOOK \
	(16 * 1024UL) /* of the log's ring: the last lines stand before dumps of many threads */

struct pending {
	struct pending *next;
	uint64_t until_ns;
	uint64_t thread; /* that the request is or was in; 0: not known */
	struct board_blame r;
};

struct dump {
	pid_t pid;
	uint64_t at_ns;
	char text[STACKS_BYTES];
};

struct blame {
	struct pending *first, **last;
	unsigned pending_n;
	struct dump *dumps[DUMPS];
	unsigned next_dump;
};

/* -- what was asked ------------------------------------------------------------------------------------- */

/* Quotes and control bytes are the readers' business: they know where the text goes. */
static void note_request(struct front *f, unsigned slot, struct board_blame *r)
{
	const struct exchange_request *xr = exchange_request(f->exchange, slot);
	const struct conn *c = f->jobs[slot].conn;
	struct slot_view v;

	slot_view(f, slot, &v);
	if (v.method.n > 0 && v.target.n > 0)
		(void)snprintf(r->request, sizeof(r->request), "%.*s %.*s",
			       (int)MIN(v.method.n, (size_t)LIMIT_METHOD), v.method.p,
			       (int)MIN(v.target.n, sizeof(r->request)), v.target.p);
	else
		(void)snprintf(r->request, sizeof(r->request), "%.*s", (int)sizeof(xr->line) - 1,
			       c ? c->line : xr->line);
	(void)snprintf(r->id, sizeof(r->id), "%.*s", (int)sizeof(xr->id) - 1, c ? c->id : xr->id);
}

static void note_times(const struct front *f, unsigned slot, uint64_t taken_ns,
		       struct board_blame *r)
{
	uint64_t queued_ns = f->jobs[slot].queued_ns;

	/* a worker's word, hence the bounds */
	taken_ns = taken_ns ? MIN(taken_ns, f->now_ns) : f->now_ns;
	r->age_us = (f->now_ns - taken_ns) / NS_PER_US;
	r->queue_us = (taken_ns - MIN(taken_ns, queued_ns)) / NS_PER_US;
}

static void note_worker(struct front *f, const struct blame_cause *cause, uint64_t taken_ns,
			struct board_blame *r)
{
	struct pool_look look;
	unsigned worker = cause->lane / f->shape.threads;

	if (cause->lane == BLAME_NO_LANE)
		return;
	pool_look(f->pool, worker, taken_ns, &look);
	r->worker = worker + 1;
	r->pid = (uint32_t)(cause->death ? cause->death->pid : look.pid);
	r->rss = look.rss;
	if (look.rss && look.rss_before)
		r->rss_growth = (int64_t)look.rss - (int64_t)look.rss_before;
	if (cause->death && WIFSIGNALED(cause->death->status))
		r->signal = (uint32_t)WTERMSIG(cause->death->status);
}

/* The app's last lines: without stacks, which stand in the record by themselves. */
static void note_log(const struct front *f, struct board_blame *r)
{
	static const uint64_t look = LOG_LOOK;
	uint64_t at = board_get(&f->bank->log.head);
	_cleanup_(freep) char *text = malloc(LOG_LOOK);
	size_t n;
	size_t kept = 0;
	size_t skip;

	if (!text)
		return;
	at -= MIN(at, look);
	n = board_log_read(f->bank, &at, text, LOG_LOOK);
	for (size_t i = 0; i < n;) {
		const char *end = memchr(text + i, '\n', n - i);
		size_t line_n = end ? (size_t)(end - text) + 1 - i : n - i;

		if (line_n > 1 && !stacks_is_line(text + i, line_n) &&
		    !board_log_is_mark(text + i, line_n - 1)) {
			memmove(text + kept, text + i, line_n);
			kept += line_n;
		}
		i += line_n;
	}
	skip = kept < sizeof(r->log) ? 0 : kept - (sizeof(r->log) - 1);
	/* whole lines, if there is one */
	if (skip > 0 && memchr(text + skip, '\n', kept - skip - 1))
		skip = (size_t)((char *)memchr(text + skip, '\n', kept - skip) + 1 - text);
	memcpy(r->log, text + skip, kept - skip);
	r->log[kept - skip] = '\0';
}

/* -- stacks and records that wait for each other -------------------------------------------------------- */

static struct blame *desk(struct front *f)
{
	if (f->blame)
		return f->blame;
	f->blame = calloc(1, sizeof(*f->blame));
	if (f->blame)
		f->blame->last = &f->blame->first;
	return f->blame;
}

static void write_first(struct front *f)
{
	struct blame *b = f->blame;
	struct pending *p = b->first;

	b->first = p->next;
	if (!b->first)
		b->last = &b->first;
	b->pending_n--;
	board_blame_write(f->board, &p->r);
	free(p);
}

static void wait_for_stacks(struct front *f, struct pending *p)
{
	struct blame *b = f->blame;

	p->until_ns = f->now_ns + WAIT_NS;
	*b->last = p;
	b->last = &p->next;
	if (++b->pending_n > PENDING_MAX)
		write_first(f);
}

/*
 * Before a kill all threads are walked whatever holds the GIL, and with one thread a signal finds its stack. Of a process
 * with several that may live some thread must get the GIL to show them.
 */
static bool needs_gil(const struct front *f, const struct board_blame *r)
{
	return f->shape.threads > 1 && (r->kind == BLAME_SLOW || r->kind == BLAME_INTERRUPTED);
}

static void put_no_stacks(const struct front *f, struct board_blame *r)
{
	unsigned limit_s = f->config->deadlock_timeout_s;
	char then[64] = "deadlock-timeout is 0: it stays until that ends";

	if (!needs_gil(f, r)) {
		(void)snprintf(r->stacks, sizeof(r->stacks),
			       "(no stacks came: the process did not answer)");
		return;
	}
	if (limit_s > 0)
		(void)snprintf(then, sizeof(then), "deadlock-timeout ends it after %u s", limit_s);
	(void)snprintf(
		r->stacks, sizeof(r->stacks),
		"(no stacks came: C code holds the GIL and does not let go of it, so that no "
		"thread of the process can run, or the process is stopped; %s)",
		then);
}

static void put_stacks(const struct front *f, struct pending *p, const char *text)
{
	if (text[0])
		stacks_copy(p->r.stacks, sizeof(p->r.stacks), text, p->thread);
	else
		put_no_stacks(f, &p->r);
}

/* Of a process that is gone: what it printed as it crashed, or when it was asked before the kill. */
static void put_last_words(struct front *f, const struct pool_death *death, struct pending *p)
{
	const struct blame *b = f->blame;

	if (death->stacks && death->stacks[0]) {
		put_stacks(f, p, death->stacks);
		return;
	}
	for (unsigned i = 0; b && i < DUMPS; i++)
		if (b->dumps[i] && b->dumps[i]->pid == death->pid &&
		    f->now_ns - b->dumps[i]->at_ns < DUMP_NS)
			put_stacks(f, p, b->dumps[i]->text);
}

static void remember(struct front *f, pid_t pid, const char *text)
{
	struct blame *b = desk(f);
	struct dump *d;

	if (!b || !text[0])
		return;
	d = b->dumps[b->next_dump] ? b->dumps[b->next_dump] : malloc(sizeof(*d));
	if (!d)
		return;
	d->pid = pid;
	d->at_ns = f->now_ns;
	(void)snprintf(d->text, sizeof(d->text), "%s", text);
	b->dumps[b->next_dump] = d;
	b->next_dump = (b->next_dump + 1) % DUMPS;
}

void blame_stacks(struct front *f, unsigned worker, pid_t pid, const char *text)
{
	bool wanted = false;
	struct blame *b = f->blame;
	struct pending **at = b ? &b->first : NULL;

	while (at && *at) {
		struct pending *p = *at;

		if (p->r.pid != (uint32_t)pid || p->r.worker != worker + 1) {
			at = &p->next;
			continue;
		}
		wanted = true;
		put_stacks(f, p, text);
		*at = p->next;
		b->pending_n--;
		board_blame_write(f->board, &p->r);
		free(p);
	}
	if (b)
		b->last = at;
	if (!wanted)
		remember(f, pid, text);
}

/* -- records -------------------------------------------------------------------------------------------- */

unsigned blame_status(const struct job *job, unsigned status)
{
	const struct conn *c = job->conn;

	if (!c)
		return job->had;
	return c->answer.begun ? c->answer.status : status;
}

enum board_blame_kind blame_kind_of(const struct pool_death *death)
{
	int number = WIFSIGNALED(death->status) ? WTERMSIG(death->status) : 0;

	if (number == SIGXCPU || number == SIGXFSZ)
		return BLAME_LIMIT;
	return death->killed ? BLAME_KILLED : BLAME_CRASHED;
}

void blame_request(struct front *f, unsigned slot, const struct blame_cause *cause)
{
	uint64_t taken_ns = exchange_taken_ns(f->exchange, slot);
	struct pending *p = calloc(1, sizeof(*p));

	if (!p || !desk(f)) {
		free(p);
		return;
	}
	p->r.wall_ns = f->wall_ns;
	p->r.generation = f->generation;
	p->r.kind = cause->kind;
	p->r.status = cause->status;
	(void)snprintf(p->r.reason, sizeof(p->r.reason), "%s", cause->reason);
	note_request(f, slot, &p->r);
	note_times(f, slot, taken_ns, &p->r);
	note_worker(f, cause, taken_ns, &p->r);
	if (cause->lane != BLAME_NO_LANE)
		p->thread = exchange_thread_of(f->exchange, cause->lane);
	note_log(f, &p->r);
	if (cause->stacks) {
		wait_for_stacks(f, p);
		return;
	}
	if (cause->death)
		put_last_words(f, cause->death, p);
	board_blame_write(f->board, &p->r);
	free(p);
}

void blame_tick(struct front *f)
{
	while (f->blame && f->blame->first && f->now_ns >= f->blame->first->until_ns) {
		put_stacks(f, f->blame->first, "");
		write_first(f);
	}
}

bool blame_waits(const struct front *f)
{
	return f->blame && f->blame->first;
}

void blame_end(struct front *f)
{
	struct blame *b = f->blame;

	if (!b)
		return;
	while (b->first) {
		put_stacks(f, b->first, "");
		write_first(f);
	}
	for (unsigned i = 0; i < DUMPS; i++)
		free(b->dumps[i]);
	free(b);
	f->blame = NULL;
}
