/*
 * static_ask - what a request says of the form in which it would have a file. From the fields of an HTTP head, or from
 * the variables that other protocols and exchange slots hold; there methods other than GET and HEAD have no conditions and
 * no ranges. Spans point into what was read.
 */
#pragma once
#include "vassal/proto/http_accept.h"
#include "vassal/proto/http_cond.h"

struct http_head;

struct static_ask { /* zeroed: nothing */
	struct http_cond cond;
	struct http_lines range;
	struct http_accept accept;
};

void static_ask_head(struct static_ask *a, const struct http_head *head);
void static_ask_vars(struct static_ask *a, const uint8_t *p, size_t n);
