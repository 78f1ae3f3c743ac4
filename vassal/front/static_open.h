/*
 * static_open - opens a file below a directory and nowhere else.
 *
 * The kernel resolves names below the directory (openat2, RESOLVE_BENEATH): links, "..", renames during the walk lead
 * outside at no time. Links to elsewhere are followed only where the configuration names their destination
 * (static-safe), and absolute ones where they come back. A kernel without openat2 gets no links at all.
 */
#pragma once
#include "shared/option.h"
#include <sys/types.h>

/*
 * path is relative, without ".."; "" is root itself. safe: absolute directories, may be NULL. cached_only: -EAGAIN
 * instead of waiting for a disk. A descriptor for reading, or a negative errno; what it is of (a FIFO, a directory) is
 * the caller's to ask.
 */
int static_open(int root_fd, const char *path, const struct option_list *safe, bool cached_only);
/* The directory itself, O_PATH. cached_only: -EAGAIN instead of waiting for a disk, also where nobody can tell. */
int static_open_root(const char *path, bool cached_only);
/* Which file system that is of; known without asking it. 0 or -errno. */
int static_open_device(int fd, dev_t *ret);
