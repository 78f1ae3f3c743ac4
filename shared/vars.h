/*
 * vars - the environment of one request as it travels from the front to a worker: CGI names and values in one
 * run of bytes. Written by vassal/proto, read by vassal/engine; both ends trust the other only to be the same
 * program, so reading checks every length all the same (a front may be newer than a worker never, but memory
 * that a worker has scribbled on is still ours to survive).
 *
 * Layout, repeated: u16 key length, u32 value length, key bytes, value bytes; native endian, unaligned.
 * Keys are CGI names (REQUEST_METHOD, HTTP_ACCEPT ...), values raw bytes that Python reads as latin-1.
 */
#pragma once
#include "shared/span.h"

#define VARS_ITEM_HEAD 6

struct vars {
	uint8_t *p; /* borrowed buffer */
	size_t n, size;
	unsigned count;
	bool overflow; /* something did not fit: the request is too large (431) */
};

static inline void vars_init(struct vars *v, void *buf, size_t size)
{
	*v = (struct vars){.p = buf, .size = size};
}

/* Room for a key and, right behind it, a value, both to be filled in by the caller; NULL if it does not fit. */
static inline char *vars_reserve_item(struct vars *v, size_t key_n, size_t value_n)
{
	uint16_t kn = (uint16_t)key_n;
	uint32_t vn = (uint32_t)value_n;
	uint8_t *p = v->p + v->n;

	if (v->overflow || key_n > UINT16_MAX || value_n > UINT32_MAX / 2 ||
	    VARS_ITEM_HEAD + key_n + value_n > v->size - v->n) {
		v->overflow = true;
		return NULL;
	}
	memcpy(p, &kn, 2);
	memcpy(p + 2, &vn, 4);
	v->n += VARS_ITEM_HEAD + key_n + value_n;
	v->count++;
	return (char *)p + VARS_ITEM_HEAD;
}

/* Room for a value of value_n bytes, to be filled in by the caller; NULL if it does not fit. */
static inline char *vars_reserve(struct vars *v, struct span key, size_t value_n)
{
	char *p = vars_reserve_item(v, key.n, value_n);

	if (!p)
		return NULL;
	memcpy(p, key.p, key.n);
	return p + key.n;
}

/* The value of the item reserved last, whose key has key_n bytes, turned out shorter: value_n bytes of reserved. */
static inline void vars_shrink_last(struct vars *v, size_t key_n, size_t reserved, size_t value_n)
{
	uint32_t vn = (uint32_t)value_n;

	memcpy(v->p + v->n - reserved - key_n - 4, &vn, 4);
	v->n -= reserved - value_n;
}

static inline void vars_add(struct vars *v, struct span key, struct span value)
{
	char *p = vars_reserve(v, key, value.n);

	if (p && value.n > 0)
		memcpy(p, value.p, value.n);
}

/* Steps through: *at starts at 0. False at the end or when a length does not fit (*at then stays below n). */
static inline bool vars_next(const uint8_t *p, size_t n, size_t *at, struct span *ret_key,
			     struct span *ret_value)
{
	uint16_t kn;
	uint32_t vn;

	if (n - *at < VARS_ITEM_HEAD)
		return false;
	memcpy(&kn, p + *at, 2);
	memcpy(&vn, p + *at + 2, 4);
	if (n - *at - VARS_ITEM_HEAD < (size_t)kn + vn)
		return false;
	*ret_key = span_of((const char *)p + *at + VARS_ITEM_HEAD, kn);
	*ret_value = span_of((const char *)p + *at + VARS_ITEM_HEAD + kn, vn);
	*at += VARS_ITEM_HEAD + (size_t)kn + vn;
	return true;
}
