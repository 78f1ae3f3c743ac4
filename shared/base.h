/*
 * base - the handful of macros every file may use. Knows nothing of the program.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)     ((a) < (b) ? (a) : (b))
#define MAX(a, b)     ((a) > (b) ? (a) : (b))
#define PLURAL(n)     ((n) == 1 ? "" : "s") /* "%u request%s" */

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* A local that ends itself: _cleanup_(fd_closep) int fd = ...; hand it on with TAKE_FD / TAKE_PTR. */
#define _cleanup_(fn)        __attribute__((cleanup(fn)))
#define _printf_(fmt, first) __attribute__((format(printf, fmt, first)))
#define _must_check_         __attribute__((warn_unused_result))
#define _unused_             __attribute__((unused))

/* clang-format off */
#define TAKE_PTR(p) ({ __auto_type _taken = (p); (p) = NULL; _taken; })
#define TAKE_FD(fd) ({ int _taken = (fd); (fd) = -1; _taken; })
/* clang-format on */

static inline void freep(void *p)
{
	free(*(void **)p);
}

static inline void fd_closep(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static inline bool str_eq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}
