/*
 * fastcgi - FastCGI 1.0 on one connection, as a responder: records in, events out. Requests come one after another; a
 * second one beside the first is refused as the specification says (CANT_MPX_CONN).
 *
 *   IDLE --BEGIN_REQUEST--> PARAMS --empty PARAMS--> BODY --empty STDIN--> DONE --fastcgi_finish()--> IDLE
 *
 * Bytes may come in pieces of any size: what is in the middle of a record is kept here, payload is told where it
 * stands. Records of requests that are not in work are skipped.
 */
#pragma once
#include "shared/limits.h"
#include "shared/vars.h"
#include "vassal/proto/request.h"

#define FASTCGI_HEAD   8
#define FASTCGI_REPLY  88
#define FASTCGI_CHUNK  65528UL /* payload of one of our records: the most that needs no padding */
#define FASTCGI_ENDING 24      /* bytes of fastcgi_end() */

enum fastcgi_event {
	FASTCGI_MORE,   /* nothing to do; everything was used */
	FASTCGI_PARAMS, /* payload: a piece of the parameters */
	FASTCGI_READY,  /* the parameters are complete */
	FASTCGI_DATA,   /* payload: a piece of the body */
	FASTCGI_DONE,   /* the body is complete */
	FASTCGI_ABORT,  /* the request in work is not wanted any more */
	FASTCGI_ANSWER, /* reply is to be sent; hangs_up: and nothing after it */
	FASTCGI_BAD,    /* reason says why; for ever */
};

enum fastcgi_status { FASTCGI_COMPLETE = 0, FASTCGI_CANT_MPX = 1, FASTCGI_UNKNOWN_ROLE = 3 };

struct fastcgi { /* zeroed = at the beginning */
	unsigned phase;
	uint8_t head[FASTCGI_HEAD]; /* of the record that comes */
	unsigned head_n;
	unsigned left, padding; /* of its content and behind it */
	uint8_t small[LIMIT_FASTCGI_QUESTION];
	unsigned small_n;
	uint16_t id; /* of the request in work; 0: none */
	bool keep_conn;
	unsigned asked;
	bool hangs_up;
	uint8_t reply[FASTCGI_REPLY];
	size_t reply_n;
	const char *reason;
};

/*
 * Takes bytes up to the next event. Returns how many, at most n; *ret_payload points into p. max_conns: what a web server
 * that asks is told.
 */
size_t fastcgi_feed(struct fastcgi *s, const char *p, size_t n, unsigned max_conns,
		    enum fastcgi_event *ret_event, struct span *ret_payload);
/* Has the request in work all its parameters, so that its body comes or has come? */
bool fastcgi_has_params(const struct fastcgi *s);
/* Has the body of the request in work come to its end? */
bool fastcgi_is_complete(const struct fastcgi *s);
/* Between two requests, and between two records: whoever knows nothing of it can go on from here. */
bool fastcgi_is_idle(const struct fastcgi *s);
/* The request in work was answered. */
void fastcgi_finish(struct fastcgi *s);

/*
 * The collected parameters of one request: 0, or BAD. *ret is filled and the environment stands in vars, as cgi.h says.
 * The body is told by records: BODY_RECORDS, with its length if CONTENT_LENGTH says one.
 */
int fastcgi_request(const char *p, size_t n, const struct request_facts *facts, struct request *ret,
		    struct vars *vars);

/*
 * Puts an answer's bytes into STDOUT records. Pieces of in go to out with record heads before them, which stand in heads.
 * Returns the number of out's pieces; 0: there is nothing, or they do not fit.
 */
size_t fastcgi_stdout(uint16_t id, const struct span *in, size_t n, uint8_t (*heads)[FASTCGI_HEAD],
		      size_t heads_n, struct span *out, size_t out_n);
/* The head of one STDOUT record whose n bytes, at most FASTCGI_CHUNK, the caller sends behind it. */
void fastcgi_stdout_head(uint8_t head[FASTCGI_HEAD], uint16_t id, size_t n);
/* The end of STDOUT and of the request. */
void fastcgi_end(uint8_t buf[FASTCGI_ENDING], uint16_t id, enum fastcgi_status status);
