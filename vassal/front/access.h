/*
 * access - the line that the log holds of each request. Pure; no printf: it is made a hundred thousand times a second.
 *
 *   2026-11-21T05:23:55.123Z 127.0.0.1 "GET /path" 200 1234 queue=0.2ms app=1.4ms worker=1 id=4f0c...
 *
 * and behind it, if the app has set some: logvars="user=me order=17"
 */
#pragma once
#include "shared/limits.h"
#include "shared/span.h"

#define ACCESS_LINE \
	(640 + 14 + 4 * LIMIT_LOGVARS) /* time, address, a cut path, numbers, id; the app's own */
#define ACCESS_STAMP 24                /* "2026-11-21T05:23:55.123Z" */

struct access {
	uint64_t wall_ns;
	const char *client; /* "" for a UNIX peer: "-" */
	const char *line;   /* "GET /path"; quotes and controls in it are escaped */
	const char *id;
	unsigned status; /* 0: none could be sent, "-" */
	uint64_t bytes;  /* of the body */
	uint64_t queue_ns, app_ns;
	unsigned worker;     /* 1-based; 0: the front answered, "-" */
	const char *logvars; /* escaped as line is; NULL or "": none */
};

/* Both return the length; not terminated. The line ends with its newline. */
size_t access_stamp(char buf[ACCESS_STAMP], uint64_t wall_ns);
size_t access_format(char buf[ACCESS_LINE], const struct access *a);
