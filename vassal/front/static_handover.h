/*
 * static_handover - an app that answers with X-Sendfile or X-Accel-Redirect names a file, and the front sends it: only
 * from below sendfile-root, without which these fields are the client's (or a proxy's) to read.
 */
#pragma once
#include "shared/span.h"

struct conn;
struct record;

/*
 * The head of an answer has come; nothing of it has been sent. True: it names a file. The connection then is answered
 * from that, or with 403, 404 or 503, and what else comes from the worker is nobody's. known: what its
 * end said, if that came along; else NULL.
 */
bool static_hand_over(struct conn *c, unsigned status, struct span reason, struct span fields,
		      const struct record *known);
