/*
 * shapes - an exchange made, a request put into it and answered: in one process.
 */
#pragma once
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "shared/clock.h"
#include "shared/err.h"
#include "vassal/exchange/exchange.h"
#include "vassal/exchange/layout.h"

static inline struct exchange *make(unsigned slots, unsigned workers, unsigned threads)
{
	struct exchange_shape shape = {slots, workers, threads};
	struct exchange *x;
	struct err err;

	assert_int_equal(exchange_create(&x, &shape, &err), 0);
	return x;
}

static inline unsigned submit(struct exchange *x, const char *line)
{
	int slot = exchange_slot_get(x);

	assert_true(slot >= 0);
	(void)snprintf(exchange_request(x, (unsigned)slot)->line,
		       sizeof(exchange_request(x, (unsigned)slot)->line), "%s", line);
	exchange_submit(x, (unsigned)slot);
	return (unsigned)slot;
}

/* A worker that answers with the line it was asked, in three frames published as one. */
static inline void answer(struct exchange *x, unsigned lane, unsigned slot)
{
	const char *line = exchange_request(x, slot)->line;
	struct frame_head head = {.status = 200, .length = (int64_t)strlen(line)};
	struct frame_end end = {.app_ns = 1};
	uint8_t *p;

	p = exchange_reply_room(x, lane, sizeof(head));
	assert_non_null(p);
	memcpy(p, &head, sizeof(head));
	exchange_reply_commit(x, lane, slot, FRAME_HEAD, sizeof(head), false);
	p = exchange_reply_room(x, lane, strlen(line));
	memcpy(p, line, strlen(line));
	exchange_reply_commit(x, lane, slot, FRAME_DATA, strlen(line), false);
	p = exchange_reply_room(x, lane, sizeof(end));
	memcpy(p, &end, sizeof(end));
	exchange_reply_commit(x, lane, slot, FRAME_END, sizeof(end), true);
}

struct buried {
	unsigned slots[8], n;
};

static inline void remember(void *arg, unsigned slot, unsigned lane)
{
	struct buried *b = arg;

	(void)lane;
	b->slots[b->n++] = slot;
}
