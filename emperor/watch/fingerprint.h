/*
 * fingerprint - by what two looks at one ini are told apart. Everything that a deploy can change counts: an older mtime
 * (rsync -t, git checkout), a rewrite within one second, a link that was switched to another release. Pure.
 */
#pragma once
#include "shared/base.h"
#include <sys/stat.h>

struct fingerprint {
	uint64_t device, inode, size;
	int64_t mtime_ns, ctime_ns;
	uint64_t content; /* digest of the bytes */
	uint64_t target;  /* digest of the path that all links lead to */
};

enum fingerprint_change { /* in rising order: the last that applies is the one to tell */
			  FINGERPRINT_SAME,
			  FINGERPRINT_TOUCHED, /* times or the inode, not the bytes */
			  FINGERPRINT_MOVED,   /* links lead to another file */
			  FINGERPRINT_CONTENT, /* other bytes */
};

/* FNV-1a, 64 bits: for telling apart, not for trust. */
uint64_t fingerprint_digest(const void *data, size_t n);
void fingerprint_make(struct fingerprint *ret, const struct stat *st, uint64_t content,
		      const char *target);
enum fingerprint_change fingerprint_compare(const struct fingerprint *was,
					    const struct fingerprint *now);
