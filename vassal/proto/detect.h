/*
 * detect - which protocol a connection speaks, by its first bytes. Never guesses: asks for more until only one is left,
 * and what none of them begins with is DETECT_UNKNOWN.
 */
#pragma once
#include "shared/span.h"

#define DETECT_BYTES 12 /* that many always decide */

enum detect_kind {
	DETECT_MORE,
	DETECT_HTTP,
	DETECT_UWSGI,
	DETECT_FASTCGI,
	DETECT_SCGI,
	DETECT_PROXY, /* another one follows it */
	DETECT_TLS,
	DETECT_UNKNOWN,
};

enum detect_kind detect(const char *p, size_t n);
