/*
 * handover - gives the file that an answer is in to the front (wsgi.file_wrapper), which sends it without the worker.
 */
#pragma once
#include "shared/base.h"
#include <sys/types.h>

struct lane;

/* Before the head that says so. False: the front does not take it; read it. Holds the GIL; lets it go meanwhile. */
bool handover_file(const struct lane *l, int fd, off_t at);
