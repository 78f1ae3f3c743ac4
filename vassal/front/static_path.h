/*
 * static_path - the pure half of static files: which paths belong to a static-map, what a file's type is called, what
 * a conditional request asks for.
 */
#pragma once
#include "shared/limits.h"
#include "shared/span.h"

/* Does path lie under mount, on a segment boundary? The rest, still percent-encoded, without leading slashes. */
bool static_path_match(const char *mount, struct span path, struct span *ret_rest);
/*
 * Decodes %XX into a relative path for openat(). False for what cannot name a file below a directory: NUL, bad
 * escapes, a ".." segment, an empty path, one that ends with '/', too long.
 */
bool static_path_decode(struct span rest, char buf[LIMIT_STATIC_PATH]);
/* "text/css; charset=utf-8"; application/octet-stream if the ending is unknown. */
struct span static_path_type(const char *path);
/* Does If-None-Match (a list, or "*") name this tag? Weak comparison (RFC 9110 8.8.3.2). */
bool static_path_none_match(struct span field, struct span etag);
/* IMF-fixdate to seconds, -1 if it is anything else. */
int64_t static_path_date(struct span text);
