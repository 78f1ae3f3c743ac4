/*
 * rows - an answer out of the history: what db reads, as the JSON text that serve.h describes. Runs on the store's
 * thread.
 */
#pragma once
#include "emperor/stats/store.h"

struct db;

/* A terminated text, the caller's to free. */
int rows_read(struct db *db, const struct store_question *q, char **ret_text, size_t *ret_n,
	      struct err *err);
