/*
 * reading - an ini, read from memory.
 */
#pragma once
#include "shared/err.h"
#include "shared/inifile.h"

static char home[] = "HOME=/home/a", empty[] = "EMPTY=", port[] = "PORT=9000";
static char *const environ_now[] = {home, empty, port, NULL};

struct read { /* one ini, read */
	struct config_items items;
	struct inifile_notes notes;
	struct err err;
	int r;
};

static inline struct read read_at(const char *path, const char *bytes, size_t n,
				  const char *section, bool allow_files)
{
	const struct inifile_facts facts = {
		.path = path,
		.section = section,
		.vassals_dir = "/etc/vassals",
		.environ = environ_now,
		.cpus = 4,
		.allow_files = allow_files,
	};
	struct read x = {0};

	x.r = inifile_parse(bytes, n, &facts, &x.items, &x.notes, &x.err);
	return x;
}

static inline struct read read_text(const char *text)
{
	return read_at("/srv/apps/blog.ini", text, strlen(text), NULL, true);
}

static inline void done(struct read *x)
{
	config_items_done(&x->items);
	inifile_notes_done(&x->notes);
}
