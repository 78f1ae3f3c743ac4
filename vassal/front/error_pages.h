/*
 * error_pages - the operator's own pages for errors that the front answers (error-page-*), read once, at the start; and
 * the fields of add-header.
 */
#pragma once
#include "shared/span.h"

struct error_pages;
struct front;

struct error_page {
	unsigned status;
	struct span type;
	char *text; /* owned */
	size_t n;
};

/* Files that cannot be read are told of and left out. 0 or -ENOMEM. */
int error_pages_load(struct front *f);
void error_pages_free(struct error_pages *p);
/* NULL: none. */
const struct error_page *error_pages_find(const struct error_pages *p, unsigned status);
