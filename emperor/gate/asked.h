/*
 * asked - what somebody wants who comes to the address of an app that is down: is it a whole question yet, and in which
 * form must it be refused? Pure.
 */
#pragma once
#include "emperor/gate/answer.h"
#include "emperor/role.h"
#include "shared/span.h"

enum asked { ASKED_MORE, ASKED_WHOLE };

/* The X-Request-ID of an HTTP request whose head is whole, if it can be taken over; else n = 0. Into request. */
struct span asked_request_id(struct span request);

/*
 * Fills what the bytes say of the answer: status and why if they are no request, no_body, wire and id; the rest of *ret stays.
 * ended: no more will come, and ASKED_WHOLE is all there is to say.
 */
enum asked asked_find(enum gate_protocol protocol, struct span bytes, bool ended,
		      struct answer *ret);
