/*
 * request - what an HTTP client of a stats socket wants: from the bytes of its head to a value. Pure.
 */
#pragma once
#include "shared/base.h"
#include "shared/limits.h"

enum request_want { WANT_ROOT, WANT_APP, WANT_EVENTS, WANT_HISTORY, WANT_BLAME, WANT_INIS };

struct request {
	enum request_want want;
	bool head_only;       /* HEAD: everything but the body */
	char app[LIMIT_NAME]; /* "" = not named */
	int64_t after_id;     /* -1 = not given */
	unsigned n;           /* events or blame records */
	unsigned minutes;
	uint64_t generation; /* 0 = not given */
};

/*
 * 0 = more bytes are needed; 200 = *ret is filled in; else the status to answer with, *ret_why says why (static) and
 * ret->head_only holds as far as the method was understood. n at most LIMIT_STATS_HEAD.
 */
int request_parse(const char *p, size_t n, struct request *ret, const char **ret_why);

const char *request_status_text(int status);
