/*
 * fuse - see fuse.h.
 */
#include "vassal/front/fuse.h"

static bool is_open(const struct fuse_entry *e, uint64_t now_ns)
{
	return e->until_ns > now_ns;
}

static bool is_past(const struct fuse_entry *e, uint64_t now_ns)
{
	return !is_open(e, now_ns) && now_ns - e->killed_ns > FUSE_WINDOW_NS;
}

static void drop(struct fuse *f, unsigned i)
{
	f->v[i] = f->v[--f->n];
}

static void forget_past(struct fuse *f, uint64_t now_ns)
{
	for (unsigned i = f->n; i > 0; i--)
		if (is_past(&f->v[i - 1], now_ns))
			drop(f, i - 1);
}

static struct fuse_entry *find(struct fuse *f, const struct fuse_key *key)
{
	for (unsigned i = 0; i < f->n; i++)
		if (f->v[i].key.request == key->request && f->v[i].key.body == key->body)
			return &f->v[i];
	return NULL;
}

/* Suspects give way before those that are fused, and of each the one that killed longest ago. */
static unsigned weakest(const struct fuse *f, uint64_t now_ns)
{
	unsigned best = 0;

	for (unsigned i = 1; i < f->n; i++) {
		bool open = is_open(&f->v[i], now_ns);
		bool best_open = is_open(&f->v[best], now_ns);

		if (open != best_open ? best_open : f->v[i].killed_ns < f->v[best].killed_ns)
			best = i;
	}
	return best;
}

bool fuse_killed(struct fuse *f, const struct fuse_key *key, pid_t pid, uint64_t now_ns)
{
	struct fuse_entry *e;

	forget_past(f, now_ns);
	e = find(f, key);
	if (!e) {
		if (f->n == FUSE_ENTRIES)
			drop(f, weakest(f, now_ns));
		f->v[f->n++] = (struct fuse_entry){.key = *key, .pid = pid, .killed_ns = now_ns};
		return false;
	}
	/* several threads of one process may have had it: that was one death */
	if (e->pid == pid)
		return false;
	e->pid = pid;
	e->killed_ns = now_ns;
	e->until_ns = now_ns + FUSE_OPEN_NS;
	return true;
}

void fuse_survived(struct fuse *f, const struct fuse_key *key)
{
	const struct fuse_entry *e = find(f, key);

	if (e)
		drop(f, (unsigned)(e - f->v));
}

uint64_t fuse_left_ns(struct fuse *f, const struct fuse_key *key, uint64_t now_ns)
{
	const struct fuse_entry *e;

	forget_past(f, now_ns);
	e = find(f, key);
	return e && is_open(e, now_ns) ? e->until_ns - now_ns : 0;
}

unsigned fuse_clear(struct fuse *f, uint64_t now_ns)
{
	unsigned open = 0;

	for (unsigned i = 0; i < f->n; i++)
		open += is_open(&f->v[i], now_ns);
	f->n = 0;
	return open;
}
