/*
 * test_rollback_next - the next emperor knows who is on trial and what there is to come back to, whether the one before it was
 * killed or stopped.
 */
#include "tests/unit/vassals/rollback.h"

/* What is written down of w is read by an emperor that knows nothing else; out holds the bytes it points into. */
static void hand_over(struct world *w, struct buf *out, struct saved *ret)
{
	struct saved s = {.state = (uint64_t)w->app.state, .reason = "why it is so"};

	if (w->app.serving)
		s.config = span_of(w->app.serving->config, w->app.serving->config_n);
	rollback_describe(&w->app, &s);
	assert_int_equal(saved_encode(&s, out), 0);
	assert_int_equal(saved_decode(buf_span(out), ret, NULL), 0);
}

/* serving: which of its generations is the front that was taken over, or -1; served: whose bytes served last. */
static void take_over(struct world *next, const struct saved *s, int serving, unsigned served)
{
	struct ini *old = s->old_number > 0 ? next->ini[s->old_number - 1] : NULL;

	rollback_go_on(&next->app, s, next->ini[served], old);
	next->app.state = serving >= 0 ? APP_RUNNING : APP_SLEEPING;
	if (serving < 0)
		return;
	next->app.serving = next->g[serving];
	next->app.serving->passed = true;
	next->app.serving->serving_ns = clock_now_ns();
}

static void a_probation_goes_on_with_all_its_counts(void **state)
{
	struct world *w = *state;
	struct world *next;
	struct buf out = {0};
	struct saved s;

	serve(w, 0);
	count(w, 0, 100, 1);
	count(w, 1, 7, 7); /* of its bank's owner before */
	serve(w, 1);
	count(w, 1, 15, 4);
	look(w);
	hand_over(w, &out, &s);
	assert_int_equal(set_up((void **)&next), 0);
	take_over(next, &s, 1, 1);
	/* the same board */
	count(next, 1, 7 + 15, 7 + 4);
	rollback_watch_on(&next->app, &s, true);
	assert_false(next->g[1]->passed);
	look(next);
	assert_int_equal(changes, 0);
	count(next, 1, 10, 10);
	look(next);
	assert_string_equal(change_why,
			    "generation 2 is rolled back to what generation 1 ran: 14 of its first "
			    "25 requests failed; of 100 before, 1 did");
	expect_chdir(next, "/srv/r1");
	assert_int_equal(tear_down((void **)&next), 0);
	buf_done(&out);
}

static void counters_that_begin_anew_are_counted_from_there(void **state)
{
	struct world *w = *state;
	struct world *next;
	struct buf out = {0};
	struct saved s;

	serve(w, 0);
	count(w, 1, 1000, 0);
	serve(w, 1);
	hand_over(w, &out, &s);
	assert_int_equal(set_up((void **)&next), 0);
	take_over(next, &s, 1, 1);
	rollback_watch_on(&next->app, &s, false);
	count(next, 1, 30, 30);
	look(next);
	assert_int_equal(changes, 1);
	assert_int_equal(tear_down((void **)&next), 0);
	buf_done(&out);
}

static void one_that_ended_long_ago_is_not_judged(void **state)
{
	static const struct {
		unsigned age_s;
		bool goes_on;
	} cases[] = {{0, true}, {30, true}, {59, true}, {60, false}, {100, false}};
	struct world *w = *state;
	struct buf out = {0};
	struct saved s;

	serve(w, 0);
	serve(w, 1);
	hand_over(w, &out, &s);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world *next;

		assert_int_equal(set_up((void **)&next), 0);
		take_over(next, &s, 1, 1);
		next->g[1]->serving_ns -= cases[i].age_s * NS_PER_S;
		rollback_watch_on(&next->app, &s, true);
		assert_int_equal(!next->g[1]->passed, cases[i].goes_on);
		assert_int_equal(is_watched(next), cases[i].goes_on);
		/* the way back stays open */
		assert_ptr_equal(rollback_previous(&next->app), next->ini[0]);
		assert_int_equal(tear_down((void **)&next), 0);
	}
	buf_done(&out);
}

static void a_rollback_that_was_only_begun_is_still_to_come(void **state)
{
	struct world *w = *state;
	struct world *next;
	struct buf out = {0};
	struct saved s;

	w->g[0]->loaded->wanted = 8; /* max-workers had left it fewer */
	serve(w, 0);
	serve(w, 1);
	assert_int_equal(rollback_by_command(&w->app, NULL), 0);
	hand_over(w, &out, &s);
	assert_int_equal(set_up((void **)&next), 0);
	take_over(next, &s, 1, 1);
	rollback_watch_on(&next->app, &s, true);
	assert_ptr_equal(rollback_ini(&next->app), next->ini[0]);
	expect_processes(next, 8);
	assert_string_equal(next->app.rolled_why,
			    "rolled back by command to what generation 1 ran");
	expect_chdir(next, "/srv/r1");
	/* nobody rolls back what is about to go, nor is it trusted if that fails */
	assert_false(is_watched(next));
	assert_false(next->g[1]->passed);
	serve(next, 2);
	assert_null(next->app.previous);
	assert_int_equal(tear_down((void **)&next), 0);
	buf_done(&out);
}

static void what_came_back_is_what_starts_whether_it_runs_or_sleeps(void **state)
{
	struct world *w = *state;

	w->g[0]->loaded->wanted = 8;
	serve(w, 0);
	serve(w, 1);
	assert_int_equal(rollback_by_command(&w->app, NULL), 0);
	/* generation 3 runs the bytes and the release of generation 1 */
	free(w->g[2]->config);
	w->g[2]->config = malloc(w->g[0]->config_n);
	assert_non_null(w->g[2]->config);
	w->g[2]->config_n = w->g[0]->config_n;
	memcpy(w->g[2]->config, w->g[0]->config, w->g[0]->config_n);
	serve(w, 2);
	for (int serving = 2; serving >= -1; serving -= 3) {
		struct world *next;
		struct buf out = {0};
		struct saved s;

		w->app.serving = serving >= 0 ? w->g[2] : NULL;
		hand_over(w, &out, &s);
		assert_int_equal(set_up((void **)&next), 0);
		take_over(next, &s, serving, 0);
		rollback_watch_on(&next->app, &s, true);
		assert_ptr_equal(rollback_ini(&next->app), next->ini[0]);
		assert_null(next->app.previous);
		assert_false(is_watched(next));
		expect_chdir(next, "/srv/r1");
		expect_processes(next, 8);
		assert_int_equal(tear_down((void **)&next), 0);
		buf_done(&out);
	}
}

/* As the emperor has it that was stopped: nothing serves any more, config is what did. */
static void stop(struct world *w, struct buf *out, struct saved *ret)
{
	struct saved s = {.ended = 1, .begun = 1, .numbers = 7, .served = 2};
	const struct generation *g = w->app.serving;

	s.config = span_of(g->config, g->config_n);
	rollback_describe(&w->app, &s);
	assert_int_equal(saved_encode(&s, out), 0);
	assert_int_equal(saved_decode(buf_span(out), ret, NULL), 0);
}

static void after_a_stop_the_same_code_has_the_same_way_back_and_other_code_what_ended(void **state)
{
	struct world *w = *state;

	serve(w, 0);
	serve(w, 1);
	for (unsigned starts = 1; starts <= 2; starts++) {
		struct world *next;
		struct buf out = {0};
		struct saved s;

		stop(w, &out, &s);
		assert_int_equal(set_up((void **)&next), 0);
		rollback_go_on(&next->app, &s, next->ini[1], next->ini[0]);
		serve(next, starts);
		assert_true(next->g[starts]->passed);
		assert_ptr_equal(rollback_previous(&next->app), next->ini[starts == 1 ? 0 : 1]);
		assert_null(next->app.ended);
		assert_int_equal(tear_down((void **)&next), 0);
		buf_done(&out);
	}
}

static void an_app_that_slept_through_the_emperors_death_can_come_back(void **state)
{
	struct world *w = *state;
	struct world *next;
	struct buf out = {0};
	struct saved s;

	serve(w, 0);
	rollback_leaves(&w->app);
	w->app.serving = NULL;
	w->app.state = APP_SLEEPING;
	hand_over(w, &out, &s);
	s.good = 1;
	assert_int_equal(set_up((void **)&next), 0);
	take_over(next, &s, -1, 0);
	serve(next, 1);
	assert_ptr_equal(rollback_previous(&next->app), next->ini[0]);
	assert_int_equal(tear_down((void **)&next), 0);
	buf_done(&out);
}

static void what_was_rolled_back_from_is_held_until_the_ini_leads_elsewhere(void **state)
{
	static const char *const links[] = {"/srv/r2", "/srv/r3"};
	struct world *w = *state;

	serve(w, 0);
	serve(w, 1);
	assert_int_equal(rollback_by_command(&w->app, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		struct world *next;
		struct buf out = {0};
		struct saved s;
		struct ini *ini;

		stop(w, &out, &s);
		assert_int_equal(s.bad_number, 2);
		assert_int_equal(set_up((void **)&next), 0);
		rollback_go_on(&next->app, &s, next->ini[1], next->ini[0]);
		/* what the file leads to by now; other limits are no other code */
		ini = make_ini(2, 5);
		free(ini->bytes);
		assert_true(asprintf(&ini->bytes,
				     "[vassal]\nmodule = x\nuid = root\nchdir = %s\n"
				     "probation = 5\nenv = NUMBER=2\n",
				     links[i]) > 0);
		ini->n = strlen(ini->bytes);
		next->app.wanted = ini;
		rollback_rested(&next->app);
		assert_int_equal(next->app.rolled != NULL, i == 0);
		ini_unref(TAKE_PTR(next->app.wanted));
		assert_int_equal(tear_down((void **)&next), 0);
		buf_done(&out);
	}
}

/* Version 1 of what is written down had neither a configuration nor the reason. */
static void of_an_emperor_that_said_less_the_ini_counts(void **state)
{
	static const struct {
		enum app_state state;
		const char *reason, *why;
	} cases[] = {
		{APP_RUNNING, "rolled back: bad", "rolled back: bad"},
		{APP_RUNNING, "", "rolled back before: an older version serves"},
		{APP_SLEEPING, "no request for 60 s",
		 "rolled back before: an older version serves"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct saved s = {.state = (uint64_t)cases[i].state, .rolled = 1};
		struct world *next;

		(void)snprintf(s.reason, sizeof(s.reason), "%s", cases[i].reason);
		assert_int_equal(set_up((void **)&next), 0);
		rollback_go_on(&next->app, &s, next->ini[0], NULL);
		assert_string_equal(next->app.rolled_why, cases[i].why);
		expect_chdir(next, "/srv/current");
		assert_int_equal(tear_down((void **)&next), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_app_that_slept_through_the_emperors_death_can_come_back),
		CASE(a_probation_goes_on_with_all_its_counts),
		CASE(counters_that_begin_anew_are_counted_from_there),
		CASE(one_that_ended_long_ago_is_not_judged),
		CASE(a_rollback_that_was_only_begun_is_still_to_come),
		CASE(what_came_back_is_what_starts_whether_it_runs_or_sleeps),
		CASE(after_a_stop_the_same_code_has_the_same_way_back_and_other_code_what_ended),
		CASE(what_was_rolled_back_from_is_held_until_the_ini_leads_elsewhere),
		CASE(of_an_emperor_that_said_less_the_ini_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
