/*
 * static_cache - files that were sent a moment ago, still open, so that the next who asks costs no lookup.
 *
 * What stands here is believed for LIMIT_STATIC_FILE_S and looked up again; that a file itself was changed, cut,
 * removed or replaced is found at each use (static_form_stands), whatever its age. Entries in use outlive their place.
 */
#pragma once
#include "vassal/front/diskpool.h"
#include "vassal/front/static_look.h"

struct static_entry {
	struct static_found found;
	struct diskjob closing;
	unsigned users;
	bool listed; /* may be found; counts as a user */
	unsigned root;
	bool directory; /* the URL ended with a slash */
	uint64_t looked_ns, used_ns;
	struct static_entry *next;
	char path[]; /* as it was asked for, decoded */
};

struct static_cache { /* zeroed: keeps nothing */
	struct static_entry *chains[64];
	unsigned n, limit;
};

/* The caller becomes a user; NULL: nothing that may be believed stands here. */
struct static_entry *static_cache_find(struct static_cache *c, unsigned root, const char *path,
				       bool directory, uint64_t now_ns);
/*
 * Takes *found over; the caller becomes a user. What is far is not kept: whether it still stands must not be asked here.
 * NULL: no memory, and found is still the caller's.
 */
struct static_entry *static_cache_add(struct static_cache *c, unsigned root, const char *path,
				      bool directory, struct static_found *found, uint64_t now_ns);
/* Not to be found any more; who uses it goes on. */
void static_cache_forget(struct static_cache *c, struct static_entry *e);
/* The last use closes its files: those that are far in a thread of far_disk, if there is one. */
void static_entry_leave(struct static_entry *e, struct diskpool *far_disk);
/* Closes what nobody has asked for lately; UINT64_MAX: everything. */
void static_cache_sweep(struct static_cache *c, uint64_t now_ns);
