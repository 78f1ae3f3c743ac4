/*
 * built - what an ini's text is made into, with its notes and its error.
 */
#pragma once
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/err.h"
#include "shared/vassal_config.h"

struct built {
	struct config_items items;
	struct inifile_notes notes;
	struct vassal_config c;
	struct err err;
	int r;
};

static inline struct built build(const char *text)
{
	const struct inifile_facts facts = {
		.path = "/etc/v/blog.ini", .cpus = 4, .allow_files = true};
	struct built b = {0};

	b.r = inifile_parse(text, strlen(text), &facts, &b.items, &b.notes, &b.err);
	if (b.r == 0)
		b.r = vassal_config_build(&b.items, &b.c, &b.notes, &b.err);
	return b;
}

/* An app with these lines more. */
static inline struct built build_with(const char *lines)
{
	char text[8192];

	(void)snprintf(text, sizeof(text), "[uwsgi]\nmodule = m\n%s\n", lines);
	return build(text);
}

static inline void done(struct built *b)
{
	vassal_config_done(&b->c);
	config_items_done(&b->items);
	inifile_notes_done(&b->notes);
}

static inline bool has_note(const struct built *b, unsigned line, const char *says)
{
	for (size_t i = 0; i < b->notes.n; i++)
		if (b->notes.v[i].line == line && strstr(b->notes.v[i].text, says))
			return true;
	return false;
}

static inline void assert_good(const struct built *b)
{
	if (b->r < 0)
		fail_msg("%s", b->err.text);
}
