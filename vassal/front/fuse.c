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

static bool same(const struct fuse_key *a, const struct fuse_key *b)
{
	return a->request == b->request && a->body == b->body;
}

static struct fuse_entry *find(struct fuse *f, const struct fuse_key *key)
{
	for (unsigned i = 0; i < f->n; i++)
		if (same(&f->v[i].key, key))
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

/* Of this key no word more is needed to explain a death. */
static bool is_known(struct fuse *f, const struct fuse_key *key, uint64_t now_ns)
{
	const struct fuse_entry *e = find(f, key);

	return e && (is_open(e, now_ns) || e->proof == FUSE_ALONE);
}

/* What this death says of keys[i], by those that are known before it. */
static enum fuse_proof prove(const struct fuse_key *keys, const bool *known, size_t n, size_t i)
{
	enum fuse_proof proof = FUSE_ALONE;

	for (size_t k = 0; k < n && proof > FUSE_WEAK; k++)
		if (!same(&keys[k], &keys[i]))
			proof = known[k] ? FUSE_WEAK : FUSE_SHARED;
	return proof;
}

static bool is_copy(const struct fuse_key *keys, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (same(&keys[k], &keys[i]))
			return true;
	return false;
}

/* True: it is fused from now on. */
static bool count(struct fuse *f, const struct fuse_key *key, enum fuse_proof proof,
		  uint64_t now_ns)
{
	struct fuse_entry *e = find(f, key);
	bool kills;

	if (!e) {
		if (f->n == FUSE_ENTRIES)
			drop(f, weakest(f, now_ns));
		f->v[f->n++] =
			(struct fuse_entry){.key = *key, .proof = proof, .killed_ns = now_ns};
		return false;
	}
	kills = is_open(e, now_ns) || MAX(e->proof, proof) == FUSE_ALONE ||
		MIN(e->proof, proof) == FUSE_SHARED;
	e->proof = MAX(e->proof, proof);
	e->killed_ns = now_ns;
	if (kills)
		e->until_ns = now_ns + FUSE_OPEN_NS;
	return kills;
}

void fuse_died(struct fuse *f, const struct fuse_key *keys, size_t n, uint64_t now_ns,
	       bool *ret_fused)
{
	bool known[FUSE_ENTRIES];

	n = MIN(n, (size_t)FUSE_ENTRIES);
	forget_past(f, now_ns);
	for (size_t i = 0; i < n; i++)
		known[i] = is_known(f, &keys[i], now_ns);
	for (size_t i = 0; i < n; i++)
		ret_fused[i] =
			!is_copy(keys, i) && count(f, &keys[i], prove(keys, known, n, i), now_ns);
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
