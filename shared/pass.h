/*
 * pass - a client connection on its way between processes: its descriptor (SCM_RIGHTS) and the bytes that were
 * already read from it, one SEQPACKET message. Three ways, one format:
 *   gate -> front    a new connection whose first Host is this app's
 *   front -> gate    a later request that is another app's (the gate believes only descriptor and bytes, and takes
 *                    none that it has given for one request)
 *   front -> front   an idle connection of a generation that retires (MSG_RETIRE / MSG_ADOPT)
 *
 * Who answers the next request of a kept connection? A front may keep it only while the gate's word still holds:
 *   - the routes epoch (a uint32_t in shared memory, bumped by the emperor at each change of any route) is the
 *     one in the pass, and
 *   - the request's host equals the host of the first one (compared without case and port), and
 *   - its path lies under script (segment boundary) and under none of the carve-outs.
 * Anything else goes back to the gate with all bytes that were read.
 */
#pragma once
#include "shared/limits.h"
#include "shared/proxy.h"
#include "shared/span.h"

struct err;

#define PASS_MAGIC 0x53534150u /* "PASS" */

enum pass_flags {
	PASS_ONE_REQUEST =
		1, /* answer this request, say Connection: close: the next could be another uid's */
	PASS_OWN_LISTENER = 2, /* front -> front: came from the app's own address; no host rules. */
	PASS_BOUNCE = 4, /* carve-outs did not fit: every later request goes back to the gate */
	PASS_HOST =
		8, /* front -> front: its first request has been answered, host is what it named */
	PASS_FASTCGI = 32, /* front -> front: that is what it speaks, and no record is under way */
	PASS_UNOPENED =
		16, /* its first bytes are still to be looked at: they may be a PROXY header */
};

struct pass_head {
	uint32_t magic;
	uint32_t epoch;
	uint16_t flags;
	uint16_t listener; /* PASS_OWN_LISTENER: index of the listener; else the shared port's */
	uint16_t script_n; /* "" or "/blog": what the route matched */
	uint16_t carve_n;  /* NUL-terminated paths, one after the other */
	uint32_t bytes_n;
	uint16_t host_n; /* front -> front only */
	uint16_t reserved;
};

struct pass {
	struct pass_head head;
	struct span script, carve, host,
		bytes; /* into the buffer given to pass_recv, or the sender's own */
	/*
	 * Of who sends: goes ahead of bytes, and is part of them for who receives. The PROXY header, written again, of a
	 * connection that came with one; at most PROXY_V1_MAX bytes.
	 */
	struct span intro;
	int fd;
};

#define PASS_BYTES_MAX (LIMIT_PASS_BYTES + PROXY_V1_MAX)
#define PASS_BUF_SIZE \
	(sizeof(struct pass_head) + 1024 + LIMIT_CARVE_BYTES + LIMIT_HOST + 1 + PASS_BYTES_MAX)

/* Sends; the descriptor stays the caller's (close it once this returned 0). -EAGAIN, -ETOOMANYREFS: try later. */
int pass_send(int sock, const struct pass *p);

/* 1 = one connection, p->fd is the caller's; 0 = end of file; -EAGAIN; -EBADMSG = refused, nothing kept;
 * -EMFILE = it came, but no descriptor was left for it, and it is lost. */
int pass_recv(int sock, void *buf, size_t size, struct pass *ret_pass, struct err *err);

/* Is path inside prefix, on a segment boundary? "" and "/" hold everything; "/a" holds /a, /a/, /a/b, not /ab. */
bool pass_path_under(struct span path, struct span prefix);

/* The rule above, less the epoch: may a front that got (script, carve) answer this path itself? */
bool pass_path_ours(struct span path, struct span script, struct span carve);
