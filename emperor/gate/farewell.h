/*
 * farewell - the last answer to a client, and a close that lets it arrive: write, shut down our side, then read and
 * drop what still comes for a while. A socket closed with unread bytes sends a reset, and a reset can overtake the
 * answer (RFC 9112 9.6).
 */
#pragma once
#include "emperor/gate/client.h"
#include "emperor/gate/pollset.h"

struct farewell;
struct err;

int farewell_new(struct farewell **ret_farewell, struct pollset *ps, struct err *err);
/* Closes whoever is still there. */
void farewell_free(struct farewell *f);

/* Takes the client. */
void farewell_say(struct farewell *f, const struct client *c, const char *text, size_t n,
		  uint64_t now_ns);
/* Ends those whose time is over. */
void farewell_sweep(struct farewell *f, uint64_t now_ns);
/* Closes the oldest before its time: others have no descriptor. False: there is none. */
bool farewell_give_way(struct farewell *f);
size_t farewell_count(const struct farewell *f);
