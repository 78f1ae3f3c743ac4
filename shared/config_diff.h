/*
 * config_diff - what has changed between two configurations of an app, option by option, and what that costs. Pure.
 *
 * Both are resolved items (config_items.h), so that an include, a variable or a default of the emperor's counts as what
 * it says. Options that mean nothing here are not compared; neither are keys that are only placeholders.
 */
#pragma once
#include "shared/option.h"

struct config_items;
struct err;

struct config_change {
	const char *name; /* the option's; borrowed from the table */
	char *was, *now;  /* owned; "" where there is neither a value nor a default */
	bool live;        /* can change while the app runs */
};

struct config_diff { /* zeroed = empty */
	struct config_change *v;
	size_t n;
	bool live; /* nothing needs a new generation */
};

/* What counts as its value where it is not given: its default. Lists are joined with ", ", in their order. */
int config_diff(const struct config_items *was, const struct config_items *now,
		struct config_diff *ret, struct err *err);
/* "processes: 2 -> 4, harakiri: 0 -> 30". Cut to size. Returns buf. */
const char *config_diff_text(const struct config_diff *d, char *buf, size_t size);
void config_diff_done(struct config_diff *d);
