/*
 * reconcile - see reconcile.h. One walk over two sorted lists.
 */
#include "emperor/watch/reconcile.h"

static const enum reconcile_kind kind_of[] = {
	[FINGERPRINT_SAME] = RECONCILE_KEEP,
	[FINGERPRINT_TOUCHED] = RECONCILE_TOUCH,
	[FINGERPRINT_MOVED] = RECONCILE_CHANGE,
	[FINGERPRINT_CONTENT] = RECONCILE_CHANGE,
};

static struct reconcile_action missing(const struct reconcile_item *known, size_t i,
				       bool incomplete)
{
	return (struct reconcile_action){
		.kind = incomplete || known->gone ? RECONCILE_KEEP : RECONCILE_STOP,
		.name = known->name,
		.wanted = SIZE_MAX,
		.known = i,
	};
}

static struct reconcile_action present(const struct reconcile_item *wanted, size_t i,
				       const struct reconcile_item *known, size_t j)
{
	enum fingerprint_change change = fingerprint_compare(&known->print, &wanted->print);

	return (struct reconcile_action){
		.kind = known->gone ? RECONCILE_START : kind_of[change],
		.name = wanted->name,
		.wanted = i,
		.known = j,
		.change = change,
	};
}

size_t reconcile(const struct reconcile_item *wanted, size_t wanted_n,
		 const struct reconcile_item *known, size_t known_n, bool incomplete,
		 struct reconcile_action *ret)
{
	size_t i = 0;
	size_t j = 0;
	size_t n = 0;

	while (i < wanted_n || j < known_n) {
		int order = i == wanted_n  ? 1
			    : j == known_n ? -1
					   : strcmp(wanted[i].name, known[j].name);

		if (order < 0) {
			ret[n++] = (struct reconcile_action){
				.kind = RECONCILE_START,
				.name = wanted[i].name,
				.wanted = i,
				.known = SIZE_MAX,
				.change = FINGERPRINT_CONTENT,
			};
			i++;
		} else if (order > 0) {
			ret[n++] = missing(&known[j], j, incomplete);
			j++;
		} else {
			ret[n++] = present(&wanted[i], i, &known[j], j);
			i++;
			j++;
		}
	}
	return n;
}
