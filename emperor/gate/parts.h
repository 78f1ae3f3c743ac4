/*
 * parts - the gate's one context, for gate.c and orders.c alone.
 */
#pragma once
#include "emperor/gate/arrivals.h"
#include "emperor/gate/doors.h"
#include "emperor/gate/farewell.h"
#include "emperor/gate/pollset.h"
#include "emperor/gate/ports.h"
#include "emperor/gate/refusals.h"
#include "emperor/gate/routes.h"
#include "emperor/gate/standin.h"
#include "shared/request_id.h"
#include "shared/trust.h"

struct gate {
	struct ev_loop *loop;
	struct pollset pollset;
	struct ports *ports;
	struct arrivals *arrivals;
	struct doors *doors;
	struct standin *standin;
	struct farewell *farewell;
	struct routes *routes; /* NULL until the emperor has sent some */
	struct trust trust;
	int link_fd; /* -1: the emperor is gone */
	ev_io link_io;
	ev_timer sweep;
	ev_signal term;
	struct refusals refusals;
	struct request_id_source ids;
	bool term_asked, stopping;
	bool lost;           /* some of what the emperor said, since it began */
	uint64_t stop_at_ns; /* who is still in hand then is sent away */
};

/* gate.c */
/* for_good: no gate follows, the ports end with us. */
void gate_begin_stop(struct gate *g, bool for_good);

/* orders.c: the link has something to say, or has ended. */
void gate_on_link(struct ev_loop *loop, ev_io *io, int revents);
