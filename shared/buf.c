/*
 * buf - see buf.h. Consuming only moves a mark; the bytes move to the front when room is wanted at the end, and then
 * only if that makes enough of it.
 */
#include "shared/buf.h"

#include <errno.h>

#include "shared/copy.h"

/* The first allocation: most heads and control lines fit, so that growing is the exception. */
#define FIRST_ROOM 512

static bool grow(struct buf *b, size_t need, size_t limit)
{
	size_t room = MAX(b->room, (size_t)FIRST_ROOM);
	char *p;

	while (room < need)
		room = room > limit / 2 ? limit : room * 2;
	room = MIN(room, limit);
	p = malloc(room);
	if (!p)
		return false;
	if (b->p)
		memcpy(p, b->p + b->start, b->n);
	free(b->p);
	b->p = p;
	b->start = 0;
	b->room = room;
	return true;
}

char *buf_reserve(struct buf *b, size_t want, size_t limit)
{
	if (b->n > limit || want > limit - b->n)
		return NULL;
	if (b->p && want <= b->room - b->start - b->n)
		return b->p + b->start + b->n;
	if (b->p && b->n + want <= b->room) {
		memmove(b->p, b->p + b->start, b->n);
		b->start = 0;
	} else if (!grow(b, MAX(b->n + want, (size_t)1), limit)) {
		return NULL;
	}
	return b->p + b->n;
}

int buf_append(struct buf *b, const void *data, size_t n, size_t limit)
{
	char *p;

	if (n == 0)
		return 0;
	p = buf_reserve(b, n, limit);
	if (!p)
		return b->n > limit || n > limit - b->n ? -ENOBUFS : -ENOMEM;
	copy_bytes(p, data, n);
	b->n += n;
	return 0;
}

void buf_consume(struct buf *b, size_t n)
{
	n = MIN(n, b->n);
	b->n -= n;
	b->start = b->n > 0 ? b->start + n : 0;
}

void buf_done(struct buf *b)
{
	free(b->p);
	*b = (struct buf){0};
}
