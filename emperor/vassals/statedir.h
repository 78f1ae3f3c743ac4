/*
 * statedir - RUN_DIR/state: one small file for each app, root's (or the emperor's own) alone. Written beside and renamed
 * into place, so a reader finds the old or the new one whole. What others could have written is not read.
 */
#pragma once
#include "shared/base.h"
#include "shared/span.h"

struct buf;
struct err;

int statedir_open(const char *run_dir, int *ret_dir_fd, struct err *err);
int statedir_write(int dir_fd, const char *name, struct span bytes, struct err *err);
/* Appends at most max bytes to out; -EFBIG if there are more. */
int statedir_read(int dir_fd, const char *name, struct buf *out, size_t max, struct err *err);
void statedir_remove(int dir_fd, const char *name);
/* Each app's name that has a file. Not while files are written or removed. */
int statedir_each(int dir_fd, void (*fn)(void *arg, const char *name), void *arg, struct err *err);
