/*
 * fingerprint - see fingerprint.h.
 */
#include "emperor/watch/fingerprint.h"

#include "shared/clock.h"

#define FNV_OFFSET 0xcbf29ce484222325ULL
#define FNV_PRIME  0x00000100000001b3ULL

uint64_t fingerprint_digest(const void *data, size_t n)
{
	const unsigned char *p = data;
	uint64_t h = FNV_OFFSET;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * FNV_PRIME;
	return h;
}

static int64_t to_ns(const struct timespec *ts)
{
	return (int64_t)ts->tv_sec * (int64_t)NS_PER_S + ts->tv_nsec;
}

void fingerprint_make(struct fingerprint *ret, const struct stat *st, uint64_t content,
		      const char *target)
{
	*ret = (struct fingerprint){
		.device = st->st_dev,
		.inode = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime_ns = to_ns(&st->st_mtim),
		.ctime_ns = to_ns(&st->st_ctim),
		.content = content,
		.target = fingerprint_digest(target, strlen(target)),
	};
}

enum fingerprint_change fingerprint_compare(const struct fingerprint *was,
					    const struct fingerprint *now)
{
	if (was->content != now->content || was->size != now->size)
		return FINGERPRINT_CONTENT;
	if (was->target != now->target)
		return FINGERPRINT_MOVED;
	if (was->device != now->device || was->inode != now->inode ||
	    was->mtime_ns != now->mtime_ns || was->ctime_ns != now->ctime_ns)
		return FINGERPRINT_TOUCHED;
	return FINGERPRINT_SAME;
}
