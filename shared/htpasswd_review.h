/*
 * htpasswd_review - what people should know of a file of basicauth before somebody is asked for a password: that it cannot be
 * read, whose hashes are soon guessed, and whose are not taken. One text for each kind, however many have it. For checks and starts:
 * the file is read here and now.
 */
#pragma once
#include "shared/base.h"

/* text: one line, "basicauth: PATH: ...". */
typedef void htpasswd_review_fn(void *arg, const char *text);

/* fd: of path, to be read from its beginning, and the caller's; or -errno, why it could not be opened. */
void htpasswd_review(const char *path, int fd, htpasswd_review_fn *fn, void *arg);
