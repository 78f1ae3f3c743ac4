/*
 * head - a request's head, of whichever protocol: parsed, noted on its connection, written into an exchange slot.
 *
 * It is parsed where it stands, and nothing of it is kept: who needs it again parses it again.
 */
#pragma once
#include "shared/http_head.h"
#include "shared/vars.h"
#include "vassal/proto/forwarded.h"
#include "vassal/proto/request.h"

struct conn;

struct parsed_head {           /* spans point into the bytes that were parsed */
	struct http_head head; /* HTTP only */
	struct request rq;
	bool is_forwarded; /* HTTP: a trusted proxy speaks for the client */
	struct forwarded forwarded;
	struct vars vars; /* uwsgi only: in front->vars_scratch */
};

/* Bytes of the head, 0 = more, -1 = bad: rq.status says how. scanned: bytes of it that an earlier look has seen. */
long head_parse(struct conn *c, const char *p, size_t n, size_t scanned, struct parsed_head *ret);
/* Onto the connection: what outlives the parse. */
void head_note(struct conn *c, const struct parsed_head *in);
/* Of a head that is refused: what of it is known, for the answer and for the log. */
void head_note_refused(struct conn *c, const struct parsed_head *in);
/* What it says, as variables: borrowed from the front, until the next head is looked at. */
void head_vars(struct conn *c, const struct parsed_head *in, struct vars *ret);
/* 0, or the status to refuse the request with. The body is not there yet; it may follow in vars. */
int head_fill(struct conn *c, unsigned slot, const struct parsed_head *in, struct vars *vars);
/* The request kept in c->in and c->body, into a slot: 0, or the status to refuse the request with. */
int head_fill_kept(struct conn *c, unsigned slot);
