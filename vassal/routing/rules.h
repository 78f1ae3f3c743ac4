/*
 * rules - the routing table of an ini (shared/routing.h), compiled, and what it says of one request. Pure: a lookup of
 * variables goes in, a verdict comes out; files, passwords and answers are the caller's.
 */
#pragma once
#include "shared/limits.h"
#include "shared/routing.h"
#include "shared/span.h"

struct err;
struct rules;

enum rules_kind {
	RULES_PASS,     /* to the app, or whatever else answers */
	RULES_ANSWER,   /* with status, from rule break */
	RULES_REDIRECT, /* with status; text is the Location */
	RULES_STATIC,   /* text is a path below the rule's root */
	RULES_ASK, /* is the client let in by rule? Then go on from next; else 401, or go on if next_is_tried */
};

/* A request's variable; {NULL, 0}: there is none. What it points to must live until rules_run() returns. */
typedef struct span rules_lookup_fn(void *arg, struct span name);

struct rules_verdict { /* zeroed before the first call; a later one goes on with it */
	enum rules_kind kind;
	unsigned status;
	const struct routing_rule *rule; /* borrowed from what it was compiled of */
	unsigned next;                   /* the rule to go on with */
	bool donotlog;
	const char *scheme; /* "http", "https"; NULL: as it is */
	size_t text_n, headers_n;
	char text[LIMIT_ROUTING_TEXT];
	char headers[LIMIT_ROUTING_TEXT]; /* "Name: value\r\n" ... */
};

/* Rules are borrowed. A regular expression that is none: -EINVAL, with the rule's place. No rules: *ret is NULL. */
int rules_new(struct rules **ret, const struct routing *routing, struct err *err);
void rules_free(struct rules *r);

/*
 * From v->next on. -E2BIG: something that it makes is too long; -EDOM: a regular expression takes too many steps;
 * -EILSEQ: what would become a header or a file's name has bytes that cannot be in one. The request is to be refused then:
 * a rule that cannot be judged may be the one that protects it.
 */
int rules_run(const struct rules *r, rules_lookup_fn *lookup, void *arg, struct rules_verdict *v);
