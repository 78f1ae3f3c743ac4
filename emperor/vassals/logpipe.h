/*
 * logpipe - what one front says on its stderr, when the emperor's log is a file. The front gets a pipe and not the file:
 * whoever holds a file's descriptor can truncate it, however it was opened.
 */
#pragma once
#include "shared/base.h"
#include <ev.h>

struct err;

struct logpipe { /* zeroed but for fd = -1: none */
	int fd;  /* owned: what we read */
	struct ev_loop *loop;
	ev_io io;
	char *rest; /* owned: the beginning of a line whose end has not come; NULL */
	size_t rest_n;
};

/* *ret_write_fd: the front's end. */
int logpipe_open(struct logpipe *p, struct ev_loop *loop, int *ret_write_fd, struct err *err);
/* Goes on with one that an earlier emperor has opened. fd is taken. */
void logpipe_adopt(struct logpipe *p, struct ev_loop *loop, int fd);
/* Takes what stands in the pipe still, and ends. Somebody may write on for ever: no more than one pipe of it. */
void logpipe_close(struct logpipe *p);
