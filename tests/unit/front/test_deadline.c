/* deadline: what is due for a request of this age. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vassal/front/deadline.h"

static const struct deadline_limits all = {
	.slow_ns = 10, .interrupt_ns = 20, .harakiri_ns = 40, .grace_ns = 5};
static const struct deadline_limits none = {.grace_ns = 5};
static const struct deadline_limits slow_only = {.slow_ns = 10, .grace_ns = 5};
static const struct deadline_limits interrupt_only = {.interrupt_ns = 20, .grace_ns = 5};
static const struct deadline_limits harakiri_only = {.harakiri_ns = 40, .grace_ns = 5};
static const struct deadline_limits harakiri_first = {
	.interrupt_ns = 20, .harakiri_ns = 20, .grace_ns = 5};
static const struct deadline_limits long_grace = {
	.interrupt_ns = 20, .harakiri_ns = 40, .grace_ns = 500};

static const struct deadline_limits threads = {.interrupt_ns = 20, .renew_ns = 2, .grace_ns = 5};

static void each_measure_comes_in_its_time_and_once(void **state)
{
	static const struct {
		const char *name;
		const struct deadline_limits *limits;
		struct deadline_state state;
		uint64_t age_ns;
		enum deadline_action action;
	} cases[] = {
		{"young", &all, {0}, 9, DEADLINE_WAIT},
		{"slow", &all, {0}, 10, DEADLINE_SAY},
		{"slow is said once", &all, {.slow_said = true}, 19, DEADLINE_WAIT},
		{"interrupt", &all, {.slow_said = true}, 20, DEADLINE_INTERRUPT},
		{"late front: interrupt and no words", &all, {0}, 25, DEADLINE_INTERRUPT},
		{"with threads, at first",
		 &threads,
		 {.interrupted = true, .interrupted_ns = 20},
		 21,
		 DEADLINE_WAIT},
		{"with threads, then it goes on",
		 &threads,
		 {.interrupted = true, .interrupted_ns = 20},
		 22,
		 DEADLINE_RENEW},
		{"which is said once",
		 &threads,
		 {.interrupted = true, .renewed = true, .interrupted_ns = 20},
		 24,
		 DEADLINE_WAIT},
		{"with threads, at the end",
		 &threads,
		 {.interrupted = true, .renewed = true, .interrupted_ns = 20},
		 25,
		 DEADLINE_UNMOVED},
		{"in its grace",
		 &all,
		 {.interrupted = true, .interrupted_ns = 21},
		 25,
		 DEADLINE_WAIT},
		{"no slow words after the interrupt",
		 &slow_only,
		 {.interrupted = true, .interrupted_ns = 9},
		 12,
		 DEADLINE_WAIT},
		{"grace is over",
		 &all,
		 {.interrupted = true, .interrupted_ns = 21},
		 26,
		 DEADLINE_UNMOVED},
		{"harakiri inside the grace",
		 &long_grace,
		 {.interrupted = true, .interrupted_ns = 20},
		 40,
		 DEADLINE_HARAKIRI},
		{"harakiri", &harakiri_only, {0}, 40, DEADLINE_HARAKIRI},
		{"before harakiri", &harakiri_only, {0}, 39, DEADLINE_WAIT},
		{"the harder one wins", &harakiri_first, {0}, 20, DEADLINE_HARAKIRI},
		{"only interrupt", &interrupt_only, {0}, UINT64_MAX, DEADLINE_INTERRUPT},
		{"only slow", &slow_only, {0}, UINT64_MAX, DEADLINE_SAY},
		{"nothing is configured", &none, {0}, UINT64_MAX, DEADLINE_WAIT},
		{"a clock that went back is patient",
		 &interrupt_only,
		 {.interrupted = true, .interrupted_ns = 21},
		 3,
		 DEADLINE_WAIT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		enum deadline_action action =
			deadline_next(cases[i].limits, &cases[i].state, cases[i].age_ns);

		if (action != cases[i].action)
			fail_msg("%s: %d, not %d", cases[i].name, (int)action,
				 (int)cases[i].action);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_measure_comes_in_its_time_and_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
