/*
 * test_limits - what changes in place: when it is asked of a front, and what its answer makes true. The front is wrapped:
 * what it would be asked is kept.
 */
#include "emperor/vassals/internal.h"

#include <errno.h>

#include "shared/config_items.h"
#include "shared/fd.h"
#include "shared/scoreboard.h"
#include "tests/unit/vassals/fixture.h"

#define RUNS "[vassal]\nmodule = x\nprocesses = 2\nharakiri = 5\n"

static struct {
	unsigned asked, faces, changes;
	enum msg_kind kind;
	uint64_t value;
	bool has_fd;
	int fails;
	unsigned event;
	char text[512];
	const char *ini; /* what the file says */
} world;

int __wrap_generation_ask(struct generation *g, enum msg_kind kind, uint64_t value, int fd);
void __wrap_app_event(struct app *a, enum life_event event, const char *why);
void __wrap_app_show_face(struct app *a, struct loaded *l);
void __wrap_tell_change(const struct app *a, unsigned event_kind, const char *text);
int __wrap_app_parse(const struct app *a, const struct ini *ini, struct loaded **ret,
		     struct err *err);

int __wrap_generation_ask(struct generation *g, enum msg_kind kind, uint64_t value, int fd)
{
	world.asked++;
	world.kind = kind;
	world.value = value;
	world.has_fd = fd >= 0;
	if (world.fails)
		return world.fails;
	g->serial = ++g->serials;
	return 0;
}

void __wrap_app_event(_unused_ struct app *a, enum life_event event, _unused_ const char *why)
{
	assert_int_equal(event, LIFE_CHANGE);
	world.changes++;
}

void __wrap_app_show_face(_unused_ struct app *a, _unused_ struct loaded *l)
{
	world.faces++;
}

void __wrap_tell_change(_unused_ const struct app *a, unsigned event_kind, const char *text)
{
	world.event = event_kind;
	(void)snprintf(world.text, sizeof(world.text), "%s", text);
}

int __wrap_app_parse(_unused_ const struct app *a, const struct ini *ini, struct loaded **ret,
		     struct err *err)
{
	return fixture_try(ini->bytes, ret, err);
}

struct rig {
	struct vassals v;
	struct app app, *apps[1];
	struct generation g;
	struct load_rules rules;
};

static struct ini *ini_of(const char *text)
{
	struct ini *i = calloc(1, sizeof(*i));

	assert_non_null(i);
	*i = (struct ini){.refs = 1, .bytes = strdup(text), .n = strlen(text), .roots = true};
	return i;
}

static struct rig *make(const char *wanted)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct err err = {0};

	assert_non_null(r);
	memset(&world, 0, sizeof(world));
	r->v.setup.rules = &r->rules;
	r->apps[0] = &r->app;
	r->v.v = r->apps;
	r->v.n = 1;
	r->app = (struct app){.v = &r->v, .name = "a", .state = APP_RUNNING, .serving = &r->g};
	r->app.wanted = ini_of(wanted);
	r->app.good = ini_of(RUNS);
	r->g.app = &r->app;
	r->g.loaded = fixture_load(RUNS);
	r->g.ini = ini_of(RUNS);
	assert_int_equal(
		config_items_encode(&r->g.loaded->items, &r->g.config, &r->g.config_n, &err), 0);
	return r;
}

static void unmake(struct rig *r)
{
	rollback_done(&r->app);
	free(r->app.reason);
	free(r->app.last_error);
	limits_done(&r->g.pending);
	free(r->g.config);
	loaded_unref(r->g.loaded);
	ini_unref(r->g.ini);
	ini_unref(r->app.wanted);
	ini_unref(r->app.good);
	free(r);
}

static void only_what_can_change_in_place_is_asked(_unused_ void **state)
{
	static const struct {
		const char *wanted;
		bool live;
		const char *text;
	} rows[] = {
		{"[vassal]\nmodule = x\nprocesses = 3\nharakiri = 5\n", true, "processes: 2 -> 3"},
		{"[vassal]\nmodule = x\nprocesses = 2\nharakiri = 9\n", true, "harakiri: 5 -> 9"},
		{"[uwsgi]\nmodule = x\nworkers = 4\nharakiri = 5\n", true, "processes: 2 -> 4"},
		{"[vassal]\nmodule = y\nprocesses = 2\nharakiri = 5\n", false, NULL},
		{"[vassal]\nmodule = y\nprocesses = 3\nharakiri = 5\n", false,
		 NULL}, /* not by halves */
		{RUNS "\n; a comment is a wish for new code\n", false, NULL},
		{"[vassal]\nmodule = x\nprocesses = -1\n", false, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rig *r = make(rows[i].wanted);

		assert_int_equal(limits_change(&r->app), rows[i].live);
		assert_int_equal(world.asked, rows[i].live);
		if (rows[i].live) {
			assert_int_equal(world.kind, MSG_CONFIG);
			assert_true(world.has_fd);
			assert_string_equal(r->g.pending.text, rows[i].text);
		}
		/* until it has answered, the old numbers are true */
		assert_int_equal(r->g.loaded->config.processes, 2);
		unmake(r);
	}
}

static void nobody_is_asked_who_is_not_simply_running(_unused_ void **state)
{
	for (unsigned row = 0; row < 10; row++) {
		struct rig *r = make("[vassal]\nmodule = x\nprocesses = 3\nharakiri = 5\n");
		struct generation other = {0};
		struct ini *wanted = r->app.wanted;
		char *config = r->g.config;

		switch (row) {
		case 0:
			break; /* simply running */
		case 1:
			r->app.state = APP_REPLACING;
			break;
		case 2:
			r->app.state = APP_SLEEPING;
			break;
		case 3:
			r->app.serving = NULL;
			break;
		case 4:
			r->app.candidate = &other;
			break;
		case 5:
			r->app.queued = true;
			break;
		case 6:
			r->app.wanted = NULL;
			break;
		case 7:
			r->g.config = NULL;
			break;
		case 8:
			r->app.wanted->owner = 7; /* another's file is another user's app */
			break;
		case 9:
			r->app.wanted->roots = false;
			break;
		}
		assert_int_equal(limits_change(&r->app), row == 0);
		assert_int_equal(world.asked, row == 0);
		r->app.wanted = wanted;
		r->g.config = config;
		unmake(r);
	}
}

static void a_front_that_cannot_be_told_gets_a_successor(_unused_ void **state)
{
	struct rig *r = make("[vassal]\nmodule = x\nprocesses = 3\nharakiri = 5\n");

	world.fails = -EPIPE;
	assert_false(limits_change(&r->app));
	assert_null(r->g.pending.loaded);
	unmake(r);
}

static void an_edit_of_anything_else_leaves_the_number_that_was_commanded(_unused_ void **state)
{
	struct rig *r = make("[vassal]\nmodule = x\nprocesses = 2\nharakiri = 9\n");

	assert_int_equal(r->g.loaded->config.processes, 2);
	r->g.scaled = 6;
	assert_true(limits_change(&r->app));
	limits_answered(&r->g, r->g.serial, "");
	assert_int_equal(r->g.scaled, 6);
	assert_ptr_equal(r->app.good, r->app.wanted);
	unmake(r);
}

static void what_the_front_takes_becomes_true(_unused_ void **state)
{
	struct rig *r = make("[vassal]\nmodule = x\nprocesses = 3\nharakiri = 5\n");

	r->g.scaled = 6;
	r->app.reason = strdup("the new generation failed");
	r->app.last_error = strdup("not a number");
	assert_true(limits_change(&r->app));
	limits_answered(&r->g, r->g.serial, "");
	assert_string_equal(r->app.reason, ""); /* an earlier mistake is mended by this edit */
	assert_null(r->app.last_error);
	assert_int_equal(r->g.loaded->config.processes, 3);
	assert_int_equal(r->g.scaled, 0); /* the file has the last word */
	assert_ptr_equal(r->g.ini, r->app.wanted);
	assert_ptr_equal(r->app.good, r->app.wanted);
	assert_int_equal(world.faces, 1);
	assert_int_equal(world.event, EVENT_LIMITS);
	assert_string_equal(world.text, "limits changed: processes: 2 -> 3");
	assert_int_equal(r->g.serial, 0);
	unmake(r);
}

static void an_answer_to_another_question_is_not_heard(_unused_ void **state)
{
	struct rig *r = make("[vassal]\nmodule = x\nprocesses = 3\nharakiri = 5\n");
	uint64_t first;

	limits_answered(&r->g, 0, "");
	assert_int_equal(world.event, 0);
	assert_true(limits_change(&r->app));
	first = r->g.serial;
	limits_answered(&r->g, first + 1, "");
	assert_int_equal(r->g.loaded->config.processes, 2);
	/* changed once more before it has answered: only the last question counts */
	ini_unref(r->app.wanted);
	r->app.wanted = ini_of("[vassal]\nmodule = x\nprocesses = 4\nharakiri = 5\n");
	assert_true(limits_change(&r->app));
	limits_answered(&r->g, first, "");
	assert_int_equal(r->g.loaded->config.processes, 2);
	limits_answered(&r->g, r->g.serial, "");
	assert_int_equal(r->g.loaded->config.processes, 4);
	/* and only once */
	world.event = 0;
	limits_answered(&r->g, first + 1, "");
	assert_int_equal(world.event, 0);
	unmake(r);
}

static void
what_is_refused_is_told_and_comes_true_by_a_reload_if_the_file_says_it(_unused_ void **state)
{
	for (unsigned row = 0; row < 3; row++) {
		struct rig *r = make("[vassal]\nmodule = x\nprocesses = 3\nharakiri = 5\n");
		struct generation other = {0};
		struct err err = {0};

		if (row < 2)
			assert_true(limits_change(&r->app));
		else
			assert_int_equal(limits_scale(&r->app, 3, "by command", &err), 0);
		if (row == 1)
			r->app.serving = &other; /* it has been replaced meanwhile */
		limits_answered(&r->g, r->g.serial, "no room");
		assert_int_equal(world.event, EVENT_REFUSED);
		assert_non_null(strstr(world.text, "processes: 2 -> 3"));
		assert_non_null(strstr(world.text, ": refused: no room"));
		assert_int_equal(world.changes, row == 0);
		assert_int_equal(r->g.loaded->config.processes, 2);
		assert_int_equal(r->g.scaled, 0);
		unmake(r);
	}
}

static void a_command_changes_the_number_and_not_what_the_file_says(_unused_ void **state)
{
	struct rig *r = make(RUNS);
	struct err err = {0};

	assert_int_equal(limits_scale(&r->app, 5, "by command", &err), 0);
	assert_int_equal(world.kind, MSG_SCALE);
	assert_int_equal(world.value, 5);
	assert_false(world.has_fd);
	assert_string_equal(r->g.pending.text, "processes: 2 -> 5, by command");
	limits_answered(&r->g, r->g.serial, "");
	assert_int_equal(r->g.scaled, 5);
	assert_int_equal(r->g.loaded->config.processes, 2);
	assert_int_equal(world.faces, 0);
	/* once more, from what it has now; two commands may follow each other unanswered */
	assert_int_equal(limits_scale(&r->app, 6, "by command", &err), 0);
	assert_string_equal(r->g.pending.text, "processes: 5 -> 6, by command");
	assert_int_equal(limits_scale(&r->app, 7, "by command", &err), 0);
	limits_answered(&r->g, r->g.serial, "");
	assert_int_equal(r->g.scaled, 7);
	unmake(r);
}

static void a_command_is_refused_where_it_could_not_be_kept(_unused_ void **state)
{
	struct rig *r = make("[vassal]\nmodule = x\nprocesses = 3\nharakiri = 5\n");
	struct err err = {0};

	/* the file's change would be taken for never asked */
	assert_true(limits_change(&r->app));
	assert_int_equal(limits_scale(&r->app, 5, "by command", &err), -EAGAIN);
	assert_non_null(strstr(err.text, "has not answered yet to processes: 2 -> 3"));
	limits_answered(&r->g, r->g.serial, "");
	assert_int_equal(limits_scale(&r->app, 5, "by command", &err), 0);
	limits_answered(&r->g, r->g.serial, "");
	world.fails = -EPIPE;
	assert_int_equal(limits_scale(&r->app, 6, "by command", &err), -EPIPE);
	assert_int_equal(r->g.scaled, 5);
	r->app.serving = NULL;
	assert_int_equal(limits_scale(&r->app, 6, "by command", &err), -EAGAIN);
	unmake(r);
}

/* An include was written anew. */
static void
what_its_ini_reads_counts_as_an_edit_but_not_where_an_older_version_serves(_unused_ void **state)
{
	static const struct {
		const char *wanted;
		bool rolled, done;
		unsigned asked;
	} rows[] = {
		{RUNS, false, true, 0}, /* it says the same */
		{"[vassal]\nmodule = x\nprocesses = 3\nharakiri = 5\n", false, true, 1},
		{"[vassal]\nmodule = y\nprocesses = 2\nharakiri = 5\n", false, false, 0},
		/* what came back serves: the file's limits are not its limits, and the file is to be tried */
		{RUNS, true, false, 0},
		{"[vassal]\nmodule = x\nprocesses = 3\nharakiri = 5\n", true, false, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rig *r = make(rows[i].wanted);
		char version;

		r->app.rolled = rows[i].rolled ? (struct version *)(void *)&version : NULL;
		assert_int_equal(limits_follow(&r->app, "inc.ini"), rows[i].done);
		assert_int_equal(world.asked, rows[i].asked);
		r->app.rolled = NULL;
		unmake(r);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_can_change_in_place_is_asked),
		cmocka_unit_test(nobody_is_asked_who_is_not_simply_running),
		cmocka_unit_test(a_front_that_cannot_be_told_gets_a_successor),
		cmocka_unit_test(an_edit_of_anything_else_leaves_the_number_that_was_commanded),
		cmocka_unit_test(what_the_front_takes_becomes_true),
		cmocka_unit_test(an_answer_to_another_question_is_not_heard),
		cmocka_unit_test(
			what_is_refused_is_told_and_comes_true_by_a_reload_if_the_file_says_it),
		cmocka_unit_test(a_command_changes_the_number_and_not_what_the_file_says),
		cmocka_unit_test(a_command_is_refused_where_it_could_not_be_kept),
		cmocka_unit_test(
			what_its_ini_reads_counts_as_an_edit_but_not_where_an_older_version_serves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
