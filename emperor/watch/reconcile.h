/*
 * reconcile - what is wanted (the inis there are) against what there is (the apps we have): what to do. Pure.
 *
 * Both lists are sorted by name, each name once. Every wanted or known name gives exactly one action, in order of names;
 * what is the same gives KEEP, so that a test can see that nothing was forgotten.
 */
#pragma once
#include "emperor/watch/fingerprint.h"

enum reconcile_kind {
	RECONCILE_KEEP,
	RECONCILE_START,  /* a new ini */
	RECONCILE_CHANGE, /* other bytes, or a link that leads elsewhere */
	RECONCILE_TOUCH,  /* the same bytes, touched or written anew */
	RECONCILE_STOP,   /* its ini is gone */
};

struct reconcile_item {
	const char *name; /* borrowed */
	struct fingerprint print;
	bool gone; /* known only: its ini was gone before, it drains */
};

struct reconcile_action {
	enum reconcile_kind kind;
	const char *name; /* borrowed from the items */
	size_t wanted;    /* index; SIZE_MAX for STOP */
	size_t known;     /* index; SIZE_MAX for START of a name never seen */
	enum fingerprint_change change;
};

/*
 * ret: room for wanted_n + known_n. Returns how many. incomplete: a directory could not be read, so what is missing is
 * not gone.
 */
size_t reconcile(const struct reconcile_item *wanted, size_t wanted_n,
		 const struct reconcile_item *known, size_t known_n, bool incomplete,
		 struct reconcile_action *ret);
