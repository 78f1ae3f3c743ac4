/*
 * standin - answers 503 at an app's own listeners while the app itself cannot: after a failure, in back-off, stopped.
 *
 * The emperor lends the listeners and takes them back before a generation serves. Who was accepted by then is still
 * answered here; who was not stands in the kernel's backlog and is the app's.
 */
#pragma once
#include "emperor/gate/answer.h"
#include "emperor/gate/client.h"
#include "emperor/gate/pollset.h"
#include "emperor/role.h"
#include "shared/span.h"

struct err;
struct standin;

struct standin_handler {
	/* Takes the client. */
	void (*answer)(void *arg, const struct client *c, const struct answer *a,
		       struct span request);
	/* Somebody waits: standin_sweep() must be called before long. */
	void (*busy)(void *arg);
	void *arg;
};

struct standin_listener { /* what is known of one that is lent */
	uint32_t app;
	uint64_t number;
	enum gate_protocol protocol;
	unsigned retry_after_s;
};

int standin_new(struct standin **ret_standin, struct ev_loop *loop, struct pollset *ps,
		const struct standin_handler *handler, struct err *err);
/* Who still waits is closed unanswered: standin_stop() comes first. */
void standin_free(struct standin *s);

/* Takes fd, in any case. Replaces the listener of that app and number if there is one. */
int standin_lend(struct standin *s, const struct standin_listener *what, int fd, struct err *err);
/* False: there is none. */
bool standin_take_back(struct standin *s, uint32_t app, uint64_t number);
/* Every listener is lent again from here on; one that was not by the end is let go. */
void standin_begin(struct standin *s);
void standin_end(struct standin *s);
void standin_drop_app(struct standin *s, uint32_t app);
/* Of all that the app has lent, for those who come from now on. */
void standin_set_retry(struct standin *s, uint32_t app, unsigned retry_after_s);

void standin_sweep(struct standin *s, uint64_t now_ns);
/* Clients that are waited for. */
/* As arrivals_give_way(): for a connection of somebody else. */
bool standin_give_way(struct standin *s, uint64_t now_ns);
size_t standin_count(const struct standin *s);
/* The gate ends: closes all listeners, answers who is in hand. */
void standin_stop(struct standin *s);
