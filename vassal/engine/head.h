/*
 * head - an answer's head, from the app's strings to the payload of a FRAME_HEAD. Pure; knows no Python.
 *
 * What PEP 3333 and RFC 9110 forbid is refused here, with a text that the app's author sees in the traceback: bytes
 * that could split the answer, names that are no tokens, fields that belong to the connection and not to the app.
 */
#pragma once
#include "shared/span.h"
#include "vassal/exchange/exchange.h"

struct err;

/* A whole head is one frame. */
#define HEAD_SIZE EXCHANGE_FRAME_MAX

struct head {
	uint8_t *p; /* HEAD_SIZE bytes, the caller's; begins with struct frame_head */
	size_t n;   /* used; 0 = no head yet */
	struct frame_head frame;
};

/* status: "200 OK" or "200". Begins anew, whatever was there before. */
int head_begin(struct head *h, struct span status, struct err *err);
int head_field(struct head *h, struct span name, struct span value, struct err *err);
/* Puts the fixed part in place; h->n bytes of h->p are then the payload. */
void head_finish(struct head *h);

/* RFC 9110 6.4.1: these answers have no body, and a length says nothing about bytes that follow. */
static inline bool head_is_bodiless(const struct head *h)
{
	return h->frame.status == 204 || h->frame.status == 304;
}
