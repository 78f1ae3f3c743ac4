/*
 * table - rows for people: columns as wide as their widest cell, numbers to the right, and the last column cut to what
 * the terminal shows. Cells are made harmless first: an app's text cannot command a terminal.
 */
#pragma once
#include "shared/base.h"
#include <stdio.h>

#define TABLE_COLUMNS 12

struct table { /* zeroed but for columns and right */
	size_t columns;
	uint32_t right; /* bit i: column i is of numbers */
	size_t rows;
	char **cells; /* owned, rows * columns */
	bool failed;  /* out of memory: nothing is printed */
};

/* A row of t->columns strings. The first row is the heading. */
void table_add(struct table *t, const char *const *cells);
/* width: of the terminal; 0 = unlimited. 0 or -ENOMEM. */
int table_print(const struct table *t, FILE *out, size_t width);
void table_done(struct table *t);

/* Columns that a UTF-8 text takes, counting each code point as one. */
size_t table_width(const char *text);
