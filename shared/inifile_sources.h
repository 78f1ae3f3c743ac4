/*
 * inifile_sources - which other files an ini depends on, as they were when it was read: included, read into a value or a
 * loop, or only looked for. Whoever keeps the list can tell later that reading the ini again may say something else.
 */
#pragma once
#include "shared/base.h"

struct stat;

/* Files that one ini reads are at most 64, and those it looks for a few more; what comes later is not followed. */
#define INIFILE_SOURCES_MAX 128

enum inifile_source_use {
	INIFILE_SOURCE_READ,  /* its bytes count */
	INIFILE_SOURCE_ASKED, /* only whether it is there, and what it is */
	INIFILE_SOURCE_NAMES, /* it is a pattern, and the names that match count */
};

struct inifile_identity { /* all 0: not there */
	uint64_t type, device, inode, size;
	uint64_t names; /* a digest of those that match; then the times are of their directory */
	int64_t mtime_ns, ctime_ns;
};

struct inifile_source {
	char *path; /* owned */
	enum inifile_source_use use;
	struct inifile_identity is;
};

struct inifile_sources { /* zeroed = empty */
	struct inifile_source *v;
	size_t n, room;
};

/* st: what was found, NULL if nothing was, or names are looked for. Each path once and for its strongest use. -ENOMEM, -E2BIG: not followed. */
int inifile_sources_add(struct inifile_sources *s, const char *path, enum inifile_source_use use,
			const struct stat *st);
/* Looks at all of them again and remembers what it sees. The path of the first that has changed, borrowed; NULL: none. */
const char *inifile_sources_changed(struct inifile_sources *s);
/* The same without remembering. */
const char *inifile_sources_differ(const struct inifile_sources *s);
/* Has one that is read been written or replaced since then (wall clock)? */
bool inifile_sources_newer(const struct inifile_sources *s, uint64_t wall_ns);
void inifile_sources_done(struct inifile_sources *s);
