/*
 * test_rollback - who is on trial, and what there is to come back to.
 */
#include "tests/unit/vassals/rollback.h"

static void the_first_that_serves_is_not_on_trial(void **state)
{
	struct world *w = *state;
	struct err err = {0};

	serve(w, 0);
	assert_true(w->g[0]->passed);
	assert_false(is_watched(w));
	assert_null(rollback_previous(&w->app));
	assert_int_equal(rollback_by_command(&w->app, &err), -ENOENT);
	assert_non_null(strstr(err.text, "no older version is known"));
}

static void one_that_replaces_another_is_and_that_is_what_to_come_back_to(void **state)
{
	struct world *w = *state;

	serve(w, 0);
	count(w, 0, 100, 2);
	serve(w, 1);
	assert_false(w->g[1]->passed);
	assert_true(is_watched(w));
	assert_ptr_equal(rollback_previous(&w->app), w->ini[0]);
	assert_int_equal(w->app.old_count.requests, 100);
	assert_int_equal(w->app.old_count.errors, 2);
	look(w);
	assert_true(is_watched(w));
	assert_int_equal(changes, 0);
}

static void without_probation_nobody_is_judged_but_there_is_a_way_back(void **state)
{
	struct world *w = *state;

	serve(w, 0);
	serve(w, 1);
	assert_true(w->g[1]->passed);
	assert_false(is_watched(w));
	assert_ptr_equal(rollback_previous(&w->app), w->ini[0]);
}

static void one_that_was_never_trusted_is_nothing_to_come_back_to(void **state)
{
	struct world *w = *state;

	serve(w, 0);
	serve(w, 1);
	serve(w, 2);
	assert_ptr_equal(rollback_previous(&w->app), w->ini[0]);
	w->g[2]->passed = true;
	serve(w, 3);
	assert_ptr_equal(rollback_previous(&w->app), w->ini[2]);
}

static void one_that_passes_is_written_down_as_such(void **state)
{
	struct world *w = *state;

	serve(w, 0);
	serve(w, 1);
	w->app.unsaved = false;
	w->g[1]->serving_ns = clock_now_ns() - 31 * NS_PER_S;
	look(w);
	assert_true(w->g[1]->passed);
	assert_true(w->app.unsaved);
	assert_false(is_watched(w));
	assert_int_equal(changes, 0);
}

static void one_that_fails_is_rolled_back_once(void **state)
{
	struct world *w = *state;
	struct err err = {0};

	serve(w, 0);
	/* counters of a bank are those of whoever had it before, too */
	count(w, 1, 5000, 4000);
	serve(w, 1);
	count(w, 1, 40, 30);
	look(w);
	assert_int_equal(changes, 1);
	assert_int_equal(events[0], 1);
	assert_string_equal(change_why,
			    "generation 2 is rolled back to what generation 1 ran: 30 of its first "
			    "40 requests failed; of 0 before, 0 did");
	assert_ptr_equal(rollback_ini(&w->app), w->ini[0]);
	assert_null(rollback_previous(&w->app));
	assert_false(is_watched(w));
	assert_int_equal(rollback_by_command(&w->app, &err), -EALREADY);
	look(w);
	assert_int_equal(changes, 1);
}

static void nobody_is_judged_while_another_starts(void **state)
{
	struct world *w = *state;

	serve(w, 0);
	serve(w, 1);
	count(w, 1, 40, 30);
	w->app.candidate = w->g[2];
	look(w);
	w->app.candidate = NULL;
	w->app.queued = true;
	look(w);
	w->app.queued = false;
	w->app.state = APP_REPLACING;
	look(w);
	assert_int_equal(changes, 0);
	w->app.state = APP_RUNNING;
	look(w);
	assert_int_equal(changes, 1);
}

static void what_came_back_is_trusted_and_leads_nowhere_further(void **state)
{
	struct world *w = *state;

	serve(w, 0);
	serve(w, 1);
	assert_int_equal(rollback_by_command(&w->app, NULL), 0);
	serve(w, 2);
	assert_true(w->g[2]->passed);
	assert_null(w->app.previous);
	assert_non_null(w->app.rolled);
	count(w, 2, 100, 100);
	look(w);
	assert_false(is_watched(w));
	assert_int_equal(changes, 1);
}

/* The one that was to go was lost before: then nothing is swapped. */
static void what_came_back_after_a_loss_has_come_back_too(void **state)
{
	struct world *w = *state;
	struct saved s = {0};

	serve(w, 0);
	serve(w, 1);
	assert_int_equal(rollback_by_command(&w->app, NULL), 0);
	w->app.serving = NULL;
	serve(w, 2);
	rollback_describe(&w->app, &s);
	assert_int_equal(s.rolled, 1);
	assert_int_equal(s.old_number, 0);
}

static void a_rollback_by_command_needs_one_that_runs(void **state)
{
	struct world *w = *state;

	serve(w, 0);
	serve(w, 1);
	for (int i = 0; i < APP_STATE_COUNT; i++) {
		struct err err = {0};

		w->app.state = (enum app_state)i;
		if (i == APP_RUNNING)
			continue;
		assert_int_equal(rollback_by_command(&w->app, &err), -EAGAIN);
		assert_non_null(strstr(err.text, app_state_name(w->app.state)));
	}
	w->app.state = APP_RUNNING;
	assert_int_equal(rollback_by_command(&w->app, NULL), 0);
	assert_string_equal(change_why, "rolled back by command to what generation 1 ran");
}

static void the_release_that_ran_comes_back_wherever_its_link_leads(void **state)
{
	struct world *w = *state;

	serve(w, 0);
	serve(w, 1);
	assert_int_equal(rollback_by_command(&w->app, NULL), 0);
	expect_chdir(w, "/srv/r1");
}

/* max-workers had left it 1 of 8: when it comes back it asks for 8 again, and is granted what there is then. */
static void what_was_cut_comes_back_with_all_that_its_ini_wants(void **state)
{
	struct world *w = *state;

	w->g[0]->loaded->wanted = 8;
	serve(w, 0);
	serve(w, 1);
	assert_int_equal(rollback_by_command(&w->app, NULL), 0);
	expect_processes(w, 8);
}

/* It slept, crashed or was stopped when its ini was edited: what ran before is still what there is to come back to. */
static void what_ended_before_the_edit_is_what_there_is_to_come_back_to(void **state)
{
	struct world *w = *state;

	serve(w, 0);
	rollback_leaves(&w->app);
	w->app.serving = NULL;
	serve(w, 0); /* the same again: nothing to come back to */
	assert_null(rollback_previous(&w->app));
	rollback_leaves(&w->app);
	w->app.serving = NULL;
	serve(w, 1);
	assert_true(w->g[1]->passed); /* there is no load to compare with */
	assert_ptr_equal(rollback_previous(&w->app), w->ini[0]);
	assert_int_equal(rollback_by_command(&w->app, NULL), 0);
	expect_chdir(w, "/srv/r1");
}

static void what_ended_on_trial_is_nothing_to_come_back_to(void **state)
{
	struct world *w = *state;

	serve(w, 0);
	serve(w, 1);
	assert_false(w->g[1]->passed);
	rollback_leaves(&w->app);
	w->app.serving = NULL;
	serve(w, 2);
	assert_ptr_equal(rollback_previous(&w->app), w->ini[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_ended_before_the_edit_is_what_there_is_to_come_back_to),
		CASE(what_ended_on_trial_is_nothing_to_come_back_to),
		CASE(the_first_that_serves_is_not_on_trial),
		CASE(one_that_replaces_another_is_and_that_is_what_to_come_back_to),
		cmocka_unit_test_setup_teardown(
			without_probation_nobody_is_judged_but_there_is_a_way_back,
			set_up_without_probation, tear_down),
		CASE(one_that_was_never_trusted_is_nothing_to_come_back_to),
		CASE(one_that_passes_is_written_down_as_such),
		CASE(one_that_fails_is_rolled_back_once),
		CASE(nobody_is_judged_while_another_starts),
		CASE(what_came_back_is_trusted_and_leads_nowhere_further),
		CASE(what_came_back_after_a_loss_has_come_back_too),
		CASE(a_rollback_by_command_needs_one_that_runs),
		CASE(the_release_that_ran_comes_back_wherever_its_link_leads),
		CASE(what_was_cut_comes_back_with_all_that_its_ini_wants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
