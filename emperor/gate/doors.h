/*
 * doors - the apps as the gate knows them, and the way into each: a SEQPACKET pair whose messages are connections
 * (pass.h). The gate holds both ends: it sends into the one that is its own, and takes back from the other what waits
 * there when the app cannot come.
 */
#pragma once
#include "emperor/gate/client.h"
#include "shared/span.h"
#include <ev.h>

struct doors;
struct err;
struct ports;

struct doors_handler {
	/* Takes the client: its app cannot serve it. */
	void (*refuse)(void *arg, const struct client *c, struct span bytes,
		       unsigned retry_after_s);
	/* Takes the client: a front gave it back, with bytes that only the client can have sent, or so it says. */
	void (*handed_back)(void *arg, const struct client *c, struct span bytes);
	void *arg;
};

struct doors_pass { /* all borrowed */
	uint32_t epoch;
	bool bounce;
	bool proxied; /* bytes begin with a PROXY header */
	struct span script, carve, bytes;
};

int doors_new(struct doors **ret_doors, struct ev_loop *loop, const struct ports *ports,
	      const struct doors_handler *handler, struct err *err);
/* Queued connections are refused first. */
void doors_free(struct doors *d);

/* Takes both descriptors, in any case. An app of that id that is there gets them in place of its own. */
int doors_set_app(struct doors *d, uint32_t id, uint64_t uid, const char *name, int gate_fd,
		  int front_fd, struct err *err);
/* What waits is decided anew: its name may be another app's by now; else it is refused. */
void doors_drop_app(struct doors *d, uint32_t id);
/* Every app is named again from here on; one that was not by the end is dropped. */
void doors_begin(struct doors *d);
void doors_end(struct doors *d);
/* Going down, what waits is decided anew, as above. False: no such app. */
bool doors_set_state(struct doors *d, uint32_t id, bool down, unsigned retry_after_s);

/* Takes the client: passes it, queues it, or has it refused. */
void doors_pass(struct doors *d, uint32_t id, const struct client *c, const struct doors_pass *p,
		uint64_t now_ns);

/* Tries again where a door was full or the kernel had too many descriptors in flight; refuses who waited too long. */
void doors_sweep(struct doors *d, uint64_t now_ns);
/* Connections in all queues. */
size_t doors_queued(const struct doors *d);
/* Refuses all of them: the gate ends. */
void doors_end_all(struct doors *d);
