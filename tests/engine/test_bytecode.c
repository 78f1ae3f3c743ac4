/*
 * test_bytecode - compiled modules through the real engine (apps/bytecode.py): what is read in C is what Python itself would
 * have taken, and everything unusual is Python's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "shared/scoreboard.h"
#include "tests/engine/rig.h"

/* clang-format off */
static const struct { const char *target, *said; } cases[] = {
	{ "/in_c",		    "method_descriptor" },
	{ "/fits",		    "cached" },
	{ "/another_second",	    "source" },
	{ "/nearly_another_second", "cached 1700000000" },
	{ "/another_size",	    "source" },
	{ "/another_python",	    "source" },
	{ "/unknown_flags",	    "source" },
	{ "/short_header",	    "source" },
	{ "/cut",		    "EOFError" },
	{ "/no_code",		    "ImportError" },
	{ "/a_directory",	    "source" },
	{ "/none",		    "source" },
	{ "/no_source",		    "FileNotFoundError" },
	{ "/elsewhere",		    "here" },
	{ "/other_name",	    "ImportError" },
	{ "/audited",		    "cached 1" },
	{ "/derived",		    "edited" },
	{ "/patched",		    "edited" },
	{ "/prefix",		    "source" },
	{ "/by_name",		    "cached cached TypeError TypeError TypeError" },
	{ "/by_hash",		    "cached" },
	{ "/fits",		    "cached" },
};
/* clang-format on */

static void what_is_loaded_is_what_python_would_have_loaded(void **state)
{
	static struct rig r;
	const char *const items[] = {"module=bytecode", "pythonpath=" RIG_APPS, NULL};

	(void)state;
	if (!rig_start(&r, items, 1, 1))
		fail_msg("engine: %s", r.text);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct answer a;

		rig_get(&r, cases[i].target, &a);
		if (a.status != 200 || !str_eq(a.body, cases[i].said)) {
			char *log = rig_log(&r);

			fail_msg("%s: %u \"%s\" instead of \"%s\"\n%s", cases[i].target, a.status,
				 a.body, cases[i].said, log);
		}
		answer_done(&a);
	}
	exchange_worker_retire(r.x, 0);
	assert_int_equal(rig_wait_exit(&r, 0), 0);
	rig_stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_loaded_is_what_python_would_have_loaded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
