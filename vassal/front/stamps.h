/*
 * stamps - how files look now, to see later that they have changed: a file by its inode, size and times, a directory by
 * all regular files below it. What Python writes itself (__pycache__), hidden names and editors' leftovers do not count.
 */
#pragma once
#include "shared/base.h"

struct stamp {
	bool there;
	uint64_t digest;
};

#define STAMP_FILES 8192 /* of one directory; the rest is not looked at */
#define STAMP_DEPTH 16   /* directories below it */

/* May wait for a disk: not for the loop. */
struct stamp stamp_take(const char *path);
/* Does a file that looked so now look otherwise? One that is gone does not: it may be on its way to be replaced. */
bool stamp_differs(const struct stamp *was, const struct stamp *now);
