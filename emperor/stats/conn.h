/*
 * conn - one client of a stats socket, from accept to the last byte: waits whether it speaks HTTP, reads its request,
 * writes what it is given, waits a moment for the client to close. What to answer is its owner's business.
 *
 * Nothing here blocks, and the whole of it takes at most LIMIT_STATS_S and the two grace times in conn.c.
 */
#pragma once
#include "emperor/stats/request.h"
#include <ev.h>

struct conn;

struct conn_events {
	/* The client wants something: NULL = bare JSON. Answer now or later, by conn_answer. */
	void (*request)(struct conn *c, const struct request *request);
	/* The owner takes longer than LIMIT_STATS_S with its answer: it is to give one now. */
	void (*late)(struct conn *c);
	/* Over; descriptor closed. The owner frees the object once the loop has turned. */
	void (*closed)(struct conn *c);
};

enum conn_phase { CONN_READING, CONN_ASKING, CONN_WRITING, CONN_LINGERING, CONN_CLOSED };

struct conn {
	/* the owner's */
	void *owner, *listener, *query;
	struct conn *next;

	/* conn.c's */
	struct ev_loop *loop;
	const struct conn_events *events;
	enum conn_phase phase;
	bool http, head_only;
	ev_io io;
	ev_timer timer;
	char *body; /* owned */
	size_t body_n, head_n, sent;
	size_t in_n;
	char head[512];
	char in[LIMIT_STATS_HEAD];
};

/* Takes fd (nonblocking), also on failure. NULL without memory. */
struct conn *conn_new(struct ev_loop *loop, int fd, const struct conn_events *events, void *owner,
		      void *listener);
/* Takes body (n bytes of JSON, from malloc); NULL = 500. Without HTTP the status is not shown. */
void conn_answer(struct conn *c, int status, char *body, size_t n);
/* {"error": why} */
void conn_refuse(struct conn *c, int status, const char *why);
/* Ends it at once; closed() is called. */
void conn_close(struct conn *c);
void conn_free(struct conn *c);
