/*
 * static_rules - what the configuration says of files, compiled once: which are sent in a precompressed form, how long
 * each may be kept, which endings are the app's. Read by the loop and by disk threads, changed by none.
 */
#pragma once
#include "shared/option.h"
#include "shared/span.h"

struct err;
struct pattern;
struct vassal_config;

struct static_rules {
	const struct vassal_config *config; /* borrowed */
	struct pattern **gzip;              /* as config->static_gzip; owned */
	struct pattern **expires;           /* as config->expires, NULL those of types; owned */
};

/* A file that is to be sent. Strings; path is decoded, uri is as it was asked for. */
struct static_subject {
	const char *file, *path, *uri;
	struct span type;
	int64_t mtime_s, now_s;
};

/* -ENOMEM. *r is to be done in any case. */
int static_rules_compile(struct static_rules *r, const struct vassal_config *config,
			 struct err *err);
void static_rules_done(struct static_rules *r);
/* May file's .br, .zst or .gz go in its place? */
bool static_rules_compressed(const struct static_rules *r, const char *file);
/* static-skip-ext */
bool static_rules_skip(const struct static_rules *r, const char *name);
/* Is anything said of how long files may be kept? */
bool static_rules_expire(const struct static_rules *r);
/* Until when it may be kept; false: nothing is said. In the past: not at all. */
bool static_rules_expires(const struct static_rules *r, const struct static_subject *s,
			  int64_t *ret_until_s);
