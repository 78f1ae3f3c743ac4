/*
 * routing - uWSGI's internal routing, the part of it that a front without Python can do:
 *
 *   route = ^/old/(.*) redirect-permanent:/new/$1        route-host, route-uri, route-qs, route-remote-addr,
 *   route-if = equal:${HTTP_X_FORWARDED_PROTO};http redirect:https://${HTTP_HOST}${REQUEST_URI}
 *   route-run = addheader:X-Frame-Options: DENY          route-user-agent, route-referer, route-if-not
 *
 * Rules are tried in order. What is not in these tables is an error and not a note: a rule that is dropped may have been
 * the password before /admin. Pure; regular expressions are kept as text, who runs them compiles them (front/rules.c).
 */
#pragma once
#include "shared/base.h"

struct err;

enum routing_subject { /* what a regular expression looks at */
		       ROUTING_PATH,
		       ROUTING_URI,
		       ROUTING_HOST,
		       ROUTING_QUERY,
		       ROUTING_PEER,
		       ROUTING_AGENT,
		       ROUTING_REFERER,
		       ROUTING_ALL, /* route-run: nothing is asked */
		       ROUTING_IF,  /* a test of texts */
		       ROUTING_UNLESS,
		       ROUTING_SUBJECTS,
};

enum routing_test {
	ROUTING_REGEXP,
	ROUTING_EQUAL,
	ROUTING_STARTS,
	ROUTING_ENDS,
	ROUTING_CONTAINS,
	ROUTING_EMPTY
};

enum routing_action {
	ROUTING_LAST,      /* no further rule; the request goes on */
	ROUTING_BREAK,     /* answered with status, at once */
	ROUTING_REDIRECT,  /* status 302, 301; text is where to */
	ROUTING_DONOTLOG,  /* and the next rule, as the following ones */
	ROUTING_ADDHEADER, /* name: text, in the answer */
	ROUTING_SETSCHEME, /* text, "http" or "https" */
	ROUTING_BASICAUTH, /* realm; user and password, or file */
	ROUTING_STATIC, /* text is the file; root its constant folder, out of which nothing leads */
};

/* "https://${HTTP_HOST}/$1": what stands there, variables, groups of the rule's regular expression. */
enum routing_piece_kind { ROUTING_TEXT, ROUTING_VAR, ROUTING_GROUP };
struct routing_piece {
	enum routing_piece_kind kind;
	unsigned group; /* 0 to 9 */
	char *text;     /* owned; of a variable its name */
};
struct routing_text { /* zeroed: "" */
	struct routing_piece *v;
	size_t n;
};

struct routing_rule {
	enum routing_subject subject;
	enum routing_test test;
	enum routing_action action;
	bool next_is_tried; /* basicauth-next: who is not let in by this one may be by a later one */
	unsigned status;
	char *pattern; /* ROUTING_REGEXP */
	struct routing_text left,
		right; /* of a test of texts; right is not used by regexp and empty */
	struct routing_text text;
	char *name; /* of the header */
	char *realm, *user, *password, *file, *root;
	char *where; /* "blog.ini:12", for messages */
};

struct routing { /* zeroed: no rule. Owns all of it */
	struct routing_rule *v;
	size_t n;
};

/* One line of an ini: option is its name ("route-host"). -EINVAL with a text that names what is wrong. */
int routing_add(struct routing *r, const char *option, const char *value, const char *where,
		struct err *err);
void routing_done(struct routing *r);
