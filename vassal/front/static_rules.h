/*
 * static_rules - what the configuration says of files, compiled once: which are sent in a precompressed form, how long
 * each may be kept, which endings are the app's. Read by the loop and by disk threads, changed by none.
 */
#pragma once
#include "shared/option.h"
#include "shared/span.h"
#include <regex.h>

struct vassal_config;

struct static_rules {
	const struct vassal_config *config; /* borrowed */
	regex_t *gzip;                      /* as config->static_gzip; owned */
	size_t gzip_n;
	regex_t *expires; /* as config->expires, those of types unused; owned */
	size_t expires_n;
};

/* A file that is to be sent. Strings; path is decoded, uri is as it was asked for. */
struct static_subject {
	const char *file, *path, *uri;
	struct span type;
	int64_t mtime_s, now_s;
};

int static_rules_compile(struct static_rules *r, const struct vassal_config *config);
void static_rules_done(struct static_rules *r);
/* May file's .br, .zst or .gz go in its place? */
bool static_rules_compressed(const struct static_rules *r, const char *file);
/* static-skip-ext */
bool static_rules_skip(const struct static_rules *r, const char *name);
/* Until when it may be kept; false: nothing is said. In the past: not at all. */
bool static_rules_expires(const struct static_rules *r, const struct static_subject *s,
			  int64_t *ret_until_s);
