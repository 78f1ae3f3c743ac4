/*
 * ports - the shared ports: listeners that the emperor opened, by the index that it gave them. Accepts, and recognises
 * a connection that claims to have come from one of them.
 */
#pragma once
#include "emperor/gate/client.h"
#include "shared/limits.h"
#include <ev.h>

struct err;
struct ports;
struct trust;

struct ports_handler {
	bool (*has_room)(void *arg); /* asked before each accept; false pauses all ports */
	/* accept() found no descriptor. True: one is free now; false pauses all ports, for a moment at least. */
	bool (*make_room)(void *arg);
	void (*accepted)(void *arg, const struct client *c);
	void *arg;
};

int ports_new(struct ports **ret_ports, struct ev_loop *loop, const struct trust *trust,
	      const struct ports_handler *handler, struct err *err);
void ports_free(struct ports *p);

/* Takes fd, in any case. Replaces the port of that index if there is one. */
int ports_set(struct ports *p, unsigned index, int fd, struct err *err);
/* Every port is set again from here on; one that was not by the end is closed. */
void ports_begin(struct ports *p);
void ports_end(struct ports *p);
/* After has_room() or make_room() said no. */
void ports_resume(struct ports *p);
bool ports_paused(const struct ports *p);
void ports_close(struct ports *p);
/*
 * Nobody has these ports after us: who waits in their backlog is accepted, then whoever comes is refused at once. Others
 * hold them as well, to keep them over a crash, and a client that got into a backlog would wait there for nobody.
 */
void ports_end_for_good(struct ports *p);

/*
 * A connection that somebody passed: a stream socket that is connected, and whose own address is one of our ports?
 * Fills *ret but for its descriptor's ownership, which stays the caller's. Believes nothing but the kernel.
 */
bool ports_recognise(const struct ports *p, int fd, struct client *ret);
