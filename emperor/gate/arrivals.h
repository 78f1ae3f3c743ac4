/*
 * arrivals - connections whose first head is not there yet: reads, keeps what has come, and shows it again to whoever
 * decides until that takes the connection. A connection whose head came in one piece is never registered anywhere.
 *
 * Bounded: LIMIT_GATE_CONNS, LIMIT_GATE_READ bytes and LIMIT_GATE_HEAD_S each; a buffer only for those that wait.
 */
#pragma once
#include "emperor/gate/client.h"
#include "emperor/gate/pollset.h"
#include "shared/span.h"

struct arrivals;
struct err;

/* Why no more bytes are waited for. */
enum arrivals_end {
	ARRIVALS_OPEN = 0, /* they are */
	ARRIVALS_LATE,     /* too many came, or it takes too long */
	ARRIVALS_SHUT,     /* the client has shut its sending side */
};

struct arrivals_handler {
	/* Bytes so far. True: the client was taken. False: not enough yet; only while end is ARRIVALS_OPEN. */
	bool (*decide)(void *arg, const struct client *c, struct span bytes, enum arrivals_end end);
	void *arg;
};

int arrivals_new(struct arrivals **ret_arrivals, struct pollset *ps, size_t limit,
		 const struct arrivals_handler *handler, struct err *err);
void arrivals_free(struct arrivals *a);

/* Takes the client, from which nothing was read yet, and reads. */
void arrivals_add(struct arrivals *a, const struct client *c, uint64_t now_ns);
/* Takes the client, from which these bytes were read: more of them than LIMIT_GATE_READ are decided upon at once. */
void arrivals_add_read(struct arrivals *a, const struct client *c, struct span bytes,
		       uint64_t now_ns);

/* Is there room for one more? When full, the oldest has to go if it has had a fair time to speak. */
bool arrivals_room(struct arrivals *a, uint64_t now_ns);
/* The oldest goes, if it has had a fair time to speak: others have no descriptor. False: nobody went. */
bool arrivals_give_way(struct arrivals *a, uint64_t now_ns);
void arrivals_sweep(struct arrivals *a, uint64_t now_ns);
/* Decides upon all of them now: the gate ends. */
void arrivals_end_all(struct arrivals *a);
size_t arrivals_count(const struct arrivals *a);
