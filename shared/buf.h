/*
 * buf - a growable run of bytes with a limit. Zeroed = empty. Consumed from the front, appended at the end.
 */
#pragma once
#include "shared/span.h"

struct buf {
	char *p;         /* owned */
	size_t start, n; /* n live bytes from p + start */
	size_t room;     /* allocated */
};

/* Room for at least want more bytes at the end, or NULL (-> out of memory or over limit). */
char *buf_reserve(struct buf *b, size_t want, size_t limit);
static inline void buf_commit(struct buf *b, size_t n)
{
	b->n += n;
}
int buf_append(struct buf *b, const void *data, size_t n, size_t limit);
void buf_consume(struct buf *b, size_t n);
void buf_done(struct buf *b);

static inline struct span buf_span(const struct buf *b)
{
	return span_of(b->p ? b->p + b->start : "", b->n);
}
