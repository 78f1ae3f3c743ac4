/*
 * handback - connections on their way out of this front: back to the gate when a later request is another app's, on
 * to the next generation when this one retires. And their way in from an older generation.
 */
#pragma once
#include "shared/span.h"

struct conn;
struct front;
struct pass;
struct request;

/* May this request not be answered here (pass.h)? Notes the host of the first one. */
bool handback_is_foreign(struct conn *c, const struct request *rq);
/* Sends it back through the gate door with the bytes of the request and whatever follows. */
void handback_to_gate(struct conn *c, struct span bytes);
/* Tries again for a connection in CONN_PASS. */
void handback_retry(struct conn *c);
/* Nobody took it in time. */
void handback_expire(struct conn *c);
/* An idle connection of a front that retires. True: it is gone. */
bool handback_to_heir(struct conn *c);
/* An idle connection of a front that ends without an heir, back to the gate: its next request may be another app's.
   True: it is gone or waits for the gate. */
bool handback_leave(struct conn *c);
/* All that are idle now, the one way or the other. */
void handback_idle(struct front *f);
