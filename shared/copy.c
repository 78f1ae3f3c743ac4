/*
 * copy - see copy.h.
 */
#include "shared/copy.h"

#define PAGE  4096
#define NEAR  32   /* bytes behind the source, within a page, that make it slow */
#define LONG  2048 /* from where on libc uses the instruction */
#define BLOCK 64

static bool is_slow(const void *to, const void *from, size_t n)
{
	size_t behind = ((uintptr_t)to - (uintptr_t)from) % PAGE;

	return n >= LONG && behind > 0 && behind < NEAR;
}

void copy_bytes(void *to, const void *from, size_t n)
{
	char *t = to;
	const char *f = from;

	/*
	 * From the end, so that no load waits for a store that only looks like its own: 2.7 us. The barrier: a compiler that
	 * knows memcpy by its shape would call it.
	 */
	if (is_slow(to, from, n)) {
		for (; n >= BLOCK; n -= BLOCK) {
			char block[BLOCK];

			memcpy(block, f + n - BLOCK, BLOCK);
			memcpy(t + n - BLOCK, block, BLOCK);
			__asm__ volatile("" ::: "memory");
		}
	}
	if (n > 0)
		memcpy(t, f, n);
}
