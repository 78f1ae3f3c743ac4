/*
 * http_date - an HTTP-date (RFC 9110 5.6.7) to seconds since 1970. All three forms are read; framing_date() writes the
 * one that may be sent.
 */
#pragma once
#include "shared/span.h"

#define HTTP_DATE_NONE INT64_MIN

/* HTTP_DATE_NONE if it is anything else. now_s decides which century two digits of a year mean. */
int64_t http_date_parse(struct span text, int64_t now_s);
