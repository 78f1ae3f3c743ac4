/*
 * fusebox - see fusebox.h.
 *
 * A request is known by keyed digests of method, target and body. The body of one that waits in memory is read back
 * from its slot; of one in a file it was digested as it came, for the file may be large and the disk slow.
 */
#include "vassal/front/fusebox.h"

#include <stdio.h>
#include <sys/random.h>

#include "shared/clock.h"
#include "vassal/front/conn.h"
#include "vassal/front/errors.h"
#include "vassal/front/queue.h"
#include "vassal/front/slot_view.h"
#include "vassal/pool/pool.h"

void fusebox_start(struct front *f)
{
	struct siphash_key *key = &f->digest_key;

	if (getrandom(key, sizeof(*key), 0) == (ssize_t)sizeof(*key))
		return;
	/* a kernel without entropy this early: harder to guess than nothing */
	key->k[0] = clock_now_ns();
	key->k[1] = clock_wall_ns() ^ (uint64_t)getpid() << 32;
}

static uint64_t digest(const struct front *f, struct span a, struct span b)
{
	struct siphash s;

	siphash_begin(&s, &f->digest_key);
	siphash_add(&s, a.p, a.n);
	siphash_add(&s, "", 1); /* a method has no NUL: "A" + "BC" is not "AB" + "C" */
	siphash_add(&s, b.p, b.n);
	return siphash_end(&s);
}

static struct fuse_key key_of(struct front *f, unsigned slot)
{
	const struct job *job = &f->jobs[slot];
	struct slot_view v;
	struct fuse_key key;

	slot_view(f, slot, &v);
	key.request = digest(f, v.method, v.target);
	key.body = job->body.has_file ? job->body_digest : digest(f, SPAN(""), v.body);
	return key;
}

static void refuse(struct conn *c, uint64_t left_ns)
{
	board_add(&c->front->count->fused, 1);
	error_answer(c, 503, (unsigned)((left_ns + NS_PER_S - 1) / NS_PER_S));
}

bool fusebox_refuses(struct conn *c, unsigned slot)
{
	struct front *f = c->front;
	struct job *job = &f->jobs[slot];
	uint64_t left_ns;

	job->key = key_of(f, slot);
	left_ns = fuse_left_ns(&f->fuse, &job->key, f->now_ns);
	if (left_ns == 0)
		return false;
	queue_unslot(f, slot);
	refuse(c, left_ns);
	return true;
}

void fusebox_survived(struct front *f, unsigned slot)
{
	fuse_survived(&f->fuse, &f->jobs[slot].key);
}

static void tell(struct front *f, unsigned slot, unsigned worker)
{
	const struct conn *c = f->jobs[slot].conn;
	const struct exchange_request *xr = exchange_request(f->exchange, slot);
	char text[BOARD_EVENT_TEXT];

	/* the slot's own words when the client has left: shared memory, hence the bounds */
	(void)snprintf(
		text, sizeof(text),
		"fused: %.*s killed %d workers within %u s: 503 for %u s, or until emperorctl "
		"unfuse",
		(int)sizeof(xr->line) - 1, c ? c->line : xr->line, FUSE_KILLS,
		(unsigned)(FUSE_WINDOW_NS / NS_PER_S), (unsigned)(FUSE_OPEN_NS / NS_PER_S));
	board_event(f->board, f->wall_ns, f->generation, EVENT_FUSED, worker, "%s", text);
	logbook_say(&f->log, f->wall_ns, "%s", text);
}

void fusebox_died(struct front *f, const struct pool_death *death)
{
	struct fuse_key keys[FUSE_ENTRIES];
	unsigned slots[FUSE_ENTRIES];
	bool fused[FUSE_ENTRIES];
	size_t n = 0;

	for (unsigned slot = 0; slot < f->shape.slots && n < FUSE_ENTRIES; slot++) {
		int lane = exchange_holder(f->exchange, slot);

		if (!f->jobs[slot].used || lane < 0 ||
		    (unsigned)lane / f->shape.threads != death->worker)
			continue;
		keys[n] = key_of(f, slot);
		slots[n++] = slot;
	}
	fuse_died(&f->fuse, keys, n, f->now_ns, fused);
	for (size_t i = 0; i < n; i++) {
		f->fuse_blown |= fused[i];
		if (fused[i])
			tell(f, slots[i], death->worker + 1);
	}
}

/* One that waits in the exchange and that no worker has taken yet. */
static void sweep_slot(struct front *f, unsigned slot)
{
	struct job *job = &f->jobs[slot];
	struct conn *c = job->conn;
	struct fuse_key key;
	uint64_t left_ns;

	if (!job->used || !c || exchange_holder(f->exchange, slot) >= 0)
		return;
	key = key_of(f, slot);
	left_ns = fuse_left_ns(&f->fuse, &key, f->now_ns);
	if (left_ns == 0 || !exchange_cancel(f->exchange, slot))
		return;
	job->conn = NULL;
	c->slot = -1;
	queue_release(f, slot);
	refuse(c, left_ns);
}

void fusebox_sweep(struct front *f)
{
	if (!f->fuse_blown)
		return;
	f->fuse_blown = false;
	for (unsigned slot = 0; slot < f->shape.slots; slot++)
		sweep_slot(f, slot);
}

void fusebox_clear(struct front *f)
{
	unsigned n = fuse_clear(&f->fuse, f->now_ns);

	board_event(f->board, f->wall_ns, f->generation, EVENT_FUSED, 0,
		    "unfused by command: %u request%s may pass again", n, PLURAL(n));
	logbook_say(&f->log, f->wall_ns, "unfused by command: %u request%s may pass again", n,
		    PLURAL(n));
}
