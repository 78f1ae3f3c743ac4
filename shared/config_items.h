/*
 * config_items - resolved configuration: an ordered list of key, value and origin, after includes, conditions, magic
 * variables, $(ENV), @(file) and %(placeholders). Comes from an ini (inifile.h) or from arguments, and travels from
 * emperor to front to engine as bytes (handoff.h), so that nothing is read from disk twice.
 */
#pragma once
#include "shared/base.h"
#include "shared/limits.h"

struct err;

struct config_item {
	char *key, *value; /* value "" for a key without one */
	char *file;        /* origin: as people should see it, "blog.ini", "command line" */
	unsigned line;     /* 1-based; 0 = none */
	bool has_value;    /* there was a '=' */
	bool used; /* some %(key) refers to it: then an unknown key is a placeholder, not a mistake */
};

struct config_items { /* zeroed = empty. Owns every string. */
	struct config_item *v;
	size_t n, room;
};

int config_items_add(struct config_items *items, const char *key, const char *value,
		     const char *file, unsigned line, bool has_value, struct err *err);
/* Copies of all of from, in order, behind what is there. */
int config_items_append(struct config_items *items, const struct config_items *from,
			struct err *err);
/* The last value of key, or NULL. Borrowed. */
const char *config_items_get(const struct config_items *items, const char *key);
/* Who says text: the last item whose value it is, else the last that holds it (":80" is in ":8000" too). key NULL: any. */
const struct config_item *config_items_find_text(const struct config_items *items, const char *key,
						 const char *text);
void config_items_done(struct config_items *items);

/* Bytes for the memfd and back. Decoding checks every length: -EBADMSG. */
int config_items_encode(const struct config_items *items, char **ret_bytes, size_t *ret_n,
			struct err *err);
int config_items_decode(const char *bytes, size_t n, struct config_items *ret, struct err *err);
