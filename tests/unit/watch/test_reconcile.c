/*
 * test_reconcile - wanted x known, cell by cell, and in lists where neighbours must not disturb each other.
 */
#include "emperor/watch/reconcile.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct fingerprint base = {1, 2, 3, 4, 5, 6, 7};

static struct fingerprint with(int field)
{
	struct fingerprint f = base;

	switch (field) {
	case 1:
		f.device++;
		break;
	case 2:
		f.inode++;
		break;
	case 3:
		f.size++;
		break;
	case 4:
		f.mtime_ns--; /* older: rsync -t, git checkout */
		break;
	case 5:
		f.ctime_ns++;
		break;
	case 6:
		f.content++;
		break;
	case 7:
		f.target++;
		break;
	default:
		break;
	}
	return f;
}

/* clang-format off */
static const struct {
	bool wanted, known, gone, incomplete;
	int field; /* in which the wanted one differs */
	enum reconcile_kind kind;
	enum fingerprint_change change;
} cells[] = {
	{ true,  false, false, false, 0, RECONCILE_START,  FINGERPRINT_CONTENT },
	{ true,  false, false, true,  0, RECONCILE_START,  FINGERPRINT_CONTENT },
	{ false, true,  false, false, 0, RECONCILE_STOP,   FINGERPRINT_SAME },
	{ false, true,  false, true,  0, RECONCILE_KEEP,   FINGERPRINT_SAME },
	{ false, true,  true,  false, 0, RECONCILE_KEEP,   FINGERPRINT_SAME },
	{ false, true,  true,  true,  0, RECONCILE_KEEP,   FINGERPRINT_SAME },
	{ true,  true,  false, false, 0, RECONCILE_KEEP,   FINGERPRINT_SAME },
	{ true,  true,  false, true,  0, RECONCILE_KEEP,   FINGERPRINT_SAME },
	{ true,  true,  false, false, 1, RECONCILE_TOUCH,  FINGERPRINT_TOUCHED },
	{ true,  true,  false, false, 2, RECONCILE_TOUCH,  FINGERPRINT_TOUCHED },
	{ true,  true,  false, false, 3, RECONCILE_CHANGE, FINGERPRINT_CONTENT },
	{ true,  true,  false, false, 4, RECONCILE_TOUCH,  FINGERPRINT_TOUCHED },
	{ true,  true,  false, false, 5, RECONCILE_TOUCH,  FINGERPRINT_TOUCHED },
	{ true,  true,  false, false, 6, RECONCILE_CHANGE, FINGERPRINT_CONTENT },
	{ true,  true,  false, false, 7, RECONCILE_CHANGE, FINGERPRINT_MOVED },
	{ true,  true,  false, true,  6, RECONCILE_CHANGE, FINGERPRINT_CONTENT },
	{ true,  true,  true,  false, 0, RECONCILE_START,  FINGERPRINT_SAME },
	{ true,  true,  true,  false, 4, RECONCILE_START,  FINGERPRINT_TOUCHED },
	{ true,  true,  true,  false, 6, RECONCILE_START,  FINGERPRINT_CONTENT },
	{ true,  true,  true,  true,  6, RECONCILE_START,  FINGERPRINT_CONTENT },
};
/* clang-format on */

static void each_cell_gives_its_action(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cells); i++) {
		const struct reconcile_item wanted = {"app", with(cells[i].field), false};
		const struct reconcile_item known = {"app", base, cells[i].gone};
		struct reconcile_action a[2];
		size_t n = reconcile(&wanted, cells[i].wanted, &known, cells[i].known,
				     cells[i].incomplete, a);

		if (n != 1 || a[0].kind != cells[i].kind || a[0].change != cells[i].change)
			fail_msg("row %zu: %zu actions, kind %u, change %u", i, n, a[0].kind,
				 a[0].change);
		assert_string_equal(a[0].name, "app");
		assert_true(a[0].wanted == (cells[i].wanted ? 0 : SIZE_MAX));
		assert_true(a[0].known == (cells[i].known ? 0 : SIZE_MAX));
	}
}

static void nothing_wanted_and_nothing_known_is_nothing_to_do(void **state)
{
	struct reconcile_action a[1];

	(void)state;
	assert_int_equal(reconcile(NULL, 0, NULL, 0, false, a), 0);
}

static void neighbours_do_not_disturb_each_other(void **state)
{
	const struct reconcile_item wanted[] = {
		{"a-new", base, false},       {"c-same", base, false},
		{"d-edited", with(6), false}, {"f-touched", with(4), false},
		{"z-new", base, false},
	};
	const struct reconcile_item known[] = {
		{"b-deleted", base, false}, {"c-same", base, false},    {"d-edited", base, false},
		{"e-draining", base, true}, {"f-touched", base, false},
	};
	static const struct {
		const char *name;
		enum reconcile_kind kind;
	} want[] = {
		{"a-new", RECONCILE_START},     {"b-deleted", RECONCILE_STOP},
		{"c-same", RECONCILE_KEEP},     {"d-edited", RECONCILE_CHANGE},
		{"e-draining", RECONCILE_KEEP}, {"f-touched", RECONCILE_TOUCH},
		{"z-new", RECONCILE_START},
	};
	struct reconcile_action a[ARRAY_SIZE(wanted) + ARRAY_SIZE(known)];
	size_t n = reconcile(wanted, ARRAY_SIZE(wanted), known, ARRAY_SIZE(known), false, a);

	(void)state;
	assert_int_equal(n, ARRAY_SIZE(want));
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(a[i].name, want[i].name);
		assert_int_equal(a[i].kind, want[i].kind);
		if (a[i].wanted != SIZE_MAX)
			assert_string_equal(wanted[a[i].wanted].name, want[i].name);
		if (a[i].known != SIZE_MAX)
			assert_string_equal(known[a[i].known].name, want[i].name);
	}
}

/* All subsets of four names on both sides: each name that appears gets exactly one action, in order. */
static void every_name_gets_exactly_one_action(void **state)
{
	static const char *const names[] = {"a", "b", "c", "d"};

	(void)state;
	for (unsigned mask = 0; mask < 256; mask++) {
		struct reconcile_item wanted[4], known[4];
		struct reconcile_action a[8];
		size_t wanted_n = 0, known_n = 0, n, at = 0;

		for (unsigned i = 0; i < 4; i++) {
			if (mask & (1U << i))
				wanted[wanted_n++] = (struct reconcile_item){names[i], base, false};
			if (mask & (16U << i))
				known[known_n++] = (struct reconcile_item){names[i], base, false};
		}
		n = reconcile(wanted, wanted_n, known, known_n, false, a);
		for (unsigned i = 0; i < 4; i++) {
			bool w = mask & (1U << i);
			bool k = mask & (16U << i);

			if (!w && !k)
				continue;
			assert_true(at < n);
			assert_string_equal(a[at].name, names[i]);
			assert_int_equal(a[at].kind, w && k ? RECONCILE_KEEP
						     : w    ? RECONCILE_START
							    : RECONCILE_STOP);
			at++;
		}
		assert_int_equal(at, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_cell_gives_its_action),
		cmocka_unit_test(nothing_wanted_and_nothing_known_is_nothing_to_do),
		cmocka_unit_test(neighbours_do_not_disturb_each_other),
		cmocka_unit_test(every_name_gets_exactly_one_action),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
