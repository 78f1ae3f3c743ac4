/*
 * test_settings - what an ini means to policy: each option reaches the field that is its own, and no other; and those that
 * may change in a running generation do.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/clock.h"
#include "shared/err.h"
#include "shared/scoreboard.h"
#include "shared/vassal_config.h"
#include "vassal/pool/inner.h"
#include "vassal/pool/pool.h"

#define MIB (1024 * 1024ULL)
/* What every row has: with these, each other option of a row has something to change. */
#define BASE "[vassal]\nmodule = x\nprocesses = 6\ncheaper = 2\n"

#define FIELD(f) offsetof(struct policy_config, f), sizeof(((struct policy_config *)0)->f)

struct row {
	const char *line;
	size_t at, size;
	uint64_t value;
	bool started; /* only with a new generation */
};

/* clang-format off */
static const struct row rows[] = {
	{ "min-worker-lifetime = 61",		FIELD(min_lifetime_ns),		61 * NS_PER_S, false },
	{ "max-worker-lifetime = 1h",		FIELD(max_lifetime_ns),		3600 * NS_PER_S, false },
	{ "max-worker-lifetime-delta = 62",	FIELD(max_lifetime_delta_ns),	62 * NS_PER_S, false },
	{ "max-requests = 1001",		FIELD(max_requests),		1001, false },
	{ "max-requests-delta = 7",		FIELD(max_requests_delta),	7, false },
	{ "reload-on-rss = 301",		FIELD(memory_limit[MEMORY_RSS]), 301 * MIB, false },
	{ "reload-on-pss = 201",		FIELD(memory_limit[MEMORY_PSS]), 201 * MIB, false },
	{ "reload-on-uss = 151",		FIELD(memory_limit[MEMORY_USS]), 151 * MIB, false },
	{ "reload-on-as = 4G",			FIELD(memory_limit[MEMORY_AS]),	4096 * MIB, false },
	{ "evil-reload-on-rss = 1G",		FIELD(memory_limit[MEMORY_EVIL_RSS]), 1024 * MIB, false },
	{ "evil-reload-on-as = 8G",		FIELD(memory_limit[MEMORY_EVIL_AS]), 8192 * MIB, false },
	{ "worker-reload-mercy = 31",		FIELD(mercy_ns),		31 * NS_PER_S, false },
	{ "startup-timeout = 63",		FIELD(startup_ns),		63 * NS_PER_S, false },
	{ "cheaper-step = 3",			FIELD(step),			3, false },
	{ "idle = 10m",				FIELD(idle_ns),			600 * NS_PER_S, false },
	{ "cheaper-initial = 4",		FIELD(initial),			4, true },
	{ "cheap = true",			FIELD(initial),			0, true },
};
/* clang-format on */

static struct vassal_config build(const char *line)
{
	const struct inifile_facts facts = {.path = "/etc/v/a.ini", .cpus = 4};
	struct config_items items = {0};
	struct inifile_notes notes = {0};
	struct vassal_config c;
	struct err err = {0};
	char text[256];

	(void)snprintf(text, sizeof(text), BASE "%s\n", line);
	if (inifile_parse(text, strlen(text), &facts, &items, &notes, &err) < 0 ||
	    vassal_config_build(&items, &c, &notes, &err) < 0)
		fail_msg("%s: %s", line, err.text);
	config_items_done(&items);
	inifile_notes_done(&notes);
	return c;
}

/* A pool without processes: only what settings.c looks at. */
struct rig {
	struct pool pool;
	struct board_bank bank;
};

static void on_step(_unused_ struct ev_loop *loop, _unused_ ev_timer *w, _unused_ int revents)
{
}

static struct rig *make(const char *line)
{
	struct rig *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->pool.loop = ev_default_loop(0);
	r->pool.setup.bank = &r->bank;
	r->pool.config = build(line);
	ev_init(&r->pool.step, on_step);
	settings_init(&r->pool);
	return r;
}

static void unmake(struct rig *r)
{
	ev_clear_pending(r->pool.loop, &r->pool.step);
	vassal_config_done(&r->pool.config);
	free(r);
}

static uint64_t read_field(const struct policy_config *c, const struct row *row)
{
	const char *p = (const char *)c + row->at;
	uint64_t wide;
	unsigned narrow;

	if (row->size == sizeof(wide)) {
		memcpy(&wide, p, sizeof(wide));
		return wide;
	}
	assert_int_equal(row->size, sizeof(narrow));
	memcpy(&narrow, p, sizeof(narrow));
	return narrow;
}

/* The field is what the row says, and all else as without its line. */
static void expect_only(const struct rig *r, const struct policy_config *plain,
			const struct row *row)
{
	struct policy_config c = r->pool.policy.config;

	if (read_field(&c, row) != row->value || read_field(plain, row) == row->value)
		fail_msg("%s: %llu instead of %llu", row->line,
			 (unsigned long long)read_field(&c, row), (unsigned long long)row->value);
	memcpy((char *)&c + row->at, (const char *)plain + row->at, row->size);
	/* the seed is another each time, and the last */
	if (memcmp(&c, plain, offsetof(struct policy_config, seed)) != 0)
		fail_msg("%s: changes more than its own field", row->line);
}

static void each_option_reaches_its_own_field_and_no_other(_unused_ void **state)
{
	struct rig *plain = make("");

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rig *r = make(rows[i].line);

		expect_only(r, &plain->pool.policy.config, &rows[i]);
		unmake(r);
	}
	unmake(plain);
}

static void what_may_change_in_a_running_generation_does_and_comes_back(_unused_ void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rig *r = make("");
		const struct policy_config plain = r->pool.policy.config;
		struct vassal_config changed = build(rows[i].line);
		struct vassal_config back = build("");
		struct err err = {0};

		assert_int_equal(pool_configure(&r->pool, &changed, &err), 0);
		if (!rows[i].started)
			expect_only(r, &plain, &rows[i]);
		else
			assert_int_equal(read_field(&r->pool.policy.config, &rows[i]),
					 read_field(&plain, &rows[i]));
		assert_int_equal(pool_configure(&r->pool, &back, &err), 0);
		assert_int_equal(read_field(&r->pool.policy.config, &rows[i]),
				 read_field(&plain, &rows[i]));
		vassal_config_done(&changed);
		vassal_config_done(&back);
		unmake(r);
	}
}

static void processes_and_cheaper_say_how_many_serve_at_most_and_at_least(_unused_ void **state)
{
	static const struct {
		const char *line;
		unsigned processes, least, initial;
	} cases[] = {
		{"", 6, 2, 2},
		{"processes = 9", 9, 2, 2},
		{"cheaper = 3", 6, 3, 3},
		{"cheaper = 0", 6, 6, 6},
		{"cheaper = 50", 6, 6, 6},
		{"cheaper-initial = 1", 6, 2, 2},
		{"cheaper-initial = 50", 6, 2, 6},
		{"cheap = true\nlazy-apps = true", 6, 2, 1},
		{"cheap = true\nhealth-check = /", 6, 2, 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rig *r = make(cases[i].line);
		const struct policy_config *c = &r->pool.policy.config;

		assert_int_equal(c->processes, cases[i].processes);
		assert_int_equal(c->least, cases[i].least);
		assert_int_equal(c->initial, cases[i].initial);
		assert_int_equal(atomic_load(&r->bank.room), policy_most(c->capacity));
		unmake(r);
	}
}

static void both_numbers_change_in_place_as_far_as_there_is_room(_unused_ void **state)
{
	struct rig *r = make("");
	struct vassal_config more = build("processes = 9\ncheaper = 5");
	struct vassal_config most = build("processes = 100");
	struct err err = {0};

	assert_int_equal(pool_configure(&r->pool, &more, &err), 0);
	assert_int_equal(r->pool.policy.config.processes, 9);
	assert_int_equal(r->pool.policy.config.least, 5);
	assert_int_equal(pool_configure(&r->pool, &most, &err), -ERANGE);
	assert_int_equal(r->pool.policy.config.processes, 9);
	assert_int_equal(r->pool.config.cheaper, 5);
	vassal_config_done(&more);
	vassal_config_done(&most);
	unmake(r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_option_reaches_its_own_field_and_no_other),
		cmocka_unit_test(what_may_change_in_a_running_generation_does_and_comes_back),
		cmocka_unit_test(processes_and_cheaper_say_how_many_serve_at_most_and_at_least),
		cmocka_unit_test(both_numbers_change_in_place_as_far_as_there_is_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
