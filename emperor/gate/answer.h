/*
 * answer - the few HTTP answers that the gate gives itself. Pure.
 */
#pragma once
#include "shared/span.h"
#include <time.h>

#define ANSWER_MAX 800

enum answer_wire {
	ANSWER_HTTP,
	ANSWER_CGI,     /* "Status: 503 ..." for SCGI */
	ANSWER_FASTCGI, /* the same in a record, and the end of the request */
};

struct answer {
	int status;
	const char *why; /* a few words for the person who reads it; static, never from the peer */
	unsigned retry_after_s; /* 0 = no such field */
	bool no_body; /* the request was a HEAD: its length is said, the body is not sent */
	enum answer_wire wire;
	uint16_t id;            /* ANSWER_FASTCGI: the request's */
	struct span request_id; /* said in X-Request-ID and in the body; n = 0: it has none */
};

/* Writes the whole response, Connection: close. Returns its length. An unknown status is answered as 400. */
size_t answer_write(char buf[ANSWER_MAX], const struct answer *a, time_t now);
