/*
 * static_cache - see static_cache.h.
 */
#include "vassal/front/static_cache.h"

#include "shared/clock.h"
#include "shared/limits.h"

static struct static_entry **chain_of(struct static_cache *c, unsigned root, const char *path)
{
	uint64_t h = 14695981039346656037ULL ^
		     root; /* FNV-1a: the table is small, and who fills it gains nothing */

	for (; *path; path++)
		h = (h ^ (unsigned char)*path) * 1099511628211ULL;
	return &c->chains[(h ^ h >> 32) % ARRAY_SIZE(c->chains)];
}

static void work_close(struct diskjob *disk)
{
	static_found_done(&container_of(disk, struct static_entry, closing)->found);
}

static void on_closed(struct diskjob *disk)
{
	free(container_of(disk, struct static_entry, closing));
}

void static_entry_leave(struct static_entry *e, struct diskpool *far_disk)
{
	if (!e || --e->users > 0)
		return;
	e->closing = (struct diskjob){.work = work_close, .done = on_closed};
	if (e->found.far && far_disk && diskpool_submit(far_disk, &e->closing))
		return;
	static_found_done(&e->found);
	free(e);
}

void static_cache_forget(struct static_cache *c, struct static_entry *e)
{
	struct static_entry **at = chain_of(c, e->root, e->path);

	if (!e->listed)
		return;
	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	e->listed = false;
	c->n--;
	static_entry_leave(e, NULL);
}

struct static_entry *static_cache_find(struct static_cache *c, unsigned root, const char *path,
				       bool directory, uint64_t now_ns)
{
	struct static_entry *e = *chain_of(c, root, path);

	while (e && (e->root != root || e->directory != directory || !str_eq(e->path, path)))
		e = e->next;
	if (!e)
		return NULL;
	if (now_ns - e->looked_ns >= LIMIT_STATIC_FILE_S * NS_PER_S) {
		static_cache_forget(c, e);
		return NULL;
	}
	e->used_ns = now_ns;
	e->users++;
	return e;
}

static void forget_oldest(struct static_cache *c)
{
	struct static_entry *oldest = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(c->chains); i++)
		for (struct static_entry *e = c->chains[i]; e; e = e->next)
			if (!oldest || e->used_ns < oldest->used_ns)
				oldest = e;
	if (oldest)
		static_cache_forget(c, oldest);
}

struct static_entry *static_cache_add(struct static_cache *c, unsigned root, const char *path,
				      bool directory, struct static_found *found, uint64_t now_ns)
{
	struct static_entry **chain = chain_of(c, root, path);
	size_t n = strlen(path) + 1;
	struct static_entry *e = malloc(sizeof(*e) + n);

	if (!e)
		return NULL;
	*e = (struct static_entry){.found = *found,
				   .users = 1,
				   .root = root,
				   .directory = directory,
				   .looked_ns = now_ns,
				   .used_ns = now_ns};
	memcpy(e->path, path, n);
	found->verdict = STATIC_NONE;
	for (unsigned i = 0; i < HTTP_CODING_COUNT; i++)
		found->forms[i].fd = -1;
	if (c->limit == 0 || e->found.far)
		return e;
	/* two that asked at once have both looked */
	for (struct static_entry *old = *chain; old; old = old->next)
		if (old->root == root && old->directory == directory && str_eq(old->path, path)) {
			static_cache_forget(c, old);
			break;
		}
	if (c->n >= c->limit)
		forget_oldest(c);
	e->next = *chain;
	*chain = e;
	e->listed = true;
	e->users++;
	c->n++;
	return e;
}

void static_cache_sweep(struct static_cache *c, uint64_t now_ns)
{
	for (size_t i = 0; i < ARRAY_SIZE(c->chains); i++)
		for (struct static_entry *e = c->chains[i], *next; e; e = next) {
			next = e->next;
			if (now_ns == UINT64_MAX ||
			    now_ns - e->used_ns >= LIMIT_STATIC_IDLE_S * NS_PER_S)
				static_cache_forget(c, e);
		}
}
