/*
 * request_id - sixteen hexadecimal digits that tell one request from all others: in the log, in X-Request-ID. Not
 * secret: xoshiro256** seeded by the kernel is fast and never repeats in practice.
 */
#pragma once
#include "shared/base.h"

#define REQUEST_ID_N 16

struct request_id_source {
	uint64_t s[4];
};

void request_id_seed(struct request_id_source *r);
/* 16 digits and a NUL. */
void request_id_make(struct request_id_source *r, char buf[REQUEST_ID_N + 1]);
