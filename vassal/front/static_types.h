/*
 * static_types - what a file's type is called, by the ending of its name: types that browsers care for are built in, a
 * file like /etc/mime.types says the rest.
 */
#pragma once
#include "shared/span.h"

struct static_types {          /* zeroed: the built-in ones alone */
	struct static_type *v; /* by ending; owned, with the text that it points into */
	size_t n;
	char **texts;
	size_t texts_n;
	bool first; /* what was read comes before what is built in */
};

/*
 * Adds "type ending ending ..." lines, # begins a comment; what makes no sense is skipped, and so is what is beyond
 * LIMIT_MIME_TYPES. An ending that is known already keeps its type. -ENOMEM or 0; the bytes are copied.
 */
int static_types_add(struct static_types *t, struct span text);
/* "text/css; charset=utf-8"; application/octet-stream if the ending is unknown. Lives as long as t. */
struct span static_types_find(const struct static_types *t, const char *path);
void static_types_done(struct static_types *t);
