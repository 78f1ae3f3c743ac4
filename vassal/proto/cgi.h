/*
 * cgi - the variables of a request whose proxy sends an environment instead of a head: uwsgi, FastCGI, SCGI. One
 * reading for all three.
 *
 * Only CGI names pass (upper case, digits, '_'); UWSGI_FILE and its kin, which would load code, are dropped; the last
 * of equal keys wins, but a field that comes again (nginx before 1.23 hands each on) is joined as http1 does it; an
 * empty CONTENT_LENGTH is absent; PATH_INFO and SCRIPT_NAME are derived when the proxy's params omit them (nginx's
 * stock fastcgi_params and scgi_params do).
 */
#pragma once
#include "shared/limits.h"
#include "shared/vars.h"
#include "vassal/proto/request.h"

#define CGI_BUCKETS 128

struct cgi_pair {
	struct span key, value;
	uint16_t older;  /* index + 1 of the pair before it in its bucket */
	uint16_t before; /* index + 1 of the value before this one, which has no key of its own */
};

struct cgi_pairs {
	unsigned n;
	uint16_t bucket[CGI_BUCKETS]; /* index + 1 of its newest pair */
	struct cgi_pair list[LIMIT_CGI_VARS];
};

/* Both empty; pairs may be NULL. */
void cgi_begin(struct cgi_pairs *pairs, struct request *rq);
/* A name that is none of CGI is left out. False: the table is full. */
bool cgi_add(struct cgi_pairs *pairs, struct span key, struct span value);
/*
 * What the pairs mean: fills *rq and writes the environment. 0, or PROTO_BAD with status and reason. manage_script: the
 * proxy sends the whole path and SCRIPT_NAME beside it (uwsgi's modifier 30); one that does so without saying it is known
 * by REQUEST_URI.
 */
int cgi_request(struct cgi_pairs *pairs, bool manage_script, const struct request_facts *facts,
		struct request *rq, struct vars *vars);
/* PROTO_BAD, said on rq. reason: static. */
int cgi_bad(struct request *rq, int status, const char *reason);
