/*
 * logfile - opens an app's log file (logto) for its front. Never through a final link, never anything but a regular file
 * or a character device, never blocking.
 */
#pragma once
#include "shared/base.h"

struct err;
struct loaded;

/* *ret_fd -1: the ini names none. */
int logfile_open(const struct loaded *l, int *ret_fd, struct err *err);
