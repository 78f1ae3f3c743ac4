/*
 * static_send - the bytes of a file, or of parts of it, to a client that may be slow, from a disk that may be.
 */
#pragma once
#include "shared/base.h"

struct conn;
struct static_entry;
struct static_handed;
struct static_plan;

/*
 * The head stands in front->head_scratch, n bytes of it. Sends it and what the plan says; takes the use of entry and
 * handed.
 */
void static_send(struct conn *c, size_t n, const struct static_plan *plan, struct static_entry *e,
		 struct static_handed *handed);
