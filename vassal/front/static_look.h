/*
 * static_look - what a path below a directory names: a file with its precompressed forms, the index of a directory, a
 * directory that wants a slash. Opens all of it at once, so that what is sent is what was looked at.
 *
 * Called in the loop (cached_only) and in disk threads.
 */
#pragma once
#include "shared/limits.h"
#include "vassal/proto/http_accept.h"
#include <sys/stat.h>

struct static_rules;

enum static_verdict {
	STATIC_NONE, /* nothing that is sent */
	STATIC_FILE,
	STATIC_MOVED, /* a directory with an index, asked for without its slash */
};

struct static_form { /* fd < 0: there is none */
	int fd;
	uint64_t size;
	struct timespec mtime;
	ino_t ino;
};

struct static_found {
	enum static_verdict verdict;
	struct static_form forms[HTTP_CODING_COUNT]; /* STATIC_FILE: identity always; owned */
	char name[LIMIT_STATIC_PATH];                /* below the directory, index included */
	bool far; /* the loop must not ask it anything: fd_is_far */
};

struct static_question {
	int root_fd;
	const char *target; /* the directory's name */
	const char *path;   /* decoded; "" is the directory */
	bool directory;     /* the URL ends with a slash */
	bool plain; /* the file itself alone: no index, no other form, whatever its ending */
	const struct static_rules *rules;
};

/* 0, or -EAGAIN (cached_only: a disk would be waited for), -EMFILE, -ENFILE. Then *ret holds nothing. */
int static_look(const struct static_question *q, bool cached_only, struct static_found *ret);
void static_found_done(struct static_found *found);
/* Is the file still the one that was looked at? Changed, cut, removed or replaced: no. */
bool static_form_stands(const struct static_form *form);
