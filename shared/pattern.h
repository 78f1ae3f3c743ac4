/*
 * pattern - a regular expression as uWSGI's inis have them: PCRE's, on bytes. A dot is any byte and a dollar the very end:
 * "^/admin.*$" must not be passed by with a line break in the path. Pure; any thread may match.
 */
#pragma once
#include "shared/span.h"

struct err;
struct pattern;

#define PATTERN_GROUPS 10 /* $0 to $9 */

/* -EINVAL with the reason, -ENOMEM. */
int pattern_new(struct pattern **ret, const char *text, bool any_case, struct err *err);
void pattern_free(struct pattern *p);
/* Is text one? 0, or as pattern_new(). */
int pattern_check(const char *text, struct err *err);
/*
 * 1, 0, -EDOM (it takes more than LIMIT_ROUTING_STEPS, or their memory) or -ENOMEM. groups, if it is not NULL: what has
 * matched, in subject; {NULL, 0} where nothing has. Untouched unless it is 1.
 */
int pattern_match(const struct pattern *p, struct span subject, struct span groups[PATTERN_GROUPS]);
