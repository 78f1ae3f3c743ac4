/*
 * static_path - which paths of a URL belong to a map, and which names on disk they are.
 */
#pragma once
#include "shared/limits.h"
#include "shared/span.h"

/*
 * Does path, decoded as apps see it, lie under mount, on a segment boundary? The rest, still percent-encoded, without
 * leading slashes.
 */
bool static_path_match(const char *mount, struct span path, struct span *ret_rest);
/*
 * Decodes %XX into a relative path for openat(), without a slash at its end: *ret_directory says that there was one. ""
 * is the directory itself. False for what cannot name a file that may be sent: NUL, bad escapes, too long, a segment
 * that begins with a dot (".." among them) other than .well-known.
 */
bool static_path_decode(struct span rest, char buf[LIMIT_STATIC_PATH], bool *ret_directory);
/* The same for an absolute path that the app has chosen: whatever it names, one leading slash is kept. */
bool static_path_unescape(struct span path, char buf[LIMIT_STATIC_PATH], bool *ret_directory);
