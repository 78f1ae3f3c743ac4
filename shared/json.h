/*
 * json - a thin writer over jansson: bytes that are not UTF-8 become U+FFFD (NUL too: most readers refuse it), numbers
 * stay integers, a failed allocation anywhere makes the whole text NULL (checked once, at the end, by one dump).
 */
#pragma once
#include "shared/span.h"
#include <jansson.h>

/* A string that may hold anything. Never NULL unless out of memory. */
json_t *json_text(const char *p, size_t n);
/* obj[key] = value, stealing value; NULL value marks the object as failed. */
void json_put(json_t *obj, const char *key, json_t *value);
/* Appends to an array, likewise. */
void json_push(json_t *array, json_t *value);
void json_put_text(json_t *obj, const char *key, const char *text);
void json_put_u64(json_t *obj, const char *key, uint64_t n);
/*
 * Compact or indented text, newline and NUL at the end; the caller's to free. NULL if out of memory. ret_n (may be
 * NULL): its length without the NUL; untouched on failure.
 */
char *json_dump_text(const json_t *root, bool indent, size_t *ret_n);
